package ledger

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestABatchWaitsForACrowdOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		crowd, there, later int // later ones come a millisecond after the first
		want, next          int
		took                time.Duration
	}{
		"alone":                  {crowd: 0, there: 1, want: 1},
		"a few":                  {crowd: 0, there: 5, want: 5},
		"a crowd is there":       {crowd: 0, there: 40, want: 40, next: 40},
		"a crowd is on its way":  {crowd: 16, there: 2, later: 14, want: 16, next: 16, took: time.Millisecond},
		"most of it is enough":   {crowd: 16, there: 14, want: 14, next: 14},
		"it has become smaller":  {crowd: 16, there: 2, later: 4, want: 6, next: 14, took: gatherWindow},
		"it does not come again": {crowd: 8, there: 1, want: 1, took: gatherWindow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &Ledger{queue: make(chan *op, queueLength), crowd: c.crowd}
				for range c.there {
					l.queue <- &op{}
				}
				began := time.Now()
				time.AfterFunc(time.Millisecond, func() {
					for range c.later {
						l.queue <- &op{}
					}
				})
				got := len(l.gather(<-l.queue))
				if took := time.Since(began); got != c.want || l.crowd != c.next || took != c.took {
					t.Errorf("%d after %s, next time a crowd of %d; want %d after %s, and %d", got, took, l.crowd, c.want, c.took, c.next)
				}
			})
		})
	}
}
