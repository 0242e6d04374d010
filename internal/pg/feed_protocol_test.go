package pg_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func (b feedBundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// unheard inserts a node of which nobody hears.
func (b feedBundle) unheard(t *testing.T, name string) {
	t.Helper()
	b.exec(t, "ALTER TABLE nodes DISABLE TRIGGER USER")
	if err := insertNode(t.Context(), b.pool, name); err != nil {
		t.Fatal(err)
	}
	b.exec(t, "ALTER TABLE nodes ENABLE TRIGGER USER")
}

func (b feedBundle) insert(t *testing.T, name string) {
	t.Helper()
	if err := insertNode(t.Context(), b.pool, name); err != nil {
		t.Fatal(err)
	}
}

// reloadedFor waits for a reload, demands its cause and a node that came with it.
func (b feedBundle) reloadedFor(t *testing.T, cause pg.Cause, name string) {
	t.Helper()
	if got := receive(t, b.causes); got != cause {
		t.Errorf("reloaded because of %s, want %s", got, cause)
	}
	if !b.names.known()[name] {
		t.Errorf("known afterwards: %v", b.names.known())
	}
}

func TestFeedReloadsWhenAnAnnouncementIsMissing(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	b.unheard(t, "lost")
	b.exec(t, "UPDATE feed SET number = number + 1") // by whoever was lost
	b.insert(t, "next")
	b.reloadedFor(t, pg.CauseGap, "lost")
	b.insert(t, "later")
	if got := receive(t, b.names.applied); got.Key != "later" {
		t.Errorf("applied %v", got)
	}
}

func TestFeedNoticesThatTheLastAnnouncementIsMissing(t *testing.T) {
	t.Parallel()
	b := startFeedWith(t, 50*time.Millisecond)
	b.unheard(t, "lost")
	b.exec(t, "UPDATE feed SET number = number + 1")
	b.reloadedFor(t, pg.CauseGap, "lost")
}

// A standby that was promoted may not have the last commits, and a backup has
// fewer.
func TestFeedReloadsWhenTheDatabaseIsAnOlderOne(t *testing.T) {
	t.Parallel()
	for name, heartbeat := range map[string]time.Duration{"announced": time.Minute, "silent": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startFeedWith(t, heartbeat)
			for i := range 3 {
				b.insert(t, fmt.Sprintf("n%d", i))
				receive(t, b.names.applied)
			}
			b.unheard(t, "other")
			b.exec(t, "UPDATE feed SET number = number - 2")
			if name == "announced" {
				b.insert(t, "next")
			}
			b.reloadedFor(t, pg.CauseWentBack, "other")
		})
	}
}

func TestFeedReloadsATableOfWhichTooMuchChanged(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	b.exec(t, `INSERT INTO nodes (name, kind, created_at, updated_at)
		SELECT 'bulk-' || i, 'srs', now(), now() FROM generate_series(1, 10000) i`)
	b.reloadedFor(t, pg.CauseBulk, "bulk-10000")
	if !b.feed.Ready() {
		t.Error("not ready, although nothing was lost")
	}
	b.insert(t, "later")
	if got := receive(t, b.names.applied); got.Key != "later" {
		t.Errorf("applied %v", got)
	}
}

func TestFeedAppliesALargeTransactionRowByRow(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	b.names.applied = make(chan pg.Change, 2000)
	b.exec(t, `INSERT INTO nodes (name, kind, created_at, updated_at)
		SELECT 'some-' || i, 'srs', now(), now() FROM generate_series(1, 2000) i`)
	for i := range 2000 {
		if got := receive(t, b.names.applied); got.Key != "some-"+strconv.Itoa(i+1) {
			t.Fatalf("applied %v as change %d", got, i)
		}
	}
	if number := b.number(t); number < 3 || number > 20 {
		t.Errorf("number %d for an insertion and a large one", number)
	}
}

func (b feedBundle) number(t *testing.T) (number int64) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), "SELECT number FROM feed").Scan(&number); err != nil {
		t.Fatal(err)
	}
	return number
}

func TestWhatIsRolledBackTakesNoNumber(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	before := b.number(t)
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := insertNode(t.Context(), tx, "rolled-back"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = pg.InTx(t.Context(), b.pool, func(tx pgx.Tx) error {
		if err := insertNode(t.Context(), tx, "kept"); err != nil {
			return err
		}
		_ = pg.InTx(t.Context(), tx, func(savepoint pgx.Tx) error {
			if err := insertNode(t.Context(), savepoint, "given-up"); err != nil {
				t.Error(err)
			}
			return context.Canceled
		})
		_, err := tx.Exec(t.Context(), "UPDATE nodes SET kind = 'ome' WHERE name = 'kept'")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := receive(t, b.names.applied); got.Key != "kept" {
		t.Errorf("applied %v", got)
	}
	if after := b.number(t); after != before+1 {
		t.Errorf("number %d after %d", after, before)
	}
	b.insert(t, "last")
	if got := receive(t, b.names.applied); got.Key != "last" {
		t.Errorf("one row was announced twice, or what was given up: %v", got)
	}
}

// listen returns a connection that hears announcements.
func listen(t *testing.T, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), pool.Config().ConnConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "LISTEN stagedoor"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Many writers at once, some of which fail or lock each other's rows, in any
// order: nobody waits for ever, and the numbers are those of the commits.
func TestAnnouncementsOfConcurrentWritersHaveNoGaps(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	conn := listen(t, pool)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 25 {
				write(t, pool, fmt.Sprintf("w%d-%d", w, i), i%3 == 0)
			}
		})
	}
	wg.Wait()
	if _, err := pool.Exec(t.Context(), "INSERT INTO nodes (name, kind, created_at, updated_at) VALUES ('last', 'srs', now(), now())"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for want := 1; ; want++ {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			t.Fatal(err)
		}
		number, lines, _ := strings.Cut(n.Payload, "\n")
		if number != strconv.Itoa(want) {
			t.Fatalf("announcement %s is number %d", number, want)
		}
		if lines == "nodes:last" {
			break
		}
	}
}

// write inserts a node and changes one that all have, and gives up if told so.
func write(t *testing.T, pool *pgxpool.Pool, name string, giveUp bool) {
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		if err := insertNode(t.Context(), tx, name); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `INSERT INTO nodes (name, kind, created_at, updated_at) VALUES ('shared', 'srs', now(), now())
			ON CONFLICT (name) DO UPDATE SET updated_at = now()`)
		if err == nil && giveUp {
			return context.Canceled
		}
		return err
	})
	if err != nil && !giveUp {
		t.Error(err)
	}
}

func TestEveryTableThatIsNotedIsAnnounced(t *testing.T) {
	t.Parallel()
	var missing []string
	err := dbtest.Pool(t).QueryRow(t.Context(), `SELECT array_agg(n.tgrelid::regclass::text) FROM pg_trigger n
		WHERE n.tgfoid = 'announce'::regproc AND NOT EXISTS (SELECT FROM pg_trigger a
			WHERE a.tgrelid = n.tgrelid AND a.tgfoid = 'announce_noted'::regproc AND a.tginitdeferred
			AND (a.tgtype | 1) = (n.tgtype | 1) AND a.tgattr = n.tgattr)`).Scan(&missing)
	if err != nil || len(missing) > 0 {
		t.Errorf("nothing announces what is noted of %v, %v", missing, err)
	}
}

func TestStalenessGrowsOnlyWhileNothingIsKnown(t *testing.T) {
	t.Parallel()
	b := startFeedWith(t, 20*time.Millisecond)
	await := func(what string, met func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !met(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	loaded := b.feed.Staleness()
	begun := time.Now()
	await("no heartbeat confirms the view", func() bool { return b.feed.Staleness() < loaded+time.Since(begun)-10*time.Millisecond })
	admin, database := dbtest.WithDatabase(b.url, "postgres"), b.pool.Config().ConnConfig.Database
	if err := exec(t, admin, "ALTER DATABASE "+database+" ALLOW_CONNECTIONS false"); err != nil {
		t.Fatal(err)
	}
	b.terminate(t)
	b.log.waitFor(t, "change feed cannot reconnect")
	away := b.feed.Staleness()
	await("a view that nobody confirms does not get older", func() bool { return b.feed.Staleness() > away+100*time.Millisecond })
	if err := exec(t, admin, "ALTER DATABASE "+database+" ALLOW_CONNECTIONS true"); err != nil {
		t.Fatal(err)
	}
	b.log.waitFor(t, "change feed restored")
	restored := time.Now()
	await("the view is not fresh again", func() bool { return b.feed.Staleness() < time.Since(restored) })
	b.reloadedFor(t, pg.CauseConnection, "before")
}
