package ledger

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// lock holds the row of a room, as a process that died in a transaction does.
func (b *bench) lock(t *testing.T, id string) (release func()) {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM rooms WHERE id = $1 FOR UPDATE", id); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if err := tx.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return release
}

func TestALockOnOneRoomHoldsUpThatRoomOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(20*time.Second))
	r := b.room(t, room.ModePlain)
	release := b.lock(t, r.ID)
	held := b.ask(t.Context(), onSRS(stream(r.ID)).publish())
	var told []<-chan answer
	for range 100 {
		told = append(told, b.ask(t.Context(), onSRS(stream("s")).play()))
	}
	for _, a := range told {
		if got := <-a; got.err != nil || !got.Allow {
			t.Errorf("got %+v", got)
		}
	}
	select {
	case got := <-held:
		t.Fatalf("the held one got %+v", got)
	default:
	}
	release()
	if got := <-held; got.err != nil || !got.Allow {
		t.Errorf("the held one got %+v", got)
	}
	b.wantStatus(t, r.ID, room.On)
}

func TestALockThatOutlastsAnEventRefusesItsStartAndKeepsItsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(4*time.Second))
	r, other := b.room(t, room.ModePlain), b.room(t, room.ModePlain)
	c := onSRS(stream(r.ID))
	b.insist(t, c.publish())
	releases := []func(){b.lock(t, r.ID), b.lock(t, other.ID)}
	end, start := b.ask(t.Context(), c.unpublish()), b.ask(t.Context(), onSRS(stream(other.ID)).publish())
	for _, a := range []<-chan answer{end, start} {
		if got := <-a; errs.KindOf(got.err) != errs.Unavailable || got.Allow {
			t.Errorf("got %+v", got)
		}
	}
	for _, release := range releases {
		release()
	}
	eventually(t, "the end is written", func() bool { return len(b.open(t)) == 0 })
	b.wantStatus(t, r.ID, room.Prepare)
	b.wantStatus(t, other.ID, room.Prepare)
}

func TestAProcessThatDiedInATransactionHoldsUpItsStreamOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(20*time.Second))
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := onSRS(stream("s"))
	o := about(c.publish(), access.Decision{}, b.clock.Now())
	if _, err := b.q.SessionOpenPublish(t.Context(), tx, opening(o)); err != nil {
		t.Fatal(err)
	}
	held := b.ask(t.Context(), onSRS(stream("s")).publish())
	b.allow(t, onSRS(stream("t")).publish(), onSRS(stream("t")).play())
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-held; got.err != nil || got.Reason != media.AlreadyPublishing {
		t.Errorf("got %+v", got)
	}
}
