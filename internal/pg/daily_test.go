package pg_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

var noon = time.Date(2026, 2, 27, 12, 0, 0, 0, time.UTC)

// diary is a table that is partitioned by day.
type diary struct {
	*pgxpool.Pool
	pg.Daily
}

func newDiary(t testing.TB) diary {
	t.Helper()
	d := diary{dbtest.Pool(t), pg.Daily{Table: "diary", Keep: 48 * time.Hour}}
	d.exec(t, `CREATE TABLE diary (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, note text NOT NULL DEFAULT 'x' CHECK (note <> ''),
		PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
		CREATE INDEX diary_at ON diary (at)`)
	d.exec(t, "CREATE TABLE diary_default PARTITION OF diary DEFAULT")
	return d
}

func (d diary) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (d diary) write(t testing.TB, at ...time.Time) {
	t.Helper()
	d.exec(t, "INSERT INTO diary (at) SELECT unnest($1::timestamptz[])", at)
}

func (d diary) maintained(t testing.TB, now time.Time) {
	t.Helper()
	if err := d.Maintain(t.Context(), d.Pool, now); err != nil {
		t.Fatal(err)
	}
}

func (d diary) want(t testing.TB, rows int, parts ...string) {
	t.Helper()
	found, err := d.Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^diary' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(found, pgx.RowTo[string])
	want := []string{"diary_default"}
	for _, day := range parts {
		want = append(want, "diary_p2026"+day)
	}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("partitions %v, want %v, %v", names, want, err)
	}
	var count int
	if err := d.QueryRow(t.Context(), "SELECT count(*) FROM diary").Scan(&count); err != nil || count != rows {
		t.Errorf("%d rows, want %d, %v", count, rows, err)
	}
}

// stray counts the rows that no day holds.
func (d diary) stray(t testing.TB) (count int) {
	t.Helper()
	if err := d.QueryRow(t.Context(), "SELECT count(*) FROM diary_default").Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestDaysAreMadeAheadAndDroppedWhenAllOfThemIsOld(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	midnight := noon.Add(12 * time.Hour)
	d.maintained(t, noon)
	d.maintained(t, noon)
	d.want(t, 0, "0227", "0228", "0301", "0302")
	d.write(t, noon, midnight.Add(-time.Microsecond), midnight, midnight.AddDate(0, 0, 3).Add(-time.Microsecond))
	if n := d.stray(t); n != 0 {
		t.Errorf("%d rows have no day", n)
	}
	d.maintained(t, midnight.Add(-time.Nanosecond))
	d.want(t, 4, "0227", "0228", "0301", "0302")
	d.maintained(t, midnight.In(time.FixedZone("elsewhere", -7*3600)))
	d.want(t, 4, "0227", "0228", "0301", "0302", "0303")
	d.maintained(t, midnight.Add(48*time.Hour-time.Nanosecond))
	d.want(t, 4, "0227", "0228", "0301", "0302", "0303", "0304")
	d.maintained(t, midnight.Add(48*time.Hour)) // two days after the end of the 27th
	d.want(t, 2, "0228", "0301", "0302", "0303", "0304", "0305")
}

func TestDaysAreLikeTheirTable(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.exec(t, "SET TIME ZONE 'Asia/Tokyo'")
	d.maintained(t, noon)
	var indexes int
	err := d.QueryRow(t.Context(), `SELECT count(*) FROM pg_inherits WHERE inhparent IN ('diary_at'::regclass, 'diary_pkey'::regclass)
		AND inhrelid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'diary_p20260227'::regclass)`).Scan(&indexes)
	if err != nil || indexes != 2 {
		t.Errorf("%d indexes are the table's, %v", indexes, err)
	}
	d.write(t, noon, noon)
	if n := d.stray(t); n != 0 {
		t.Errorf("%d rows have no day", n)
	}
	if _, err := d.Exec(t.Context(), "INSERT INTO diary_p20260227 (id, at, note) VALUES (9, $1, '')", noon); err == nil {
		t.Error("a check is missing")
	}
	var id int64
	if err := d.QueryRow(t.Context(), "SELECT max(id) FROM diary").Scan(&id); err != nil || id != 2 {
		t.Errorf("ids go up to %d, %v", id, err)
	}
}

// Nobody maintained it for a week, while rows came.
func TestATableBehindItsScheduleKeepsItsRows(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.maintained(t, noon.AddDate(0, 0, -9))
	d.write(t, noon.AddDate(0, 0, -9), noon.AddDate(0, 0, -3), noon.AddDate(0, 0, -1), noon, noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 30))
	if n := d.stray(t); n != 5 {
		t.Fatalf("%d rows have no day", n)
	}
	d.maintained(t, noon)
	d.maintained(t, noon)
	d.want(t, 4, "0227", "0228", "0301", "0302")
	if n := d.stray(t); n != 2 { // of yesterday, and of next month
		t.Errorf("%d rows have no day", n)
	}
}

// Nothing is lost by a clock that is wrong for a while.
func TestAClockThatIsSetWrongDropsNothing(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]time.Duration{"ahead": 30 * 24 * time.Hour, "back": -30 * 24 * time.Hour} {
		d := newDiary(t)
		d.maintained(t, noon)
		d.write(t, noon, noon.AddDate(0, 0, -1), noon.AddDate(0, 0, 1), noon.Add(wrong))
		d.maintained(t, noon.Add(wrong))
		d.write(t, noon.Add(wrong))
		d.maintained(t, noon)
		var rows int
		if err := d.QueryRow(t.Context(), "SELECT count(*) FROM diary WHERE at > $1", noon.AddDate(0, 0, -2)).Scan(&rows); err != nil || rows < 3 {
			t.Errorf("%s: %d rows, %v", name, rows, err)
		}
	}
}

func TestADayWithTooManyStraysStaysWhereItIs(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.exec(t, "INSERT INTO diary (at) SELECT $1 FROM generate_series(1, $2)", noon, pg.MoveAtMost+1)
	d.maintained(t, noon)
	d.want(t, pg.MoveAtMost+1, "0228", "0301", "0302")
	d.maintained(t, noon.Add(48*time.Hour+time.Second))
	d.want(t, 0, "0228", "0301", "0302", "0303", "0304")
}

func TestATableWithoutDefaultPartitionIsKeptToo(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.exec(t, "DROP TABLE diary_default")
	d.maintained(t, noon)
	d.write(t, noon)
	d.maintained(t, noon.AddDate(0, 0, 5))
	d.maintained(t, noon.AddDate(0, 0, 5))
	var rows int
	if err := d.QueryRow(t.Context(), "SELECT count(*) FROM diary").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// A process died between detaching a day and dropping it.
func TestADetachedDayIsDropped(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.maintained(t, noon)
	d.exec(t, "ALTER TABLE diary DETACH PARTITION diary_p20260227")
	d.exec(t, "CREATE TABLE diary_plan (id int)")
	d.maintained(t, noon.AddDate(0, 0, 1))
	d.exec(t, "DROP TABLE diary_plan") // is none of its business
	d.want(t, 0, "0228", "0301", "0302", "0303")
}

func TestManyMaintainATableAtOnceWhileItIsWritten(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.maintained(t, noon.AddDate(0, 0, -9))
	ctx, stop := context.WithCancel(t.Context())
	var writers, keepers sync.WaitGroup
	written := make([]int, 4)
	for w := range written {
		writers.Go(func() {
			for ctx.Err() == nil {
				_, err := d.Exec(t.Context(), "INSERT INTO diary (at) SELECT $1::timestamptz + n * interval '1 day' FROM generate_series(0, 3) n", noon)
				if err != nil {
					t.Error(err)
					return
				}
				written[w] += 4
			}
		})
	}
	for range 4 {
		keepers.Go(func() {
			for done := 0; done < 2; {
				switch err := d.Maintain(t.Context(), d.Pool, noon); {
				case err == nil:
					done++
				case errs.KindOf(err) != errs.Unavailable: // a writer was in the way: it is done by a later call
					t.Error(err)
					return
				}
			}
		})
	}
	keepers.Wait()
	stop()
	writers.Wait()
	total := 0
	for _, n := range written {
		total += n
	}
	d.want(t, total, "0227", "0228", "0301", "0302")
}

func TestAReaderWhoHoldsOnDelaysTheDropAndNotTheWriters(t *testing.T) {
	t.Parallel()
	d := newDiary(t)
	d.maintained(t, noon)
	err := pg.InTx(t.Context(), d.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SELECT FROM diary"); err != nil {
			return err
		}
		err := d.Maintain(t.Context(), d.Pool, noon.AddDate(0, 0, 3))
		if errs.KindOf(err) != errs.Unavailable || !strings.Contains(err.Error(), "drop diary_p20260227") {
			t.Errorf("Maintain = %v", err)
		}
		d.write(t, noon)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.maintained(t, noon.AddDate(0, 0, 3))
	d.want(t, 0, "0228", "0301", "0302", "0303", "0304", "0305")
}

func TestMaintainingNoPartitionedTableFails(t *testing.T) {
	t.Parallel()
	if err := (pg.Daily{Table: "nodes", Keep: time.Hour}).Maintain(t.Context(), dbtest.Pool(t), noon); errs.KindOf(err) != errs.NotFound {
		t.Errorf("Maintain = %v", err)
	}
}

func TestRefusalsSurviveTheirMove(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	if err := pg.MigrateUp(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	down := func() {
		for {
			if err := pg.MigrateDown(t.Context(), url, 1); err != nil {
				t.Fatal(err)
			}
			if version, _, _, err := pg.MigrateStatus(t.Context(), url); err != nil || version < 17 {
				return
			}
		}
	}
	down()
	must := func(sql string) {
		t.Helper()
		if err := exec(t, url, sql); err != nil {
			t.Fatal(err)
		}
	}
	must(`INSERT INTO refusals (at, action, reason, stream) SELECT '2026-02-27 23:00Z'::timestamptz + n * interval '1 hour', 'playing', 'no_right', n::text
		FROM generate_series(0, 2) n`)
	for range 2 {
		if err := pg.MigrateUp(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		must(`DO $$ BEGIN
			ASSERT (SELECT string_agg(stream, ',' ORDER BY id) FROM refusals) = '0,1,2';
			ASSERT (SELECT count(*) FROM refusals_p20260228) = 2 AND (SELECT count(*) FROM refusals_default) = 0;
			INSERT INTO refusals (at, action, reason) VALUES (now(), 'playing', 'no_right');
			ASSERT (SELECT count(DISTINCT id) FROM refusals) = 4;
			DELETE FROM refusals WHERE stream = '';
		END $$`)
		down()
		must(`DO $$ BEGIN ASSERT (SELECT string_agg(stream, ',' ORDER BY id) FROM refusals) = '0,1,2'; END $$`)
	}
}
