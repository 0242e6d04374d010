package clock

import (
	"testing"
	"time"
)

func TestAWatchNoticesThatTheClockWasSet(t *testing.T) {
	t.Parallel()
	now, elapsed := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), time.Duration(0)
	w := NewWatch(func() time.Time { return now }, func() time.Duration { return elapsed })
	pass := func(d time.Duration) { now, elapsed = now.Add(d), elapsed+d }
	want := func(at time.Time) {
		t.Helper()
		if got := w.SetAt(); !got.Equal(at) {
			t.Errorf("set at %v, want %v", got, at)
		}
	}
	want(time.Time{})
	pass(time.Hour)
	want(time.Time{})
	for range 100 { // it is kept right
		pass(time.Minute)
		now = now.Add(tolerance / 2)
		want(time.Time{})
	}
	for _, step := range []time.Duration{time.Hour, -time.Minute, -365 * 24 * time.Hour, 2 * time.Second} {
		now = now.Add(step)
		set := now
		want(set)
		pass(time.Hour)
		want(set)
	}
}

func TestNoWatchNoticesNothing(t *testing.T) {
	t.Parallel()
	if got := (*Watch)(nil).SetAt(); !got.IsZero() {
		t.Errorf("set at %v", got)
	}
	if got := NewWatch(time.Now, Elapsed()).SetAt(); !got.IsZero() {
		t.Errorf("the clock of this machine was set at %v", got)
	}
}
