package pg_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// nodeNames follows the names of nodes.
type nodeNames struct {
	mu      sync.Mutex
	names   map[string]bool
	fail    error // what the next Apply returns
	applied chan pg.Change
	loaded  chan struct{}
}

func newNodeNames() *nodeNames {
	return &nodeNames{applied: make(chan pg.Change, 100), loaded: make(chan struct{}, 100)}
}

func (n *nodeNames) Tables() []string { return []string{"nodes"} }

func (n *nodeNames) Reload(ctx context.Context, db pg.DB) error {
	rows, err := db.Query(ctx, "SELECT name FROM nodes")
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names = map[string]bool{}
	for _, name := range found {
		n.names[name] = true
	}
	n.loaded <- struct{}{}
	return nil
}

func (n *nodeNames) Apply(ctx context.Context, db pg.DB, changes ...pg.Change) error {
	for _, c := range changes {
		var exists bool
		if err := db.QueryRow(ctx, "SELECT EXISTS (SELECT FROM nodes WHERE name = $1)", c.Key).Scan(&exists); err != nil {
			return err
		}
		if err := n.note(c, exists); err != nil {
			return err
		}
	}
	return nil
}

func (n *nodeNames) note(c pg.Change, exists bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.fail; err != nil {
		n.fail = nil
		return err
	}
	n.names[c.Key] = exists
	n.applied <- c
	return nil
}

func (n *nodeNames) known() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.names)
}

// messages is a slog handler that hands out what is logged.
type messages struct {
	slog.Handler
	seen chan string
}

func (m messages) Handle(ctx context.Context, r slog.Record) error {
	m.seen <- r.Message
	return m.Handler.Handle(ctx, r)
}

func (m messages) waitFor(t *testing.T, want string) {
	t.Helper()
	for receive(t, m.seen) != want {
	}
}

func receive[T any](t *testing.T, from <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(patience):
		t.Fatal("nothing happened for too long")
	}
	return value
}

type feedBundle struct {
	url    string
	pool   *pgxpool.Pool
	names  *nodeNames
	feed   *pg.Feed
	log    messages
	causes <-chan pg.Cause
	stop   context.CancelFunc
}

func startFeed(t *testing.T) feedBundle {
	t.Helper()
	return startFeedWith(t, time.Minute) // no beat comes to the help of what is tested
}

func startFeedWith(t *testing.T, heartbeat time.Duration) feedBundle {
	t.Helper()
	url := dbtest.URL(t)
	pool, err := pg.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := insertNode(t.Context(), pool, "before"); err != nil {
		t.Fatal(err)
	}
	log := messages{dbtest.Log(t).Handler(), make(chan string, 1000)}
	names := newNodeNames()
	feed := pg.NewFeed(pool, slog.New(log), names)
	feed.SetHeartbeat(heartbeat)
	causes := make(chan pg.Cause, 100)
	feed.Reloaded = func(c pg.Cause) { causes <- c }
	ctx, stop := context.WithCancel(t.Context())
	if err := feed.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		receive(t, feed.Done())
	})
	receive(t, names.loaded)
	if cause := receive(t, causes); cause != pg.CauseStart {
		t.Errorf("the first load is because of %s", cause)
	}
	return feedBundle{url: url, pool: pool, names: names, feed: feed, log: log, causes: causes, stop: stop}
}

// terminate ends the feed's own connection, and returns when it is gone.
func (b feedBundle) terminate(t *testing.T) {
	t.Helper()
	var killed int
	err := b.pool.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'LISTEN stagedoor|FROM feed|transaction_read_only'`).Scan(&killed)
	if err != nil || killed != 1 {
		t.Fatalf("terminated %d connections, %v", killed, err)
	}
}

func TestFeedLoadsThenFollowsChangesInOrder(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	if !b.feed.Ready() || !b.names.known()["before"] {
		t.Errorf("after Start: ready %t, known %v", b.feed.Ready(), b.names.known())
	}
	if err := insertNode(t.Context(), b.pool, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), "DELETE FROM nodes WHERE name = 'before'"); err != nil {
		t.Fatal(err)
	}
	first, second := receive(t, b.names.applied), receive(t, b.names.applied)
	if first != (pg.Change{Table: "nodes", Key: "a"}) || second != (pg.Change{Table: "nodes", Key: "before"}) {
		t.Errorf("applied %v and %v", first, second)
	}
	if known := b.names.known(); !known["a"] || known["before"] {
		t.Errorf("known: %v", known)
	}
}

func TestFeedIgnoresTablesNobodyFollowsAndKeepsColonsInKeys(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	for _, payload := range []string{"nodes:unnumbered", "garbage", "", "2\naccounts:someone\nnodes:with:colon"} {
		if _, err := b.pool.Exec(t.Context(), "SELECT pg_notify('stagedoor', $1)", payload); err != nil {
			t.Fatal(err)
		}
	}
	if got := receive(t, b.names.applied); got.Key != "with:colon" {
		t.Errorf("applied %v", got)
	}
}

func TestFeedCatchesUpOnWhatItMissedWhileDisconnected(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	database := b.pool.Config().ConnConfig.Database
	admin := dbtest.WithDatabase(b.url, "postgres")
	if err := exec(t, admin, "ALTER DATABASE "+database+" ALLOW_CONNECTIONS false"); err != nil {
		t.Fatal(err)
	}
	b.terminate(t)
	b.log.waitFor(t, "change feed interrupted")
	if b.feed.Ready() {
		t.Error("ready without a connection")
	}
	// Through a connection that the pool has already: nobody hears of it.
	if err := insertNode(t.Context(), b.pool, "missed"); err != nil {
		t.Fatal(err)
	}
	b.log.waitFor(t, "change feed cannot reconnect")
	if err := exec(t, admin, "ALTER DATABASE "+database+" ALLOW_CONNECTIONS true"); err != nil {
		t.Fatal(err)
	}
	b.log.waitFor(t, "change feed restored")
	if !b.feed.Ready() || !b.names.known()["missed"] {
		t.Errorf("afterwards: ready %t, known %v", b.feed.Ready(), b.names.known())
	}
	if err := insertNode(t.Context(), b.pool, "later"); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, b.names.applied); got.Key != "later" {
		t.Errorf("applied %v", got)
	}
}

func TestFeedReloadsAfterAFailedApply(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	b.names.mu.Lock()
	b.names.fail = errors.New("out of luck")
	b.names.mu.Unlock()
	if err := insertNode(t.Context(), b.pool, "unlucky"); err != nil {
		t.Fatal(err)
	}
	b.log.waitFor(t, "change feed restored")
	if !b.feed.Ready() || !b.names.known()["unlucky"] {
		t.Errorf("afterwards: ready %t, known %v", b.feed.Ready(), b.names.known())
	}
}

func TestFeedStopsWithItsContext(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	b.stop()
	receive(t, b.feed.Done())
	if b.feed.Ready() {
		t.Error("ready after the end")
	}
}

func TestFeedStopsWithItsContextWhileDisconnected(t *testing.T) {
	t.Parallel()
	b := startFeed(t)
	admin := dbtest.WithDatabase(b.url, "postgres")
	if err := exec(t, admin, "ALTER DATABASE "+b.pool.Config().ConnConfig.Database+" ALLOW_CONNECTIONS false"); err != nil {
		t.Fatal(err)
	}
	b.terminate(t)
	b.log.waitFor(t, "change feed cannot reconnect")
	b.stop()
	receive(t, b.feed.Done())
}

// muteConn is a connection whose packets get lost once it is muted.
type muteConn struct {
	net.Conn
	muted *atomic.Bool
}

func (c muteConn) Write(p []byte) (int, error) {
	if c.muted.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func TestFeedDoesNotBelieveInASilentConnection(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var muted atomic.Bool
	var dialled atomic.Int32
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if dialled.Add(1) == 1 { // the feed listens before the pool is used
			conn = muteConn{conn, &muted}
		}
		return conn, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	log := messages{dbtest.Log(t).Handler(), make(chan string, 1000)}
	feed := pg.NewFeed(pool, slog.New(log), newNodeNames())
	feed.SetHeartbeat(50 * time.Millisecond)
	ctx, stop := context.WithCancel(t.Context())
	if err := feed.Start(ctx); err != nil {
		t.Fatal(err)
	}
	muted.Store(true)
	log.waitFor(t, "change feed interrupted")
	log.waitFor(t, "change feed restored")
	if !feed.Ready() {
		t.Error("not ready on a new connection")
	}
	stop()
	receive(t, feed.Done())
}

type brokenFollower struct{}

func (brokenFollower) Tables() []string                                 { return []string{"rooms"} }
func (brokenFollower) Reload(context.Context, pg.DB) error              { return errors.New("cannot load") }
func (brokenFollower) Apply(context.Context, pg.DB, ...pg.Change) error { return nil }

func TestFeedStartFailsWhenAFollowerCannotLoad(t *testing.T) {
	t.Parallel()
	feed := pg.NewFeed(dbtest.Pool(t), dbtest.Log(t), newNodeNames(), brokenFollower{})
	if err := feed.Start(t.Context()); err == nil || feed.Ready() {
		t.Errorf("Start = %v, ready %t", err, feed.Ready())
	}
	receive(t, feed.Done())
}

func TestFeedStartReportsAMissingDatabaseAsUnavailable(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	err = pg.NewFeed(pool, dbtest.Log(t)).Start(t.Context())
	if errs.KindOf(err) != errs.Unavailable {
		t.Errorf("Start = %v", err)
	}
}
