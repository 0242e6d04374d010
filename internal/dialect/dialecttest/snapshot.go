package dialecttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Snapshot returns every row of every table as text, one line each. Two equal
// snapshots mean that nothing was written in between. Refusals are left out: they
// are noted later than they happen.
func Snapshot(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	names, err := rows(t, pool, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'refusals%' ORDER BY 1`)
	if err != nil {
		t.Fatalf("list tables: %v", err)
	}
	var b strings.Builder
	for _, name := range names {
		table := pgx.Identifier{name}.Sanitize()
		lines, err := rows(t, pool, `SELECT t::text FROM `+table+` t ORDER BY 1`)
		if err != nil {
			t.Fatalf("read table %s: %v", name, err)
		}
		for _, line := range lines {
			b.WriteString(name + " " + line + "\n")
		}
	}
	return b.String()
}

func rows(t *testing.T, pool *pgxpool.Pool, sql string) ([]string, error) {
	result, err := pool.Query(t.Context(), sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(result, pgx.RowTo[string])
}

// Difference shows the lines that only one of two snapshots has.
func Difference(before, after string) string {
	var b strings.Builder
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, l := range old {
		if !slices.Contains(now, l) {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	for _, l := range now {
		if !slices.Contains(old, l) {
			fmt.Fprintf(&b, "+ %s\n", l)
		}
	}
	return b.String()
}
