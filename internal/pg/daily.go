package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Daily keeps a table that is partitioned by range of a timestamptz column in
// partitions of one UTC day each, named <table>_pYYYYMMDD, so that old rows go by
// dropping a partition. Rows of days that have none (the clock jumped, nobody
// maintained the table) are in the default partition, which the table's migration
// makes and names <table>_default; where there is none they are refused.
type Daily struct {
	Table string
	// Keep is how long rows stay at least; a day goes when all of it is older.
	Keep time.Duration
}

const (
	// daysAhead are made beside today's: as long may nobody maintain the table.
	daysAhead = 3
	// ddlPatience is how long a change of the table may wait for its lock. Writers
	// queue behind it for as long, which is why it gives up and tries again at the
	// next call.
	ddlPatience = "200ms"
	// moveAtMost rows of the default partition are moved to a new one at once;
	// where a day has more there, it stays there.
	moveAtMost = 10_000
	// deleteAtOnce bounds one statement that deletes from the default partition.
	deleteAtOnce = 10_000
)

// day is a partition by its UTC midnight.
type day struct {
	at       time.Time
	attached bool // false: it was detached, and then nobody came to drop it
}

// table is what the catalog says of a partitioned table.
type table struct {
	column   string // of the time
	fallback string // the default partition, "" if there is none
	days     []day
}

func (d Daily) name(at time.Time) string { return d.Table + "_p" + at.Format("20060102") }

// Maintain makes the partitions of today and the next three days and drops those
// that are wholly older than Keep; nothing yet where it finds none for today, as
// that may be a clock that is set wrong and will be right at the next call. Any number of processes may do so at once. It
// goes on after a failure and reports it: what somebody's lock prevents is
// Unavailable, and done by a later call.
func (d Daily) Maintain(ctx context.Context, db DB, now time.Time) error {
	t, err := d.read(ctx, db)
	if err != nil {
		return fmt.Errorf("partitions of %s: %w", d.Table, Err(err, nil))
	}
	var failed []error
	do := func(what string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", what, Err(err, nil)))
		}
	}
	oldest, today := now.Add(-d.Keep), now.UTC().Truncate(24*time.Hour)
	if t.endsBefore(today) {
		oldest = time.Time{}
	}
	for _, p := range t.days {
		if !p.attached || !p.at.AddDate(0, 0, 1).After(oldest) {
			do("drop "+d.name(p.at), d.drop(ctx, db, p))
		}
	}
	for at := today; !at.After(today.AddDate(0, 0, daysAhead)); at = at.AddDate(0, 0, 1) {
		if !t.has(at) {
			do("create "+d.name(at), d.create(ctx, db, at))
		}
	}
	do("clean "+t.fallback, t.clean(ctx, db, oldest))
	return errors.Join(failed...)
}

func (t table) has(at time.Time) bool {
	for _, p := range t.days {
		if p.attached && p.at.Equal(at) {
			return true
		}
	}
	return false
}

// endsBefore says whether all days that there are lie before one: nobody came to
// make it for days, or the clock jumped there.
func (t table) endsBefore(at time.Time) bool {
	latest := time.Time{}
	for _, p := range t.days {
		if p.attached && p.at.After(latest) {
			latest = p.at
		}
	}
	return !latest.IsZero() && latest.Before(at)
}

// read asks the catalog. Partitions are in the schema of their table.
func (d Daily) read(ctx context.Context, db DB) (t table, err error) {
	err = db.QueryRow(ctx, `SELECT a.attname, coalesce(f.relname, '') FROM pg_partitioned_table p
		JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
		LEFT JOIN pg_class f ON f.oid = p.partdefid
		WHERE p.partrelid = $1::text::regclass`, d.Table).Scan(&t.column, &t.fallback)
	if err != nil {
		return t, err
	}
	rows, err := db.Query(ctx, `SELECT c.relname, c.relispartition FROM pg_class c
		WHERE c.relnamespace = (SELECT o.relnamespace FROM pg_class o WHERE o.oid = $1::text::regclass) AND c.relkind = 'r'
			AND starts_with(c.relname, $1::text || '_p')
		ORDER BY c.relname`, d.Table)
	if err != nil {
		return t, err
	}
	var name string
	var p day
	_, err = pgx.ForEachRow(rows, []any{&name, &p.attached}, func() error {
		var wrong error
		if p.at, wrong = time.Parse("20060102", strings.TrimPrefix(name, d.Table+"_p")); wrong == nil {
			t.days = append(t.days, p)
		}
		return nil
	})
	return t, err
}

// change runs fn alone among all processes, with little patience for the locks
// it needs.
func (d Daily) change(ctx context.Context, db DB, fn func(pgx.Tx) error) error {
	return InTx(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' stagedoor daily ' || $1, 0))", d.Table); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+ddlPatience+"'"); err != nil {
			return err
		}
		return fn(tx)
	})
}

// create makes the partition of one day. Writers wait for the moment that this
// takes: one that had already chosen the default partition for its row would
// otherwise be refused. Readers do not.
func (d Daily) create(ctx context.Context, db DB, at time.Time) error {
	parent, part, end := quoted(d.Table), quoted(d.name(at)), at.AddDate(0, 0, 1)
	return d.change(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK TABLE ONLY "+parent+" IN SHARE ROW EXCLUSIVE MODE"); err != nil {
			return err
		}
		t, err := d.read(ctx, tx)
		if err != nil || t.has(at) {
			return err
		}
		strays, err := t.strays(ctx, tx, at, end)
		if err != nil || strays > moveAtMost {
			return err
		}
		_, err = tx.Exec(ctx, "CREATE TABLE "+part+" (LIKE "+parent+" INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)")
		if err == nil && strays > 0 {
			_, err = tx.Exec(ctx, "WITH strays AS (DELETE FROM "+quoted(t.fallback)+" WHERE "+t.within()+" RETURNING *) INSERT INTO "+part+
				" SELECT * FROM strays", at, end)
		}
		if err == nil {
			_, err = tx.Exec(ctx, "ALTER TABLE "+parent+" ATTACH PARTITION "+part+
				" FOR VALUES FROM ('"+at.Format(time.RFC3339)+"') TO ('"+end.Format(time.RFC3339)+"')")
		}
		return err
	})
}

// strays counts, no further than it matters, the rows of a day in the default
// partition.
func (t table) strays(ctx context.Context, tx pgx.Tx, from, to time.Time) (n int, err error) {
	if t.fallback == "" {
		return 0, nil
	}
	err = tx.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM "+quoted(t.fallback)+" WHERE "+t.within()+" LIMIT $3) strays",
		from, to, moveAtMost+1).Scan(&n)
	return n, err
}

func (t table) within() string { return quoted(t.column) + " >= $1 AND " + quoted(t.column) + " < $2" }

// drop detaches a partition, which takes a moment under a lock that stops
// everybody, and removes it when nobody can see it any more, which may take long.
// (To detach it concurrently is impossible beside a default partition.)
func (d Daily) drop(ctx context.Context, db DB, p day) error {
	part := quoted(d.name(p.at))
	if p.attached {
		err := d.change(ctx, db, func(tx pgx.Tx) error {
			t, err := d.read(ctx, tx)
			if err != nil || !t.has(p.at) {
				return err
			}
			_, err = tx.Exec(ctx, "ALTER TABLE "+quoted(d.Table)+" DETACH PARTITION "+part)
			return err
		})
		if err != nil {
			return err
		}
	}
	return d.change(ctx, db, func(tx pgx.Tx) error {
		t, err := d.read(ctx, tx)
		if err != nil || t.has(p.at) { // somebody whose clock differs made it anew
			return err
		}
		_, err = tx.Exec(ctx, "DROP TABLE IF EXISTS "+part)
		return err
	})
}

// clean deletes what is older from the default partition.
func (t table) clean(ctx context.Context, db DB, oldest time.Time) error {
	if t.fallback == "" {
		return nil
	}
	fallback := quoted(t.fallback)
	for {
		tag, err := db.Exec(ctx, "DELETE FROM "+fallback+" WHERE ctid = ANY (ARRAY(SELECT ctid FROM "+fallback+" WHERE "+quoted(t.column)+" < $1 LIMIT $2))",
			oldest, deleteAtOnce)
		if err != nil || tag.RowsAffected() < deleteAtOnce {
			return err
		}
	}
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
