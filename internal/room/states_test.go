package room

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// countingDB counts transactions and inserts; while closed, inserts wait.
type countingDB struct {
	pg.DB
	begun, inserted atomic.Int64
	gate            sync.Mutex
}

func (d *countingDB) Begin(ctx context.Context) (pgx.Tx, error) {
	d.begun.Add(1)
	return d.DB.Begin(ctx)
}

func (d *countingDB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	d.inserted.Add(1)
	d.gate.Lock()
	defer d.gate.Unlock()
	return d.DB.Exec(ctx, sql, args...)
}

// inLine returns when so many wait for the next trip.
func inLine[Q, A any](t testing.TB, c *combiner[Q, A], key string, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		c.mu.Lock()
		line := c.lines[key]
		got := -1 // no trip
		if line != nil {
			got = len(*line)
		}
		c.mu.Unlock()
		if got == n {
			return
		}
	}
	t.Fatalf("the line does not get to %d", n)
}

// While somebody holds the room, those who want to move it line up. Each is
// answered as if he had moved it himself in his turn, in two commits for all.
func TestMovesOfOneRoomGoTogetherAndInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	db := &countingDB{DB: b.pool}
	b.DB = db
	type wish struct {
		do     func(context.Context, string, string) (Room, error)
		caller string
		want   Status
		reason string
	}
	wishes := []wish{
		{b.Start, "alice", On, ""}, {b.Start, "alice", On, ""}, {b.Pause, "alice", Prepare, ""}, {b.Pause, "alice", Prepare, ""},
		{b.Stop, "bob", 0, "not_owner"}, {b.Start, "alice", On, ""}, {b.Stop, "alice", Off, ""}, {b.Start, "alice", 0, "room_ended"},
		{b.Pause, "alice", 0, "room_ended"}, {b.Start, "bob", 0, "not_owner"}, {b.Stop, "alice", Off, ""},
	}
	got, errors := make([]Room, len(wishes)), make([]error, len(wishes))
	var all sync.WaitGroup
	b.tx(t, func(tx pgx.Tx) error {
		if _, _, err := b.Lock(t.Context(), tx, r.own()); err != nil {
			return err
		}
		for i, w := range wishes {
			b.clock.advance(time.Second)
			all.Go(func() { got[i], errors[i] = w.do(t.Context(), w.caller, r.ID) })
			inLine(t, b.moves, r.ID, i) // the first one is on his way
		}
		return nil
	})
	all.Wait()
	for i, w := range wishes {
		switch {
		case w.reason != "":
			if errs.As(errors[i]).Reason != w.reason {
				t.Errorf("%d: error %v, want %s", i, errors[i], w.reason)
			}
		case errors[i] != nil || got[i].Status != w.want || got[i].UpdatedAt.After(start.Add(time.Duration(i+1)*time.Second)):
			t.Errorf("%d: %+v, %v, want %d", i, got[i], errors[i], w.want)
		}
	}
	end := b.get(t, r.ID)
	if end.Status != Off || !end.StartedAt.Equal(start.Add(time.Second)) || !end.StoppedAt.Equal(start.Add(7*time.Second)) || !end.UpdatedAt.Equal(*end.StoppedAt) {
		t.Errorf("in the end %+v", end)
	}
	if n := db.begun.Load(); n != 2 {
		t.Errorf("%d transactions", n)
	}
	if !slices.Equal(b.signer.closed, []string{r.ID, r.ID}) {
		t.Errorf("closed %v", b.signer.closed)
	}
}

// Two processes and the ledger move one room. Whoever stops it is the last.
func TestAHotRoomOfSeveralProcessesStaysTrue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	other := setupOn(t, b.pool)
	var all sync.WaitGroup
	for i := range 32 {
		s := b.Service
		if i%2 == 0 {
			s = other.Service
		}
		all.Go(func() {
			for n := range 10 {
				do, want := s.Start, On
				if n%2 == 1 {
					do, want = s.Pause, Prepare
				}
				got, err := do(t.Context(), "alice", r.ID)
				if err != nil || got.Status != want {
					t.Errorf("%d, %v", got.Status, err)
				}
			}
		})
	}
	all.Go(func() {
		for range 10 {
			b.published(t, r.own())
			b.unpublished(t, r.own())
		}
	})
	all.Wait()
	if _, err := other.Stop(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Start(t.Context(), "alice", r.ID); errs.As(err).Reason != "room_ended" {
		t.Errorf("started after its end: %v", err)
	}
}

func TestRoomsCreatedAtTheSameTimeShareACommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	there := b.create(t)
	db := &countingDB{DB: b.pool}
	b.DB, b.Groups = db, im.Families{}
	b.Groups.New = &chooser{taken: there.ID}
	var all sync.WaitGroup
	create := func(title string) {
		all.Go(func() {
			r, err := b.Create(t.Context(), "alice", Input{Title: title, Anchor: "alice"})
			if title == "taken" {
				wantErr(t, err, errs.Conflict, "conflict")
				return
			}
			if err != nil || r.Title != title || b.get(t, r.ID).Title != title {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	db.gate.Lock()
	create("first")
	inLine(t, b.created, "", 0)
	for i, title := range []string{"second", "third", "fourth"} {
		create(title)
		inLine(t, b.created, "", i+1)
	}
	db.gate.Unlock()
	all.Wait()
	if n := db.inserted.Load(); n != 2 {
		t.Errorf("%d commits for four rooms", n)
	}
	db.gate.Lock() // and one of them that cannot be stored
	create("first")
	inLine(t, b.created, "", 0)
	for i, title := range []string{"second", "taken", "fourth"} {
		create(title)
		inLine(t, b.created, "", i+1)
	}
	db.gate.Unlock()
	all.Wait()
}

// chooser gives one room the id of another.
type chooser struct {
	im.New
	taken string
	n     atomic.Int64
}

func (c *chooser) CreateGroup(_ context.Context, _, id string) (string, error) {
	if c.n.Add(1) == 7 {
		return c.taken, nil
	}
	return id, nil
}
