package ledger

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

var errLost = errors.Join(io.ErrUnexpectedEOF, errors.New("connection lost"))

// losing makes n commits happen whose answers are lost.
func losing(n int) *spyDB {
	spy := &spyDB{}
	var left atomic.Int64
	left.Store(int64(n))
	spy.commit = func(ctx context.Context, tx pgx.Tx) (bool, error) {
		if left.Add(-1) < 0 {
			return false, nil
		}
		if err := tx.Commit(ctx); err != nil {
			return true, err
		}
		return true, errLost
	}
	return spy
}

func TestACommitWhoseAnswerIsLostIsWrittenAgainAndComesToTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c, d := onSRS(stream(r.ID)), onNginx(stream(r.ID))
	tomb, over := onSRS(stream("tomb")), onNginx(stream("over"))
	for _, e := range []media.Event{
		c.publish(), d.play(), c.recorded("/a.flv", ""), d.leave(), c.unpublish(), c.close(), // in order
		tomb.unpublish(), tomb.publish(), over.leave(), over.play(), // and not
		onSRS(stream("x")).close(),
	} {
		lossy := setupOn(t, b.pool, losing(2).on(), b.sameClock)
		lossy.allow(t, e)
		lossy.shutdown()
	}
	b.wantOpen(t)
	b.wantStatus(t, r.ID, room.Prepare)
	if s, rec := len(b.sessions(t)), len(b.recordings(t)); s != 4 || rec != 1 {
		t.Errorf("%d sessions and %d recordings, want 4 and 1", s, rec)
	}
	if n := b.count(t, "SELECT count(*) FROM early_ends"); n != 1 {
		t.Errorf("%d ends without a start, want 1", n)
	}
}

// Another process may see the client go before we know that it came.
func TestASessionThatEndedBeforeItsCommitWasWrittenAgainStaysEnded(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate()
			spy := losing(1)
			spy.begin = func() error {
				if spy.begun.Load() == 2 {
					g.pass()
				}
				return nil
			}
			b := setup(t, spy.on())
			t.Cleanup(g.open)
			elsewhere := setupOn(t, b.pool, b.sameClock)
			c := onSRS(stream("s"))
			told := b.ask(t.Context(), start(c))
			<-g.reached
			elsewhere.allow(t, c.close())
			g.open()
			if got := <-told; got.err != nil || !got.Allow {
				t.Errorf("got %+v", got)
			}
			b.wantOpen(t)
			if n := len(b.sessions(t)); n != 1 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// giveUpSecondAttempt has somebody start the stream of a room and go away while it is
// written for the second time.
func (b *bench) giveUpSecondAttempt(t *testing.T, spy *spyDB, start func(client) media.Event) room.Room {
	t.Helper()
	r := b.room(t, room.ModePlain)
	ctx, giveUp := context.WithCancel(t.Context())
	told := b.ask(ctx, start(onSRS(stream(r.ID))))
	eventually(t, "it is written again", func() bool { return spy.begun.Load() > 1 })
	giveUp()
	if got := <-told; errs.KindOf(got.err) != errs.Unavailable {
		t.Errorf("got %+v", got)
	}
	return r
}

func TestARefusedStartThatWasCommittedAllTheSameIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy := losing(1)
			var away atomic.Bool
			away.Store(true)
			spy.begin = func() error {
				if spy.begun.Load() > 1 && away.Load() {
					return errLost
				}
				return nil
			}
			b := setup(t, spy.on())
			r := b.giveUpSecondAttempt(t, spy, start)
			if n := len(b.open(t)); n != 1 {
				t.Errorf("%d open sessions: this test tests nothing", n)
			}
			away.Store(false)
			eventually(t, "the session is taken back", func() bool { return len(b.sessions(t)) == 0 })
			eventually(t, "nothing is left to do", b.aftermath.empty)
			b.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

// A server that hung with a COMMIT in its inbox may carry it out at any later
// time, even after we have looked for what to take back.
func TestARefusedStartThatIsCommittedLaterIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy := &spyDB{}
			frozen := make(chan pgx.Tx, 1)
			spy.commit = func(ctx context.Context, tx pgx.Tx) (bool, error) {
				if spy.begun.Load() > 1 {
					return false, nil
				}
				frozen <- tx
				<-ctx.Done()
				return true, ctx.Err()
			}
			b := setup(t, spy.on(), withTimeout(12*time.Second))
			r := b.giveUpSecondAttempt(t, spy, start)
			attempts := spy.begun.Load()
			eventually(t, "it tries to take the session back", func() bool { return spy.begun.Load() > attempts+1 })
			b.allow(t, onSRS(stream("s")).play(), onSRS(stream("t")).publish()) // and holds up nobody
			if err := (<-frozen).Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the session is taken back", func() bool { return b.aftermath.empty() && len(b.sessions(t)) == 2 })
			b.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

func TestAStartThatIsAdmittedTheSecondTimeIsNotTakenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c := onSRS(stream(r.ID))
	b.allow(t, c.publish())
	b.aftermath.mu.Lock()
	b.aftermath.next = time.Now().Add(time.Hour)
	b.aftermath.mu.Unlock()
	b.putAside(undoOp(c.publish(), b.open(t)[0].StartedAt))
	b.putAside(undoOp(c.play(), b.clock.Now()))
	b.allow(t, c.play(), c.publish())
	eventually(t, "nothing is to be taken back any more", b.aftermath.empty)
	b.wantStatus(t, r.ID, room.On)
}
