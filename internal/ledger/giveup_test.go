package ledger

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

func TestWhoGivesUpBeforeTheCommitIsNotWritten(t *testing.T) {
	t.Parallel()
	b, spy, g := heldAtBegin(t)
	c := onSRS(stream("s"))
	spy.exec = func(sql string, args []any) error {
		if holds(args, c.id) {
			t.Errorf("written: %s", sql)
		}
		return nil
	}
	held := b.ask(t.Context(), onSRS(stream("held")).play())
	<-g.reached
	ctx, cancel := context.WithCancel(t.Context())
	impatient := b.ask(ctx, c.publish())
	b.wantQueued(t, 1)
	cancel()
	if got := <-impatient; errs.KindOf(got.err) != errs.Unavailable || got.Allow {
		t.Errorf("got %+v", got)
	}
	g.open()
	<-held
	b.allow(t, onSRS(stream("t")).play())
	if n := b.count(t, "SELECT count(*) FROM sessions WHERE stream = 's'"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// heldAtCommit is a ledger whose next commit waits at a gate.
func heldAtCommit(t *testing.T, options ...option) (*bench, *gate) {
	g := newGate()
	spy := &spyDB{commit: func(context.Context, pgx.Tx) (bool, error) { g.pass(); return false, nil }}
	b := setup(t, append(options, spy.on())...)
	t.Cleanup(g.open) // before the ledger is stopped
	return b, g
}

func TestWhoGivesUpDuringTheCommitHasNoSessionAfterwards(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, g := heldAtCommit(t)
			r := b.room(t, room.ModePlain)
			ctx, cancel := context.WithCancel(t.Context())
			impatient := b.ask(ctx, start(onSRS(stream(r.ID))))
			<-g.reached
			cancel()
			if got := <-impatient; errs.KindOf(got.err) != errs.Unavailable {
				t.Errorf("got %+v", got)
			}
			g.open()
			b.allow(t, onSRS(stream("next")).play()) // whose commit comes after that one
			eventually(t, "the session is taken back", func() bool { return len(b.sessions(t)) == 1 && b.aftermath.empty() })
			b.wantStatus(t, r.ID, room.Prepare)
			b.allow(t, onSRS(stream(r.ID)).publish())
		})
	}
}

// A proxy that gives up and asks again must not lose the second answer.
func TestWhoGivesUpAndAsksAgainKeepsTheSession(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, place := range []string{"in the same commit", "in the next commit"} {
				t.Run(place, func(t *testing.T) {
					t.Parallel()
					begin, commit := newGate(), newGate()
					spy := &spyDB{begin: func() error { begin.pass(); return nil }}
					spy.commit = func(context.Context, pgx.Tx) (bool, error) {
						if spy.committed.Load() == 1 { // the second one
							commit.pass()
						}
						return false, nil
					}
					b := setup(t, spy.on())
					t.Cleanup(func() { begin.open(); commit.open() })
					r := b.room(t, room.ModePlain)
					c := onSRS(stream(r.ID))
					ctx, cancel := context.WithCancel(t.Context())
					b.ask(t.Context(), onSRS(stream("held")).play())
					<-begin.reached
					first := b.ask(ctx, start(c))
					b.wantQueued(t, 1)
					var second <-chan answer
					if place == "in the same commit" {
						second = b.ask(t.Context(), start(c))
						b.wantQueued(t, 2)
					}
					begin.open()
					<-commit.reached
					cancel()
					if got := <-first; errs.KindOf(got.err) != errs.Unavailable {
						t.Fatalf("got %+v", got)
					}
					if second == nil {
						second = b.ask(t.Context(), start(c))
						b.wantQueued(t, 1)
					}
					commit.open()
					if got := <-second; got.err != nil || !got.Allow {
						t.Fatalf("got %+v", got)
					}
					b.allow(t, onSRS(stream("s")).play())
					eventually(t, "nothing is left to do", b.aftermath.empty)
					if n := b.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND client_id = $1", c.id); n != 1 {
						t.Errorf("%d open sessions", n)
					}
				})
			}
		})
	}
}

func TestARepetitionThatGivesUpDoesNotTakeTheSessionAlong(t *testing.T) {
	t.Parallel()
	var hold atomic.Bool
	g := newGate()
	spy := &spyDB{commit: func(context.Context, pgx.Tx) (bool, error) {
		if hold.Load() {
			g.pass()
		}
		return false, nil
	}}
	b := setup(t, spy.on())
	t.Cleanup(g.open)
	c := onSRS(stream("s"))
	b.allow(t, c.publish())
	hold.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	again := b.ask(ctx, c.publish())
	<-g.reached
	cancel()
	<-again
	hold.Store(false)
	g.open()
	b.allow(t, onSRS(stream("t")).play())
	eventually(t, "nothing is left to do", b.aftermath.empty)
	if n := b.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL AND client_id = $1", c.id); n != 1 {
		t.Errorf("%d open sessions", n)
	}
}
