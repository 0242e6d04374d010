package httpx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// bundle is a chain around an empty router, and what it logged.
type bundle struct {
	config httpx.Config
	rt     *httpx.Router
	logged *lines
}

func setup(t testing.TB) *bundle {
	t.Helper()
	logged := &lines{}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &bundle{
		config: httpx.Config{
			Log: slog.New(httpx.LogHandler(slog.NewJSONHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))),
			Now: func() time.Time { at = at.Add(5 * time.Millisecond); return at },
			// A new id for each request, and the same ones in each test.
			Rand: &counter{},
		},
		rt:     httpx.NewRouter(),
		logged: logged,
	}
}

func (b *bundle) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.config.Wrap(b.rt).ServeHTTP(w, r)
	return w
}

// envelope answers with a name, a status by kind and the reason, as dialects do.
func envelope(name string) httpx.ErrorWriter {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		e := errs.As(err)
		httpx.SetFailure(r.Context(), e.Reason, errors.Unwrap(e))
		status := map[errs.Kind]int{errs.NotFound: 404, errs.MethodNotAllowed: 405, errs.TooLarge: 413, errs.Invalid: 400}[e.Kind]
		if status == 0 {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "%s:%s", name, e.Reason)
	}
}

// counter is a source of bytes that never gives the same ones twice in a row.
type counter struct{ n byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = c.n
	}
	c.n++
	return len(b), nil
}

// lines collects JSON log lines.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// all returns the records with this message.
func (l *lines) all(t *testing.T, message string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		rec := map[string]any{}
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if rec["msg"] == message {
			out = append(out, rec)
		}
	}
	return out
}

// one returns the only record with this message.
func (l *lines) one(t *testing.T, message string) map[string]any {
	t.Helper()
	recs := l.all(t, message)
	if len(recs) != 1 {
		t.Fatalf("%d log lines say %q, want one:\n%s", len(recs), message, l)
	}
	return recs[0]
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
