package mediamtx

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// The bounds of what is remembered between a question and the report that its
// client reads: a source on demand takes ten seconds to come.
const (
	admittedKept = 8192
	admittedFor  = time.Minute
)

type admittedKey struct{ node, client string }

type admission struct {
	event media.Event
	until time.Time
}

// admitted remembers which players were let in.
type admitted struct {
	now func() time.Time

	mu   sync.Mutex
	kept *simplelru.LRU[admittedKey, admission]
}

func newAdmitted(now func() time.Time) *admitted {
	kept, err := simplelru.NewLRU[admittedKey, admission](admittedKept, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &admitted{now: now, kept: kept}
}

func (a *admitted) put(ev media.Event) {
	if !ev.Tentative { // on record: only that is worth knowing
		ev.Username, ev.Password, ev.Bearer, ev.Query = "", "", "", ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Add(admittedKey{ev.Node, ev.ClientID}, admission{ev, a.now().Add(admittedFor)})
}

// get returns what was asked for the client that now reads, and whether that is
// on record already.
func (a *admitted) get(ev media.Event) (asked media.Event, recorded, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept, ok := a.kept.Get(admittedKey{ev.Node, ev.ClientID})
	if !ok || kept.event.Stream != ev.Stream || a.now().After(kept.until) {
		return media.Event{}, false, false
	}
	return kept.event, !kept.event.Tentative, true
}

func (a *admitted) drop(ev media.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Remove(admittedKey{ev.Node, ev.ClientID})
}
