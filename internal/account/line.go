package account

import (
	"context"
	"net/netip"
	"slices"
	"sync"
)

// line lets a few in at a time, while a bounded number wait.
//
// Sources take turns: one that sends a hundred logins at once has one of them
// done before the next source has its first. When the line is full, the source
// with the most in it makes room, so that one that floods keeps out itself alone.
// Where many sources flood, those that have logged in before come first, once a
// round, and take a place from those that never did.
type line struct {
	limited func(limit string) // told of each who is sent away

	mu      sync.Mutex
	free    int // who may still come in
	limit   int // who may wait
	round   int // the turn of whoever came in last
	waiting []*waiter
}

type waiter struct {
	source netip.Prefix
	known  bool // has logged in before
	turn   int
	called chan error
}

func newLine(slots, limit int, limited func(limit string)) *line {
	return &line{free: slots, limit: limit, limited: limited}
}

// enter waits for a place until ctx ends, and returns RateLimited busy where
// there is none. Whoever is in has to leave.
func (l *line) enter(ctx context.Context, source netip.Prefix, known bool) error {
	w := &waiter{source: source, known: known, called: make(chan error, 1)}
	l.queue(w)
	select {
	case err := <-w.called:
		return l.count(err)
	case <-ctx.Done():
	}
	if l.forget(w) {
		return l.count(errBusy.With(context.Cause(ctx)))
	}
	return l.count(<-w.called) // decided just before; whoever was let in is in
}

func (l *line) count(err error) error {
	if err != nil {
		l.limited("hash_queue")
	}
	return err
}

func (l *line) queue(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free > 0 {
		l.free--
		w.called <- nil
		return
	}
	if len(l.waiting) >= l.limit && !l.makeRoom(w) {
		w.called <- errBusy
		return
	}
	w.turn = l.round + 1
	for _, other := range l.waiting {
		if other.source == w.source {
			w.turn = max(w.turn, other.turn+1)
		}
	}
	l.waiting = append(l.waiting, w)
}

// makeRoom sends away the last one of the source with the most waiting, if that
// is more than the newcomer's would then be; of equals, one that was never here
// before.
func (l *line) makeRoom(w *waiter) bool {
	crowd := map[netip.Prefix]int{w.source: 1}
	for _, other := range l.waiting {
		crowd[other.source]++
	}
	weight := func(w *waiter) int {
		if w.known {
			return 2 * crowd[w.source]
		}
		return 2*crowd[w.source] + 1
	}
	heaviest, at := weight(w), -1
	for i, other := range l.waiting {
		if n := weight(other); n > heaviest || n == heaviest && at >= 0 {
			heaviest, at = n, i
		}
	}
	if at < 0 {
		return false
	}
	l.waiting[at].called <- errBusy
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return true
}

// leave lets the next one in.
func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.free++
		return
	}
	next := 0
	for i, w := range l.waiting {
		if w.before(l.waiting[next]) {
			next = i
		}
	}
	w := l.waiting[next]
	l.waiting = slices.Delete(l.waiting, next, next+1)
	l.round = w.turn
	w.called <- nil
}

func (w *waiter) before(other *waiter) bool {
	if w.turn != other.turn {
		return w.turn < other.turn
	}
	return w.known && !other.known // else who came first
}

// forget says whether somebody was still waiting.
func (l *line) forget(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, w)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return i >= 0
}
