package e2e

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// The process dies within batches, some of which are committed and some are
// not, while nobody knows which. What is asked again comes to the same.
func TestKilledWithinBatches(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t)})
	c := newCrowd(t, s, s.logIn(t), true)
	for round := range 3 {
		c.rush(t, round)
		s.kill(t)
		say(t, "killed: %d are on record that were not answered", c.unheard(s.record(t)))
		c.hears(t, silence)
		s.start(t)
		c.hears(t, yes)
	}
	c.recovers(t)
}
