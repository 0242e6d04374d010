package ledger

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// steps are what a clock does when somebody sets it.
var steps = map[string]time.Duration{
	"back two seconds": -2 * time.Second, "back an hour": -time.Hour, "back over midnight": -13 * time.Hour, "back a year": -365 * 24 * time.Hour,
	"ahead an hour": time.Hour, "ahead over midnight": 13 * time.Hour, "ahead a year": 365 * 24 * time.Hour,
}

func TestSessionsEndWhateverTheClockDoesMeanwhile(t *testing.T) {
	t.Parallel()
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r, other := b.room(t, room.ModePlain), b.room(t, room.ModePlain)
			publisher, stopping, closing, stays := onSRS(stream(r.ID)), onSRS(stream(r.ID)), onSRS(stream(r.ID)), onNginx(stream(other.ID))
			b.allow(t, publisher.publish(), stopping.play(), closing.play(), stays.publish())

			b.clock.advance(step)
			b.allow(t, publisher.publish(), stays.publish()) // repetitions
			b.wantOpen(t, publisher, stopping, closing, stays)
			b.refuse(t, onSRS(stream(r.ID)).publish(), media.AlreadyPublishing)
			b.allow(t, stopping.leave(), closing.close(), publisher.unpublish())
			b.wantOpen(t, stays)
			b.wantStatus(t, r.ID, room.Prepare)
			b.wantStatus(t, other.ID, room.On)

			for _, s := range b.sessions(t) {
				if s.EndedAt != nil && s.EndedAt.Before(s.StartedAt) {
					t.Errorf("%s ended before it began", s.ClientID)
				}
			}

			again, player := onSRS(stream(r.ID)), onSRS(stream(r.ID))
			b.allow(t, again.publish(), player.play())
			b.wantStatus(t, r.ID, room.On)
			b.clock.advance(-step) // it is set right again
			b.wantOpen(t, stays, again, player)
			b.allow(t, again.close(), player.close(), stays.unpublish())
			b.wantOpen(t)
			b.wantStatus(t, r.ID, room.Prepare)
			b.wantStatus(t, other.ID, room.Prepare)
		})
	}
}

// What was refused by silence, and what could not be written in time, is put
// right though the clock was set since.
func TestWhatIsPutRightLaterDoesNotDependOnTheClock(t *testing.T) {
	t.Parallel()
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c, gone, stays := onSRS(stream("s")), onSRS(stream("s")), onSRS(stream("t"))
			b.allow(t, c.play(), gone.play(), stays.play()) // what is admitted last might still be forgiven
			ended := b.clock.Now()
			started := b.open(t)[1].StartedAt
			b.clock.advance(step)
			b.putAside(lateOp(c.leave(), ended))
			b.putAside(undoOp(gone.play(), started))
			late := onSRS(stream("t"))
			b.allow(t, late.play())
			eventually(t, "nothing is left to do", b.aftermath.empty)
			b.wantOpen(t, stays, late)
		})
	}
}
