package dbtest

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Following is a follower of the feed that can be waited for. Changes themselves
// are nothing to wait for: two of one row may come as one, and none comes where
// all is reloaded instead.
type Following struct {
	pool  *pgxpool.Pool
	told  pg.Follower
	moved chan struct{}

	mu      sync.Mutex
	made    int // marks that are committed
	reached int // the last one whose past the follower knows
	applied []pg.Change
}

// marks is the table that only a Following follows. There is none: what says that
// it has changed is announced without.
const marks = "marks"

// Follow has a follower follow the database until the test ends.
func Follow(t testing.TB, pool *pgxpool.Pool, follower pg.Follower) *Following {
	t.Helper()
	f := &Following{pool: pool, told: follower, moved: make(chan struct{}, 1)}
	feed := pg.NewFeed(pool, Log(t), f)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); <-feed.Done() })
	if err := feed.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return f
}

// CatchUp returns when the follower knows what has been committed until now. No
// two goroutines may wait at once.
func (f *Following) CatchUp(t testing.TB) {
	t.Helper()
	mark := f.mark(t)
	over := time.After(time.Minute)
	for f.last() < mark {
		select {
		case <-f.moved:
		case <-over:
			t.Fatal("the follower did not learn what has been committed")
		}
	}
}

// mark announces that there is nothing more up to here.
func (f *Following) mark(t testing.TB) int {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	const announce = `WITH next AS (UPDATE feed SET number = number + 1 RETURNING number)
		SELECT pg_notify('stagedoor', number || E'\n` + marks + `:' || $1) FROM next`
	if _, err := f.pool.Exec(t.Context(), announce, strconv.Itoa(f.made+1)); err != nil {
		t.Fatal(err)
	}
	f.made++
	return f.made
}

func (f *Following) last() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reached
}

// Applied returns the changes that were not part of a reload, in order.
func (f *Following) Applied() []pg.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.applied)
}

// Tables implements pg.Follower.
func (f *Following) Tables() []string { return append(slices.Clone(f.told.Tables()), marks) }

// Reload implements pg.Follower.
func (f *Following) Reload(ctx context.Context, d pg.DB) error {
	f.mu.Lock()
	before := f.made
	f.mu.Unlock()
	err := f.told.Reload(ctx, d)
	if err == nil {
		f.note(before, nil)
	}
	return err
}

// Apply implements pg.Follower.
func (f *Following) Apply(ctx context.Context, d pg.DB, changes ...pg.Change) error {
	reached := 0
	mine := slices.DeleteFunc(slices.Clone(changes), func(c pg.Change) bool {
		if c.Table == marks {
			reached, _ = strconv.Atoi(c.Key) // it is ours
		}
		return c.Table == marks
	})
	if len(mine) > 0 {
		if err := f.told.Apply(ctx, d, mine...); err != nil {
			return err
		}
	}
	f.note(reached, mine)
	return nil
}

func (f *Following) note(reached int, applied []pg.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached = max(f.reached, reached)
	f.applied = append(f.applied, applied...)
	select {
	case f.moved <- struct{}{}:
	default: // somebody is about to look
	}
}
