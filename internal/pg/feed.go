package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

const (
	// feedChannel is what the announce_noted() trigger of the schema notifies.
	feedChannel = "stagedoor"
	// feedBeat is how often the feed asks for the number of the last announcement.
	feedBeat = time.Second
	// feedPatience is how long it waits for the answer, and how long for an
	// announcement that the answer knows of. With feedBeat it bounds how long a
	// view can be stale behind a network that drops packets.
	feedPatience = 4 * time.Second
	// feedIdle is after how long the server forgets a feed that is paused, and
	// with it the announcements that it keeps for it.
	feedIdle = time.Minute
	// feedRetryMin and feedRetryMax bound the pause between attempts to
	// reconnect.
	feedRetryMin = 50 * time.Millisecond
	feedRetryMax = 2 * time.Second
)

// Change says that one row of a table was inserted, updated or deleted. Key is
// the column that the table's trigger names, or empty where there is only to say
// that something is new. A row may have changed again since: a Follower reads it
// and believes what it finds.
type Change struct {
	Table, Key string
}

// A Follower keeps rows in memory that the Feed keeps true.
type Follower interface {
	// Tables are those whose changes Apply wants.
	Tables() []string
	// Reload replaces everything held by what the database holds at one moment
	// after Reload began.
	Reload(ctx context.Context, db DB) error
	// Apply reads the changed rows again: several changes at once, each of them
	// once, in the order of commits. It runs beside Reload, which must not undo
	// what it did. When it fails, everything is reloaded.
	Apply(ctx context.Context, db DB, changes ...Change) error
}

// Cause says why followers were reloaded.
type Cause string

// The causes.
const (
	CauseStart       Cause = "start"
	CauseConnection  Cause = "connection_lost"
	CauseGap         Cause = "gap"          // an announcement is missing
	CauseWentBack    Cause = "went_back"    // the database is an older one than it was
	CauseApplyFailed Cause = "apply_failed" // a follower could not read what changed
	CauseBulk        Cause = "bulk"         // one transaction changed too much to list
)

// Causes lists every cause.
var Causes = []Cause{CauseStart, CauseConnection, CauseGap, CauseWentBack, CauseApplyFailed, CauseBulk}

// A Feed brings changes of the database to the followers of this process,
// whichever process made them.
//
//	        listen, ask for the number, reload all
//	(start) -------------------------------------> following <-----------+
//	                                                   | connection lost, | the
//	                                                   | gap, went back,  | same
//	                                                   | Apply failed     |
//	                                                   +--> not ready ----+
//
// Announcements are numbered in the order of commits. Listening starts before
// the number is asked for and that before reloading, so what is announced by a
// later number is applied and what has an earlier one is loaded already; nothing
// falls between. A number that is missing, or one that was there before, means
// that memory cannot be told from what the database holds: all is reloaded. The
// feed listens on a connection of its own and lends followers the pool.
type Feed struct {
	// Reloaded is told of each reload that succeeded. Set it before Start.
	Reloaded func(Cause)

	pool      *pgxpool.Pool
	direct    *pgx.ConnConfig // of the connection that listens
	hosts     hosts
	q         *db.Queries
	log       *slog.Logger
	followers []subscriber
	beat      time.Duration
	patience  time.Duration
	ready     atomic.Bool
	known     atomic.Pointer[time.Time] // when memory was as the database is
	done      chan struct{}
}

// NewFeed returns a Feed that is not started.
func NewFeed(pool *pgxpool.Pool, log *slog.Logger, followers ...Follower) *Feed {
	f := &Feed{
		Reloaded:  func(Cause) {},
		pool:      pool,
		direct:    pool.Config().ConnConfig,
		q:         db.New(),
		log:       log,
		followers: make([]subscriber, len(followers)),
		beat:      feedBeat,
		patience:  feedPatience,
		done:      make(chan struct{}),
	}
	for i, follower := range followers {
		f.followers[i] = subscriber{follower, follower.Tables()}
	}
	return f
}

// ListenAt has the feed listen at PostgreSQL itself (see Direct) where the pool
// goes through a pooler. Call it before Start.
func (f *Feed) ListenAt(direct *pgx.ConnConfig) { f.direct = direct }

// subscriber is a follower with its tables.
type subscriber struct {
	Follower
	tables []string
}

func (s subscriber) wants(table string) bool { return slices.Contains(s.tables, table) }

// String names it in errors and logs.
func (s subscriber) String() string { return strings.Join(s.tables, ", ") }

// Start returns when every follower is loaded, or with the error that kept
// one from it. From then on it follows until ctx ends. Call it once.
func (f *Feed) Start(ctx context.Context) error {
	loaded := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		defer close(f.done)
		if err := f.follow(ctx, CauseStart, func() { close(loaded) }); !isClosed(loaded) {
			failed <- err
			return
		} else if ctx.Err() == nil {
			f.recover(ctx, err)
		}
	}()
	select {
	case <-loaded:
		return nil
	case err := <-failed:
		return fmt.Errorf("change feed: %w", Err(err, nil))
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Ready tells whether all followers are loaded and changes arrive. While it is
// false they still hold what they knew last.
func (f *Feed) Ready() bool { return f.ready.Load() }

// Staleness is how long ago memory was last known to be as the database is. It
// stays below two seconds or so while changes arrive. Zero before anything is
// loaded.
func (f *Feed) Staleness() time.Duration {
	if at := f.known.Load(); at != nil {
		return time.Since(*at)
	}
	return 0
}

// Done is closed when the feed has stopped, after the context of Start ended
// or Start failed.
func (f *Feed) Done() <-chan struct{} { return f.done }

// recover follows again, and again, after what failed, until ctx ends.
func (f *Feed) recover(ctx context.Context, err error) {
	cause, pause := causeOf(err), feedRetryMin
	f.log.WarnContext(ctx, "change feed interrupted", "cause", cause, "error", err)
	for ; ; pause = min(2*pause, feedRetryMax) {
		// Jitter keeps a hundred processes from reloading in one instant.
		if !pauseFor(ctx, pause/2+rand.N(pause)) {
			return
		}
		restored := false
		err := f.follow(ctx, cause, func() {
			restored = true
			f.log.InfoContext(ctx, "change feed restored")
		})
		switch {
		case ctx.Err() != nil:
			return
		case restored:
			cause, pause = causeOf(err), feedRetryMin/2
			f.log.WarnContext(ctx, "change feed interrupted", "cause", cause, "error", err)
		default:
			f.log.DebugContext(ctx, "change feed cannot reconnect", "error", err)
		}
	}
}

// follow listens, reloads and follows until something fails. It calls whole when
// everything is loaded.
func (f *Feed) follow(ctx context.Context, cause Cause, whole func()) error {
	conn, err := f.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	s, err := f.listen(ctx, conn)
	if err != nil {
		return err
	}
	defer f.ready.Store(false)
	return s.run(ctx, cause, whole)
}

// connect opens the connection that the feed listens on: one to PostgreSQL
// itself, which stays.
func (f *Feed) connect(ctx context.Context) (*pgx.Conn, error) {
	return openSession(ctx, &f.hosts, f.direct, feedIdle)
}

// interruption is an error that says why all is reloaded.
type interruption struct {
	cause Cause
	err   error
}

func (i *interruption) Error() string { return i.err.Error() }
func (i *interruption) Unwrap() error { return i.err }

func causeOf(err error) Cause {
	var i *interruption
	if errors.As(err, &i) {
		return i.cause
	}
	return CauseConnection
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
