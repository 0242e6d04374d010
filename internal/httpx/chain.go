// Package httpx is what every request passes before and after its handler: the
// request id, the client's address, the body limit, recovery from panics, the
// access log, and answers to unknown paths in the right dialect.
package httpx

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// MaxBody is the largest request body that is read, in bytes.
const MaxBody = 1 << 20

// Config lists what a Chain depends on.
type Config struct {
	Log  *slog.Logger
	Now  func() time.Time
	Rand io.Reader
	// Proxies are the addresses whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Observe is told every finished request, for metrics. Route is the
	// pattern that matched, or "" for none.
	Observe func(method, route string, status int, took time.Duration)
}

// Handler is a router that can also answer an error in the right envelope.
type Handler interface {
	http.Handler
	Fail(w http.ResponseWriter, r *http.Request, err error)
}

// Wrap puts the chain around a router.
func (c Config) Wrap(rt Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := c.Now()
		info := &info{id: c.newID()}
		info.addr, info.direct = c.client(r)
		r = r.WithContext(context.WithValue(r.Context(), infoKey{}, info))
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("X-Request-Id", info.id)
		defer c.finish(rec, r, info, started)
		defer c.recover(rec, r, rt)
		rt.ServeHTTP(rec, r)
	})
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
func (c Config) finish(rec *recorder, r *http.Request, info *info, started time.Time) {
	took := c.Now().Sub(started)
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	if c.Observe != nil {
		c.Observe(r.Method, r.Pattern, rec.status, took)
	}
	level := slog.LevelInfo
	if rec.status >= 500 {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", rec.status),
		slog.Int64("bytes", rec.bytes), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("client_address", info.addr.String())}
	if info.principal != "" {
		attrs = append(attrs, slog.String("principal", info.principal))
	}
	if info.reason != "" {
		attrs = append(attrs, slog.String("reason", info.reason))
	}
	if info.cause != nil {
		attrs = append(attrs, slog.String("error", info.cause.Error()))
	}
	c.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

func (c Config) newID() string {
	var b [12]byte
	if _, err := io.ReadFull(c.Rand, b[:]); err != nil {
		return "unidentified"
	}
	return hex.EncodeToString(b[:])
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
