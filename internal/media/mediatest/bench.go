package mediatest

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Benchmark measures what an adapter itself costs per callback: reading it and
// wording the reply, in front of a core that admits at once.
func Benchmark(b *testing.B, routes func(media.Ledger, *slog.Logger) http.Handler, p Payload) {
	b.Helper()
	h := routes(admits{}, slog.New(slog.DiscardHandler))
	ctx := media.WithNode(b.Context(), media.Node{Name: Node})
	r, err := http.NewRequestWithContext(ctx, cmp.Or(p.Method, http.MethodPost), p.Path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header, r.ContentLength, r.RemoteAddr = p.Header.Clone(), int64(len(p.Body)), "192.0.2.1:4711"
	body, w := strings.NewReader(p.Body), &discard{header: http.Header{}}
	closer := io.NopCloser(body)
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(p.Body)
		r.Body, r.Form, r.PostForm = closer, nil, nil
		w.status = 0
		h.ServeHTTP(w, r)
		if w.status != 0 && w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
	}
}

// admits is a core that lets everybody in.
type admits struct{}

func (admits) Handle(context.Context, media.Event) (media.Verdict, error) {
	return media.Verdict{Allow: true, Reason: media.Allowed}, nil
}

// discard forgets a reply but for its status, 0 where none was written.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
