package ledger

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// troubles are those of the server itself: internal errors, broken data, broken
// indexes, no room on the disk, no memory, a disk that cannot be read.
var troubles = []string{"XX000", "XX001", "XX002", "53100", "53200", "58030"}

// failing is a spy on a database that fails the next n statements or commits of
// one client, once it is armed.
func failing(code string, atCommit bool) (spy *spyDB, arm func(n int64)) {
	var left atomic.Int64
	fail := func() error {
		if left.Add(-1) < 0 {
			return nil
		}
		return &pgconn.PgError{Code: code, Message: "trouble of the server"}
	}
	spy = &spyDB{}
	if atCommit {
		spy.commit = func(context.Context, pgx.Tx) (bool, error) { return false, fail() }
	} else {
		spy.exec = func(string, []any) error { return fail() }
	}
	return spy, left.Store
}

func TestAnEndIsWrittenWhateverTroubleTheServerHasMeanwhile(t *testing.T) {
	t.Parallel()
	for _, code := range troubles {
		for place, atCommit := range map[string]bool{"in a statement": false, "in the commit": true} {
			t.Run(code+" "+place, func(t *testing.T) {
				t.Parallel()
				spy, arm := failing(code, atCommit)
				b := setup(t, spy.on())
				r := b.room(t, room.ModePlain)
				c := onSRS(stream(r.ID))
				b.allow(t, c.publish())
				arm(4) // the end's own attempt and some of those afterwards
				if _, err := b.Handle(t.Context(), c.unpublish()); err != nil && errs.KindOf(err) != errs.Unavailable {
					t.Errorf("got %v", err)
				}
				eventually(t, "the end is written", func() bool { return len(b.open(t)) == 0 && b.aftermath.empty() })
				b.wantStatus(t, r.ID, room.Prepare)
			})
		}
	}
}

func TestAStartIsRefusedHonestlyWhenTheServerHasInternalTrouble(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy, arm := failing("XX000", true)
			b := setup(t, spy.on())
			arm(1)
			v, err := b.Handle(t.Context(), start(onSRS(stream("s"))))
			if errs.KindOf(err) != errs.Unavailable || v.Allow || v.Reason != media.TemporarilyUnavailable {
				t.Errorf("got %+v, %v", v, err)
			}
			eventually(t, "nothing is left to do", b.aftermath.empty)
			b.wantOpen(t)
			b.allow(t, start(onSRS(stream("s"))))
		})
	}
}

// A broken page concerns some clients only. The others go on.
func TestInternalTroubleWithOneClientHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	var mended atomic.Bool
	spy := &spyDB{exec: func(_ string, args []any) error {
		if !mended.Load() && holds(args, "poison") {
			return &pgconn.PgError{Code: "XX001", Message: "invalid page in block"}
		}
		return nil
	}}
	b := setup(t, spy.on())
	sick, players := onSRS(stream("s")).called("poison"), []client{}
	mended.Store(true)
	b.allow(t, sick.play())
	for range 20 {
		c := onSRS(stream("s"))
		players = append(players, c)
		b.allow(t, c.play())
	}
	mended.Store(false)
	if _, err := b.Handle(t.Context(), sick.leave()); errs.KindOf(err) != errs.Unavailable {
		t.Errorf("got %v", err)
	}
	for _, c := range players {
		b.putAside(lateOp(c.leave(), b.clock.Now()))
	}
	b.allow(t, onSRS(stream("t")).play())
	eventually(t, "the others are written", func() bool { return len(b.open(t)) == 2 })
	mended.Store(true)
	eventually(t, "the last one is written, too", func() bool { return len(b.open(t)) == 1 })
}
