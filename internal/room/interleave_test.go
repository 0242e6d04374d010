package room

import (
	"context"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Whatever happens at once: who was told that the room has stopped was told
// the truth for good, and nobody else hears that it has ended before.
func TestStopWinsOverEverythingThatHappensAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	var wg sync.WaitGroup
	run := func(do func() (Room, error), want Status) {
		wg.Go(func() {
			for range 10 {
				got, err := do()
				if err != nil {
					wantErr(t, err, errs.Conflict, "room_ended")
				} else if got.Status != want {
					t.Errorf("answered with %d, want %d", got.Status, want)
				}
			}
		})
	}
	for range 2 {
		run(func() (Room, error) { return b.Start(t.Context(), "alice", r.ID) }, On)
		run(func() (Room, error) { return b.Pause(t.Context(), "alice", r.ID) }, Prepare)
		wg.Go(func() {
			for range 10 {
				b.published(t, r.own())
				b.unpublished(t, r.own())
			}
		})
	}
	wg.Go(func() {
		got, err := b.Stop(t.Context(), "alice", r.ID)
		if err != nil || got.Status != Off {
			t.Errorf("stop: %+v, error %v", got, err)
		}
	})
	wg.Wait()
	if got := b.get(t, r.ID); got.Status != Off || got.StoppedAt == nil {
		t.Errorf("in the end: %+v", got)
	}
}

// Two who move a room back and forth must never hear that it has ended.
func TestStartAndPauseAtOnceBothSucceed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	var wg sync.WaitGroup
	for range 4 {
		for want, do := range map[Status]func(context.Context, string, string) (Room, error){On: b.Start, Prepare: b.Pause} {
			wg.Go(func() {
				for range 20 {
					if got, err := do(t.Context(), "alice", r.ID); err != nil || got.Status != want {
						t.Errorf("to %d: %d, error %v", want, got.Status, err)
					}
				}
			})
		}
	}
	wg.Wait()
}

// awaitLock returns when n statements of this database wait for a lock.
func (b *bundle) awaitLock(t testing.TB, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		var waiting int
		err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting >= n {
			return
		}
	}
	t.Fatal("nothing waits for a lock")
}

func TestStopWaitsForAPublishUnderWayAndThenEndsTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	stopped := make(chan Room, 1)
	b.tx(t, func(tx pgx.Tx) error {
		id, ended, err := b.Lock(t.Context(), tx, r.own())
		if err != nil || id != r.ID || ended {
			t.Errorf("locked %q, ended %v, error %v", id, ended, err)
		}
		go func() {
			got, err := b.Stop(t.Context(), "alice", r.ID)
			if err != nil {
				t.Error(err)
			}
			stopped <- got
		}()
		b.awaitLock(t, 1)
		return b.WentLive(t.Context(), tx, id, start.Add(time.Minute))
	})
	if got := <-stopped; got.Status != Off || got.StartedAt == nil || !got.StartedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("stopped %+v", got)
	}
	if !b.published(t, r.own()) {
		t.Error("it takes a publisher again")
	}
}

func TestPublishWaitsForAStopUnderWayAndIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.inState(t, On)
	ended := make(chan bool, 1)
	b.tx(t, func(tx pgx.Tx) error {
		within := New(b.Config)
		within.DB = tx
		if _, err := within.Stop(t.Context(), "alice", r.ID); err != nil {
			return err
		}
		go func() { ended <- b.published(t, r.own()) }()
		b.awaitLock(t, 1)
		return nil
	})
	if !<-ended {
		t.Error("the publisher was let in")
	}
	if got := b.get(t, r.ID); got.Status != Off {
		t.Errorf("status %d", got.Status)
	}
}

func TestPublishersOfOneRoomComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	second := make(chan bool, 1)
	b.tx(t, func(tx pgx.Tx) error {
		id, _, err := b.Lock(t.Context(), tx, r.own())
		if err != nil {
			return err
		}
		if err := b.WentLive(t.Context(), tx, id, start); err != nil {
			return err
		}
		go func() { second <- b.published(t, r.own()) }()
		b.awaitLock(t, 1)
		return b.LeftAir(t.Context(), tx, id, start)
	})
	if <-second {
		t.Error("told that the room has ended")
	}
	if got := b.get(t, r.ID); got.Status != On {
		t.Errorf("status %d after the second publisher came", got.Status)
	}
}

func TestAbandonedTransactionLeavesTheRoomAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := b.Lock(t.Context(), tx, r.own())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WentLive(t.Context(), tx, id, start); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.get(t, r.ID); !reflect.DeepEqual(got, r) {
		t.Errorf("changed to %+v", got)
	}
}
