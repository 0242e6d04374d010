// Package httpx is what every request passes before and after its handler: the
// request id, the client's address, the body limit, recovery from panics, the
// access log, and answers to unknown paths in the right dialect.
package httpx

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// MaxBody is the largest request body that is usually read, in bytes.
const MaxBody = 1 << 20

// Config lists what a Chain depends on.
type Config struct {
	Log  *slog.Logger
	Now  func() time.Time
	Rand io.Reader
	// Proxies are the addresses whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// MaxBody is the largest request body that is read, in bytes; 0: the constant.
	MaxBody int
	// Observe is told every finished request, for metrics. Route is the
	// pattern that matched, or "" for none.
	Observe func(method, route string, status int, took time.Duration)
	// Tracer makes the span of each request; nil: there are none.
	Tracer trace.Tracer
}

// Handler is a router that can also answer an error in the right envelope.
type Handler interface {
	http.Handler
	Fail(w http.ResponseWriter, r *http.Request, err error)
}

// exchange is one request on its way: what its context carries, and what was
// answered. They share one allocation, as every request makes them.
type exchange struct {
	ctx infoContext
	recorder
	span   trace.Span // nil: none
	id     [1]string  // the value of X-Request-Id
	random [idBytes]byte
}

// idBytes is how much randomness a request id holds.
const idBytes = 12

// Wrap puts the chain around a router.
func (c Config) Wrap(rt Handler) http.Handler {
	most := int64(cmp.Or(c.MaxBody, MaxBody))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		growStack(false)
		started := c.Now()
		x := &exchange{ctx: infoContext{Context: r.Context()}, recorder: recorder{ResponseWriter: w}}
		x.id[0] = c.newID(&x.random)
		x.ctx.info.id = x.id[0]
		x.ctx.info.addr, x.ctx.info.direct = c.client(r)
		if c.Tracer != nil {
			x.startSpan(c.Tracer, r)
		}
		body := r.Body
		r = r.WithContext(&x.ctx)
		if mayExceed(r, most) {
			r.Body = http.MaxBytesReader(w, r.Body, most)
		}
		w.Header()["X-Request-Id"] = x.id[:]
		defer c.finish(x, r, started)
		defer c.recover(&x.recorder, r, rt)
		rt.ServeHTTP(&x.recorder, r)
		if x.status >= http.StatusBadRequest && r.ContentLength != 0 {
			hearOut(r, body)
		}
	})
}

// maxUnheard is how much of a refused body is still read, in bytes. It is what
// net/http itself reads where a connection is kept.
const maxUnheard = 256 << 10

// hearOut reads on what a client sends that has been refused already. A connection
// that is closed with something unread in it is reset, and the client may hear of
// that before it reads why it was refused. Who waits for a word before sending a
// body need not send it now.
func hearOut(r *http.Request, body io.Reader) {
	if r.ProtoMajor == 1 && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, body, maxUnheard) // whatever comes of it: the answer stands
	}
}

// mayExceed says whether the body of r can turn out larger than limit bytes. The
// server reads no more of one than its announced length.
func mayExceed(r *http.Request, limit int64) bool {
	return r.ContentLength < 0 || r.ContentLength > limit
}

// recover turns a panic into the dialect's internal error. Its stack goes to
// the log only. An answer that has begun is cut off, so that nobody takes it
// for a whole one.
func (c Config) recover(rec *recorder, r *http.Request, rt Handler) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	c.Log.ErrorContext(r.Context(), "panic", "panic", p, "stack", string(debug.Stack()))
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	rt.Fail(rec, r, errs.New(errs.Internal, "panic", "internal error"))
}

// finish writes the one line that each request leaves. The query is not in it:
// tokens travel there.
func (c Config) finish(x *exchange, r *http.Request, started time.Time) {
	ended := c.Now()
	took := ended.Sub(started)
	x.conclude()
	if x.span != nil {
		x.endSpan(r)
	}
	if c.Observe != nil {
		c.Observe(r.Method, r.Pattern, x.status, took)
	}
	level := slog.LevelInfo
	if x.status >= 500 {
		level = slog.LevelWarn
	}
	if !c.Log.Enabled(&x.ctx, level) {
		return
	}
	line := slog.NewRecord(ended, level, "request", 0)
	line.AddAttrs(x.attrs(r, took)...)
	_ = c.Log.Handler().Handle(&x.ctx, line) // as a Logger does: nobody else could be told
}

// statusClientGone is what nginx notes of a client that left before its answer.
const statusClientGone = 499

// conclude settles what is noted of an answer. What failed only because the
// client had left is no failure of ours that should wake anybody.
func (x *exchange) conclude() {
	info := &x.ctx.info
	switch {
	case x.status == 0:
		x.status = http.StatusOK
	case x.status >= http.StatusInternalServerError && errors.Is(info.cause, context.Canceled) && x.ctx.Context.Err() != nil:
		x.status, info.reason = statusClientGone, "client_gone"
	}
}

// attrs is what the line of a request says.
func (x *exchange) attrs(r *http.Request, took time.Duration) []slog.Attr {
	info := &x.ctx.info
	attrs := append(make([]slog.Attr, 0, 9), slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", x.status),
		slog.Int64("bytes", x.bytes), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("client_address", info.addr.String()))
	if info.principal != "" {
		attrs = append(attrs, slog.String("principal", info.principal))
	}
	if info.reason != "" {
		attrs = append(attrs, slog.String("reason", info.reason))
	}
	if info.cause != nil {
		attrs = append(attrs, slog.String("error", info.cause.Error()))
	}
	return attrs
}

func (c Config) newID(random *[idBytes]byte) string {
	if _, err := io.ReadFull(c.Rand, random[:]); err != nil {
		return "unidentified"
	}
	var text [2 * idBytes]byte
	hex.Encode(text[:], random[:])
	return string(text[:])
}

// recorder notes what the handler answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // 1xx only announce an answer
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
