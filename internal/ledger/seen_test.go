package ledger

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// flush writes sightings down and returns the sessions.
func (b *bench) flush(t *testing.T) {
	t.Helper()
	b.clock.advance(justEnded)
	if err := b.FlushSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestUpdatesShowThatASessionRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	publisher, player, quiet := onNginx(stream("s")), onNginx(stream("s")), onNginx(stream("s"))
	b.allow(t, publisher.publish(), player.play(), quiet.play())
	b.clock.advance(time.Minute)
	b.allow(t, publisher.update(media.Publish, ""), player.update(media.Play, ""))
	b.flush(t)
	for _, s := range b.sessions(t) {
		if seen := s.SeenAt != nil && s.SeenAt.Sub(s.StartedAt) >= time.Minute; seen != (s.ClientID != quiet.id) {
			t.Errorf("client %s was seen at %v", s.ClientID, s.SeenAt)
		}
	}
	b.wantOpen(t, publisher, player, quiet)
}

// After a reload of nginx the list is that of a worker which never had them.
func TestAnUpdateOpensASessionAgainThatAListDidNotHave(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{GoneFromNode, ServerRestarted} {
		b := setup(t)
		publisher, player := onNginx(stream("s")), onNginx(stream("s"))
		b.allow(t, publisher.publish(), player.play())
		var ids []int64
		for _, s := range b.sessions(t) {
			ids = append(ids, s.ID)
		}
		if err := b.EndGone(t.Context(), ids, reason); err != nil {
			t.Fatal(err)
		}
		b.wantOpen(t)
		b.allow(t, publisher.update(media.Publish, ""), player.update(media.Play, ""))
		b.flush(t)
		b.wantOpen(t, publisher, player)
	}
}

func TestAnUpdateOpensNothingThatItsServerEndedOrNeverBegan(t *testing.T) {
	t.Parallel()
	b := setup(t)
	over, early := onNginx(stream("s")), onNginx(stream("t"))
	b.allow(t, over.publish(), over.unpublish(), over.update(media.Publish, ""), early.update(media.Play, ""))
	b.flush(t)
	b.wantOpen(t)
}

func TestSightingsAreBounded(t *testing.T) {
	t.Parallel()
	var s sightings
	for range maxSightings + 10 {
		s.note(onNginx(stream("s")).update(media.Play, ""), time.Now())
	}
	s.note(media.Event{On: media.Play}, time.Now())
	if n := len(s.take()); n != maxSightings {
		t.Errorf("%d are kept", n)
	}
	if n := len(s.take()); n != 0 {
		t.Errorf("%d are still there", n)
	}
}
