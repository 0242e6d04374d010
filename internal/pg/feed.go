package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// feedChannel is what the announce() trigger of the schema notifies.
	feedChannel = "stagedoor"
	// feedHeartbeat is how long the feed believes in a silent connection, and
	// how long it then waits for an answer. Twice that bounds how long a view
	// can be stale behind a network that drops packets.
	feedHeartbeat = 4 * time.Second
	// feedRetryMin and feedRetryMax bound the pause between attempts to
	// reconnect.
	feedRetryMin = 50 * time.Millisecond
	feedRetryMax = 2 * time.Second
)

// Change says that one row of a table was inserted, updated or deleted. Key is
// the column that the table's trigger names. A row may have changed again
// since: a Follower reads it and believes what it finds.
type Change struct {
	Table, Key string
}

// A Follower keeps rows in memory that the Feed keeps true.
type Follower interface {
	// Tables are those whose changes Apply wants.
	Tables() []string
	// Reload replaces everything held by what the database holds.
	Reload(ctx context.Context, db DB) error
	// Apply reads the changed row again. It runs for one change at a time, in
	// the order of commits. When it fails, everything is reloaded.
	Apply(ctx context.Context, db DB, c Change) error
}

// A Feed brings changes of the database to the followers of this process,
// whichever process made them.
//
//	        listen, reload all
//	(start) ------------------> following <----------------+
//	                                | connection lost,     | listen,
//	                                | Apply failed         | reload all
//	                                +-----> not ready -----+
//
// Listening starts before reloading, so what changes meanwhile is applied
// afterwards; nothing falls between. The feed listens on a connection of its
// own and lends followers the pool.
type Feed struct {
	pool      *pgxpool.Pool
	direct    *pgx.ConnConfig // of the connection that listens
	log       *slog.Logger
	followers []Follower
	byTable   map[string][]Follower
	heartbeat time.Duration
	ready     atomic.Bool
	done      chan struct{}
}

// NewFeed returns a Feed that is not started.
func NewFeed(pool *pgxpool.Pool, log *slog.Logger, followers ...Follower) *Feed {
	f := &Feed{
		pool:      pool,
		direct:    pool.Config().ConnConfig,
		log:       log,
		followers: followers,
		byTable:   map[string][]Follower{},
		heartbeat: feedHeartbeat,
		done:      make(chan struct{}),
	}
	for _, follower := range followers {
		for _, table := range follower.Tables() {
			f.byTable[table] = append(f.byTable[table], follower)
		}
	}
	return f
}

// ListenAt has the feed listen at PostgreSQL itself (see Direct) where the pool
// goes through a pooler. Call it before Start.
func (f *Feed) ListenAt(direct *pgx.ConnConfig) { f.direct = direct }

// Start returns when every follower is loaded, or with the error that kept
// one from it. From then on it follows until ctx ends. Call it once.
func (f *Feed) Start(ctx context.Context) error {
	conn, err := f.connect(ctx)
	if err != nil {
		close(f.done)
		return fmt.Errorf("change feed: %w", err)
	}
	f.ready.Store(true)
	go f.run(ctx, conn)
	return nil
}

// Ready tells whether all followers are loaded and changes arrive. While it is
// false they still hold what they knew last.
func (f *Feed) Ready() bool { return f.ready.Load() }

// Done is closed when the feed has stopped, after the context of Start ended
// or Start failed.
func (f *Feed) Done() <-chan struct{} { return f.done }

func (f *Feed) run(ctx context.Context, conn *pgx.Conn) {
	defer close(f.done)
	for conn != nil {
		err := f.follow(ctx, conn)
		f.ready.Store(false)
		closeConn(ctx, conn)
		if ctx.Err() != nil {
			return
		}
		f.log.WarnContext(ctx, "change feed interrupted", "error", err)
		if conn = f.reconnect(ctx); conn != nil {
			f.ready.Store(true)
			f.log.InfoContext(ctx, "change feed restored")
		}
	}
}

// reconnect returns nil only when ctx ended.
func (f *Feed) reconnect(ctx context.Context) *pgx.Conn {
	for pause := feedRetryMin; ; pause = min(2*pause, feedRetryMax) {
		conn, err := f.connect(ctx)
		if err == nil {
			return conn
		}
		if ctx.Err() != nil {
			return nil
		}
		f.log.DebugContext(ctx, "change feed cannot reconnect", "error", err)
		// Jitter keeps a hundred processes from reloading in one instant.
		if !pauseFor(ctx, pause/2+rand.N(pause)) {
			return nil
		}
	}
}

// connect listens and then reloads.
func (f *Feed) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, f.direct)
	if err != nil {
		return nil, Err(err, nil)
	}
	if err := f.reload(ctx, conn); err != nil {
		closeConn(ctx, conn)
		return nil, Err(err, nil)
	}
	return conn, nil
}

func (f *Feed) reload(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "LISTEN "+feedChannel); err != nil {
		return err
	}
	for _, follower := range f.followers {
		if err := follower.Reload(ctx, f.pool); err != nil {
			return fmt.Errorf("load %s: %w", strings.Join(follower.Tables(), ", "), err)
		}
	}
	return nil
}

// follow applies changes until something fails.
func (f *Feed) follow(ctx context.Context, conn *pgx.Conn) error {
	for {
		payload, err := nextPayload(ctx, conn, f.heartbeat)
		if err != nil {
			return err
		}
		table, key, _ := strings.Cut(payload, ":")
		for _, follower := range f.byTable[table] {
			if err := follower.Apply(ctx, f.pool, Change{Table: table, Key: key}); err != nil {
				return fmt.Errorf("apply change of %s %s: %w", table, key, err)
			}
		}
	}
}

// nextPayload waits for a notification. Silence is followed by a ping, as a
// connection that a firewall forgot is silent for ever.
func nextPayload(ctx context.Context, conn *pgx.Conn, heartbeat time.Duration) (string, error) {
	for {
		wait, cancel := context.WithTimeout(ctx, heartbeat)
		notification, err := conn.WaitForNotification(wait)
		cancel()
		if err == nil {
			return notification.Payload, nil
		}
		if ctx.Err() != nil || conn.IsClosed() || !errors.Is(err, context.DeadlineExceeded) {
			return "", err
		}
		ping, cancel := context.WithTimeout(ctx, heartbeat)
		err = conn.Ping(ping)
		cancel()
		if err != nil {
			return "", err
		}
	}
}

// closeConn says goodbye even when ctx has ended, but not for long.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing depends on it; the server notices
}

// pauseFor returns false when ctx ended first.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
