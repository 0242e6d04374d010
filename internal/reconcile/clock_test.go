package reconcile

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Ages are told by the node, times were written down by the clock of before.
func TestNobodyIsTakenForSomebodyElseBecauseTheClockWasSet(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]time.Duration{"ahead": time.Hour, "a little ahead": 30 * time.Second, "back": -time.Hour} {
		running := on(1, "7", media.Publish, 10*time.Minute)
		running.Serial = 7
		listed := lists("7", media.Publish, 10*time.Minute)
		listed.Serial = 7
		m, now := newMemory(), noon.Add(step)
		m.setClock(now)
		if got := m.compare(now, []ledger.Session{running}, whole(listed)); len(got.gone) != 0 || len(got.missed) != 0 {
			t.Errorf("%s: gone %v, missed %+v", name, got.gone, got.missed)
		}
		// A session of the new clock is judged as ever.
		again := on(2, "7", media.Publish, 0)
		again.Serial, again.StartedAt = 7, now
		listed.Uptime = time.Minute
		if got := m.compare(now.Add(time.Hour), []ledger.Session{again}, whole(listed)); len(got.gone) != 1 || len(got.missed) != 1 {
			t.Errorf("%s: gone %v, missed %+v", name, got.gone, got.missed)
		}
	}
}

func TestWhoIsGoneIsGoneThoughTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	if got := newMemory().compare(noon.Add(-time.Hour), []ledger.Session{on(1, "a", media.Publish, 0)}, whole()); len(got.gone) != 1 {
		t.Errorf("gone %v", got.gone)
	}
}

// A door that asked by the old clock is not known to have asked since then.
func TestADoorIsKnownSinceTheClockWasSet(t *testing.T) {
	t.Parallel()
	m := newMemory()
	guest := on(1, "a", media.Publish, time.Minute)
	guest.Credential = access.BySignature
	m.compare(noon, []ledger.Session{guest}, whole())
	now := noon.Add(time.Hour)
	m.setClock(now)
	before := lists("b", media.Publish, 2*time.Minute)
	got := m.compare(now, []ledger.Session{guest}, whole(lists("a", media.Publish, time.Minute), before)).missed
	if len(got) != 1 || got[0].Told {
		t.Errorf("missed %+v", got)
	}
}
