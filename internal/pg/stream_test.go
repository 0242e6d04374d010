package pg_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestStreamHandsOverEveryRowAndStopsAtAnError(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO bans (domain, app, stream, created_at, until)
		SELECT 'd', 'live', 's' || i, now(), now() FROM generate_series(1, 1000) i`); err != nil {
		t.Fatal(err)
	}
	q, seen := db.New(), 0
	var id int64
	var stream pg.Raw
	ids := func(d db.DBTX) error {
		_, err := q.BansByIDs(t.Context(), d, []int64{1, 2, 3})
		return err
	}
	columns := []any{&id, nil, nil, nil, &stream, nil, nil}
	err := pg.Stream(t.Context(), pool, ids, columns, func() error {
		seen++
		if string(stream) != fmt.Sprint("s", id) {
			t.Errorf("ban %d is of %q", id, stream)
		}
		return nil
	})
	if err != nil || seen != 3 {
		t.Errorf("%d rows, %v", seen, err)
	}
	stop := errors.New("enough")
	if err := pg.Stream(t.Context(), pool, ids, columns, func() error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pg.Stream(gone, pool, ids, columns, func() error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	noQuery := func(d db.DBTX) error { return q.RevocationDelete(t.Context(), d, 1) }
	if err := pg.Stream(t.Context(), pool, noQuery, nil, nil); err == nil {
		t.Error("a statement without rows was streamed")
	}
}
