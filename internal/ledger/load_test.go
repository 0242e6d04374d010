package ledger

import (
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// load is a crowd of clients that come, play or publish, and leave, and what
// each was told.
type load struct {
	b    *bench
	stop chan struct{}
	wg   sync.WaitGroup

	mu            sync.Mutex
	present, gone map[string]bool // who must have an open session, and who must not
	refused       int
}

func (b *bench) load(t *testing.T, clients int) *load {
	l := &load{b: b, stop: make(chan struct{}), present: map[string]bool{}, gone: map[string]bool{}}
	for i := range clients {
		l.wg.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				c := onSRS(stream("s"))
				start, end := c.play(), c.leave()
				if i%3 == 0 {
					c = c.streaming(stream(c.id))
					start, end = c.publish(), c.unpublish()
				}
				l.visit(t, c, start, end, i%2 == 0)
			}
		})
	}
	return l
}

func (l *load) visit(t *testing.T, c client, start, end media.Event, leaves bool) {
	if !l.tell(t, start) {
		l.note(c, false)
		return
	}
	if leaves {
		// Told or not: the client is gone, and in the end that must be known.
		l.tell(t, end)
	}
	l.note(c, !leaves)
}

func (l *load) tell(t *testing.T, e media.Event) bool {
	began := time.Now()
	v, err := l.b.Handle(t.Context(), e)
	if took := time.Since(began); took > l.b.Timeout+time.Minute {
		t.Errorf("%s took %v", e.Action, took)
	}
	if err != nil && errs.KindOf(err) != errs.Unavailable || err == nil && !v.Allow {
		t.Errorf("%s: got %+v, %v", e.Action, v, err)
	}
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refused++
	}
	return err == nil
}

func (l *load) note(c client, present bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if present {
		l.present[c.id] = true
	} else {
		l.gone[c.id] = true
	}
}

func (l *load) told() (present, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.present), l.refused
}

// progress waits until the ledger admits again.
func (l *load) progress(t *testing.T) {
	t.Helper()
	before, _ := l.told()
	eventually(t, "clients are admitted", func() bool { now, _ := l.told(); return now > before+20 })
}

// settle ends the load and checks that the ledger tells the truth.
func (l *load) settle(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	// The second comes with a later commit than all others, or it waits until those
	// are done with.
	l.b.insist(t, onSRS(stream("last")).publish())
	l.b.insist(t, onSRS(stream("later")).publish())
	eventually(t, "what was left to do is done", func() bool { return l.b.aftermath.empty() && len(l.b.queue) == 0 })
	open := map[string]int{}
	for _, s := range l.b.open(t) {
		open[s.ClientID]++
	}
	for id := range l.present {
		if open[id] != 1 {
			t.Errorf("client %s was admitted and has %d open sessions", id, open[id])
		}
	}
	for id := range l.gone {
		if open[id] != 0 {
			t.Errorf("client %s was refused or has left and has %d open sessions", id, open[id])
		}
	}
	present, refused := l.told()
	t.Logf("%d present, %d gone, %d refusals", present, len(l.gone), refused)
}
