// Package outage logs what fails again and again: once when it begins and once
// when it is over, and not each time in between.
package outage

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Words are the two lines of one kind of failure.
type Words struct{ Begins, Ends string }

// Log remembers what fails just now.
type Log struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	outages map[key]*span
}

type key struct {
	words   Words
	subject string
}

// span is an outage. Well is when an attempt succeeded after the last that did
// not; zero while none has.
type span struct{ since, well time.Time }

const (
	// most bounds what is remembered: subjects come and go.
	most = 10_000
	// quiet is how long nothing must fail until an outage counts as over, so that
	// what fails now and then does not write two lines each time.
	quiet = time.Minute
)

// New returns a Log that knows of no failure.
func New(log *slog.Logger, now func() time.Time) *Log {
	return &Log{log: log, now: now, outages: map[key]*span{}}
}

// Note takes what came of one attempt at a subject, which is empty where there is
// only one. An attempt that was broken off tells nothing.
func (l *Log) Note(ctx context.Context, w Words, subject string, err error, attrs ...any) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	if err == nil {
		if lasted, over := l.well(key{w, subject}); over {
			l.log.InfoContext(ctx, w.Ends, append(attrs, "after", Span(lasted))...)
		}
		return
	}
	if l.fails(key{w, subject}) {
		l.log.WarnContext(ctx, w.Begins, append(attrs, "error", err)...)
	}
}

// fails reports whether an outage begins.
func (l *Log) fails(k key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.outages[k]; o != nil {
		o.well = time.Time{}
		return false
	}
	if len(l.outages) >= most {
		clear(l.outages)
	}
	l.outages[k] = &span{since: l.now()}
	return true
}

// well says how long an outage has lasted, if it is over by now.
func (l *Log) well(k key) (lasted time.Duration, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.outages[k]
	if o == nil {
		return 0, false
	}
	now := l.now()
	if o.well.IsZero() {
		o.well = now
	}
	if now.Sub(o.well) < quiet {
		return 0, false
	}
	delete(l.outages, k)
	return o.well.Sub(o.since), true
}

// Span is how long something lasted, as a log line says it: "1h2m3s".
func Span(d time.Duration) string { return max(d, 0).Round(time.Second).String() }
