// Package clock notices that the clock of this machine was set.
package clock

import (
	"sync"
	"time"
)

// tolerance is by how much a clock is set that is merely kept right.
const tolerance = time.Second

// Watch knows when the clock was set. What was written down before is of another
// clock than the one of now: from the time between the two nothing follows. The
// zero of a Watch is nil, which never notices anything.
type Watch struct {
	now     func() time.Time
	elapsed func() time.Duration

	mu    sync.Mutex
	ahead time.Duration // of what has elapsed
	setAt time.Time
}

// NewWatch watches now by elapsed, which grows whatever happens to the clock.
func NewWatch(now func() time.Time, elapsed func() time.Duration) *Watch {
	w := &Watch{now: now, elapsed: elapsed}
	w.ahead = w.lead(now())
	return w
}

// Elapsed returns a function that tells how long ago this was.
func Elapsed() func() time.Duration {
	begin := time.Now() // with the reading of a clock that nobody sets
	return func() time.Duration { return time.Since(begin) }
}

// SetAt returns what the clock was set to last, or a moment later: it is looked
// at when somebody asks, so ask often. Zero if it was not set.
func (w *Watch) SetAt() time.Time {
	if w == nil {
		return time.Time{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	lead := w.lead(now)
	if (lead - w.ahead).Abs() > tolerance {
		w.setAt = now
	}
	w.ahead = lead
	return w.setAt
}

func (w *Watch) lead(now time.Time) time.Duration {
	return time.Duration(now.UnixNano()) - w.elapsed()
}
