package evict

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/clock"
)

// What was put off by the old clock is not put off for ever by the new one.
func TestAnEvictionUnderWayGoesOnWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]time.Duration{"back": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.publisher(t, edge, "s")
			b.servers[edge].set(func(s *server) { s.down = true })
			b.revokePublishing(t)
			b.turn(t.Context())
			b.runners.Wait()
			b.servers[edge].set(func(s *server) { s.down = false })
			b.clock.advance(step)
			b.settled(t)
			b.wantOpen(t)
			for range 10 {
				b.clock.advance(time.Minute / 2)
				b.turn(t.Context())
			}
			if n := b.count(t, "SELECT count(*) FROM revocations"); n != 0 {
				t.Errorf("%d revocations are not swept", n)
			}
		})
	}
}

// How long a connection has been there cannot be compared with a session that
// was written down before the clock was set.
func TestWhoCameBeforeTheClockWasSetIsCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var elapsed time.Duration
	b.Clock = clock.NewWatch(b.clock.now, func() time.Duration { return elapsed })
	e := b.publisher(t, count, "s")
	b.servers[count].set(func(s *server) {
		c := s.clients[e.ClientID]
		c.Uptime = time.Minute
		s.clients[e.ClientID] = c
	})
	b.clock.advance(time.Minute)
	elapsed += time.Minute
	b.clock.advance(time.Hour)
	b.revokePublishing(t)
	b.settled(t)
	b.wantOpen(t)
	if b.servers[count].has(e) {
		t.Error("it is still there")
	}
}
