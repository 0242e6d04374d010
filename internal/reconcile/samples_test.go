package reconcile_test

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestAVisitKeepsSamples(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s := b.srsNode(t, "edge1")
	a, p := s.event(media.Publishing, "c1", "a"), s.event(media.Playing, "c2", "a")
	b.allow(t, a, p)
	s.lists(time.Minute, a, p)
	b.once(t, s)
	b.clock.advance(10 * time.Second)
	b.once(t, s)
	points, _, err := b.ledger.Samples(t.Context(), a.Stream, time.Time{}, b.clock.Now().Add(time.Second))
	if err != nil || len(points) == 0 || points[len(points)-1].Viewers != 1 || points[len(points)-1].Kbps != 0 {
		t.Errorf("%+v, %v", points, err)
	}
}
