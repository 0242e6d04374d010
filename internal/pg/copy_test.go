package pg_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestRowsArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE kept (a bytea, b text, c bigint, d timestamptz)"); err != nil {
		t.Fatal(err)
	}
	type row struct {
		A []byte
		B string
		C int64
		D time.Time
	}
	want := []row{
		{[]byte{0, 255}, "näh", -1, time.Date(1969, 12, 31, 23, 59, 59, 1000, time.UTC)},
		{[]byte{}, "", 1 << 62, time.Date(2026, 5, 1, 12, 0, 0, 999_999_000, time.UTC)},
	}
	to := &pg.Copier{Pool: pool}
	for range 2 { // it can be used again
		n, err := to.CopyFrom(t.Context(), pgx.Identifier{"kept"}, []string{"a", "b", "c", "d"}, pgx.CopyFromSlice(len(want), func(i int) ([]any, error) {
			return []any{want[i].A, want[i].B, want[i].C, want[i].D.Add(900)}, nil // which is less than is kept
		}))
		if err != nil || n != int64(len(want)) {
			t.Fatal(n, err)
		}
	}
	kept, err := pool.Query(t.Context(), "SELECT * FROM kept ORDER BY c")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(kept, pgx.RowToStructByPos[row])
	same := func(a, b row) bool { return bytes.Equal(a.A, b.A) && a.B == b.B && a.C == b.C && a.D.Equal(b.D) }
	if want := []row{want[0], want[0], want[1], want[1]}; err != nil || !slices.EqualFunc(got, want, same) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestRowsThatATableRefusesLeaveAConnectionThatCanBeUsed(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	for what, row := range map[string][]any{"the rest is missing": {"alice"}, "no such type": {1.5}} {
		to := &pg.Copier{Pool: pool}
		if _, err := to.CopyFrom(t.Context(), pgx.Identifier{"accounts"}, []string{"username"}, pgx.CopyFromRows([][]any{row})); err == nil {
			t.Fatal("written:", what)
		}
	}
	if err := pool.Ping(t.Context()); err != nil || pool.Stat().TotalConns() != 1 {
		t.Errorf("%v, %d connections", err, pool.Stat().TotalConns())
	}
}
