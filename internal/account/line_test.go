package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// queueing is a line with one place, which is taken, and notes in which order
// the others come in.
type queueing struct {
	*line
	mu      sync.Mutex
	came    []string
	refused []string
	limited int
	all     sync.WaitGroup
}

func newQueueing(t *testing.T, limit int) *queueing {
	t.Helper()
	q := &queueing{}
	q.line = newLine(1, limit, func(string) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.limited++
	})
	if err := q.enter(t.Context(), netip.Prefix{}, false); err != nil {
		t.Fatal(err)
	}
	return q
}

// joins stands in line under a name; its first letter is its source, and a
// capital one has logged in before.
func (q *queueing) joins(t *testing.T, names string) {
	t.Helper()
	for name := range strings.FieldsSeq(names) {
		lower := strings.ToLower(name)
		q.all.Go(func() {
			err := q.enter(t.Context(), netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, lower[0]}), 32), name != lower)
			q.mu.Lock()
			defer q.mu.Unlock()
			if err != nil {
				wantErr(t, err, errs.RateLimited, "busy")
				q.refused = append(q.refused, name)
				return
			}
			q.came = append(q.came, name)
			go q.leave()
		})
		synctest.Wait()
	}
}

// end lets everybody through, and compares.
func (q *queueing) end(t *testing.T, came, refused string) {
	t.Helper()
	q.leave()
	q.all.Wait()
	synctest.Wait()
	if got := strings.Join(q.came, " "); got != came {
		t.Errorf("came in as %q, want %q", got, came)
	}
	if got := strings.Join(q.refused, " "); got != refused {
		t.Errorf("sent away %q, want %q", got, refused)
	}
	if q.limited != len(q.refused) {
		t.Errorf("%d counted as sent away", q.limited)
	}
	if len(q.waiting) != 0 || q.free != 1 {
		t.Errorf("afterwards %d wait and %d places are free", len(q.waiting), q.free)
	}
}

func TestSourcesInLineTakeTurns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit               int
		joins, came, refuse string
	}{
		"one source comes in order":               {9, "a1 a2 a3", "a1 a2 a3", ""},
		"a second one does not wait for all":      {9, "a1 a2 a3 b1 b2", "a1 b1 a2 b2 a3", ""},
		"a newcomer waits one round at most":      {9, "a1 b1 a2 b2 c1", "a1 b1 c1 a2 b2", ""},
		"who was here before comes first":         {9, "a1 b1 c1 D1", "D1 a1 b1 c1", ""},
		"but once a round only":                   {9, "D1 D2 D3 a1", "D1 a1 D2 D3", ""},
		"a full line sends a flood's newest away": {3, "a1 a2 a3 b1", "a1 b1 a2", "a3"},
		"and the flood itself":                    {3, "a1 a2 a3 a4 a5", "a1 a2 a3", "a4 a5"},
		"equals do not push each other out":       {3, "a1 b1 c1 d1", "a1 b1 c1", "d1"},
		"one that was here before does":           {3, "a1 b1 c1 D1", "D1 a1 b1", "c1"},
		"not another such":                        {3, "a1 B1 C1 D1 E1", "B1 C1 D1", "a1 E1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := newQueueing(t, c.limit)
				q.joins(t, c.joins)
				q.end(t, c.came, c.refuse)
			})
		})
	}
}

func TestALineLetsInAsManyAsThereArePlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine(3, 5, func(string) {})
		var in sync.WaitGroup
		release := make(chan struct{})
		for i := range 8 {
			in.Go(func() {
				if err := l.enter(t.Context(), netip.Prefix{}, false); err != nil {
					t.Errorf("%d: %v", i, err)
				}
				<-release
				l.leave()
			})
		}
		synctest.Wait()
		if l.free != 0 || len(l.waiting) != 5 {
			t.Errorf("%d places are free, %d wait", l.free, len(l.waiting))
		}
		err := l.enter(t.Context(), netip.Prefix{}, false)
		wantErr(t, err, errs.RateLimited, "busy")
		if errs.As(err).RetryAfter <= 0 {
			t.Error("no RetryAfter")
		}
		close(release)
		in.Wait()
		if l.free != 3 || len(l.waiting) != 0 {
			t.Errorf("afterwards %d places are free, %d wait", l.free, len(l.waiting))
		}
	})
}

func TestALineIsLeftWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueueing(t, 9)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := q.enter(ctx, netip.Prefix{}, false)
		wantErr(t, err, errs.RateLimited, "busy")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		q.refused = append(q.refused, "it")
		q.end(t, "", "it")
	})
}

func TestAHundredSourcesThroughOneDoorAreAllServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueueing(t, 1000)
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf("%c%d", 'a'+i%26, i))
		}
		q.joins(t, strings.Join(names, " "))
		q.leave()
		q.all.Wait()
		slices.Sort(q.came)
		slices.Sort(names)
		if !slices.Equal(q.came, names) {
			t.Errorf("came in: %v", q.came)
		}
	})
}

// Whoever comes in late enough that the work could not be done in time is told to
// come again, and not that the database is away.
func TestWhoIsLetInHasTimeToWork(t *testing.T) {
	t.Parallel()
	for after, works := range map[time.Duration]bool{5 * time.Second: true, 7 * time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPasswords(cheapParams(), nil, newLine(1, 8, func(string) {}))
			if err := p.line.enter(t.Context(), netip.Prefix{}, false); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(after, p.line.leave)
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			worked := false
			err := p.run(ctx, netip.Prefix{}, false, func() error { worked = true; return nil })
			if worked != works || ctx.Err() != nil {
				t.Errorf("let in after %v: worked %v, %v", after, worked, ctx.Err())
			}
			if !works {
				wantErr(t, err, errs.RateLimited, "busy")
			}
			synctest.Wait()
		})
	}
}
