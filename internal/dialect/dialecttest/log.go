package dialecttest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// Log keeps what a server logs, with request ids as in production.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
	out *slog.Logger
}

// NewLog returns an empty Log that also writes to the output of the test.
func NewLog(t testing.TB) *Log {
	l := &Log{}
	h := slog.NewJSONHandler(tee{l, t}, &slog.HandlerOptions{Level: slog.LevelDebug})
	l.out = slog.New(httpx.LogHandler(h))
	return l
}

// Logger returns the logger to give to the server.
func (l *Log) Logger() *slog.Logger { return l.out }

// String returns everything logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Line is what the suite looks at in a line of the access log.
type Line struct {
	Message   string `json:"msg"`
	RequestID string `json:"request_id"`
	Status    int    `json:"status"`
	Reason    string `json:"reason"`
	Error     string `json:"error"`
	Principal string `json:"principal"`
}

// Requests returns the access log lines of one request.
func (l *Log) Requests(id string) []Line {
	var out []Line
	for _, text := range bytes.Split([]byte(l.String()), []byte("\n")) {
		var line Line
		if json.Unmarshal(text, &line) == nil && line.Message == "request" && line.RequestID == id {
			out = append(out, line)
		}
	}
	return out
}

type tee struct {
	log *Log
	t   testing.TB
}

func (w tee) Write(p []byte) (int, error) {
	w.log.mu.Lock()
	w.log.buf.Write(p)
	w.log.mu.Unlock()
	return w.t.Output().Write(p)
}
