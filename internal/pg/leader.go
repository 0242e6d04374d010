package pg

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// leaderHeartbeat is how often the connection is tried while nobody asks, and
	// leaderPatience how long it may take to answer.
	leaderHeartbeat = 2 * time.Second
	leaderPatience  = 2 * time.Second
	// leaderIdle is after how long the server gives what a process holds, of which
	// it hears nothing, to somebody else. It is longer than those two together.
	leaderIdle = 6 * time.Second
)

// A Leader lets one of several processes do what must not be done by all. A name
// is held through an advisory lock on a connection of its own, so it is free
// again as soon as that connection ends, however the process died, and within
// seconds when it is paused.
//
//	(start) --connect--> connected --lost--> nothing held --connect--> connected
//
// It keeps two processes from doing the same work all the time. It is no fence:
// who holds a name may be paused and go on after somebody else has taken over,
// so the work itself has to bear being done twice.
type Leader struct {
	config   *pgx.ConnConfig
	hosts    hosts
	log      *slog.Logger
	patience time.Duration

	mu   sync.Mutex // also of what the connection is used for
	conn *pgx.Conn
	held map[string]bool
	lost chan struct{} // told, without waiting, that there is no connection
}

// NewLeader returns a Leader that holds nothing until Run runs. The connection is
// made to PostgreSQL itself (see Direct).
func NewLeader(config *pgx.ConnConfig, log *slog.Logger) *Leader {
	return &Leader{config: config, log: log, patience: leaderPatience, held: map[string]bool{}, lost: make(chan struct{}, 1)}
}

// Run connects, and again whenever the connection is lost, until ctx ends. Then
// everything is given up.
func (l *Leader) Run(ctx context.Context) {
	for pause := feedRetryMin; ctx.Err() == nil; pause = min(2*pause, feedRetryMax) {
		conn, err := openSession(ctx, &l.hosts, l.config, leaderIdle)
		if err != nil {
			l.log.DebugContext(ctx, "leader cannot connect", "error", err)
			pauseFor(ctx, pause/2+rand.N(pause))
			continue
		}
		l.use(conn)
		l.watch(ctx)
		pause = feedRetryMin
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(ctx)
}

func (l *Leader) use(conn *pgx.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.lost: // of the connection before
	default:
	}
	l.conn = conn
}

// watch returns when the connection is lost or ctx ends.
func (l *Leader) watch(ctx context.Context) {
	beat := time.NewTicker(leaderHeartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.lost:
			return
		case <-beat.C:
			l.check(context.WithoutCancel(ctx))
		}
	}
}

func (l *Leader) check(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive(ctx)
}

// Hold reports whether this process leads in what name names, which it does as
// soon as nobody else does. The database is asked each time, so the answer is
// true at the moment it is given; false while the database is away.
func (l *Leader) Hold(ctx context.Context, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx = context.WithoutCancel(ctx) // an impatient caller shall not cost the others their lead
	if l.conn == nil || l.held[name] {
		return l.alive(ctx)
	}
	got, err := l.lock(ctx, name)
	if err != nil {
		l.fail(ctx, err)
		return false
	}
	if got {
		l.held[name] = true
		l.log.InfoContext(ctx, "leading", "name", name)
	}
	return got
}

// lock tries for a name. Names of other schemas of the same database, where
// others may live, are other names.
func (l *Leader) lock(ctx context.Context, name string) (got bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	err = l.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || ' stagedoor ' || $1, 0))", name).Scan(&got)
	return got, err
}

// alive asks whether the connection, and with it all that is held, is still
// there.
func (l *Leader) alive(ctx context.Context) bool {
	if l.conn == nil {
		return false
	}
	ping, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	if err := checkSession(ping, l.conn); err != nil {
		l.fail(ctx, err)
		return false
	}
	return true
}

// fail gives everything up: nobody knows whether the server still counts us as
// the holder. The socket is closed at once, as the driver would politely wait
// for the server first, and with it everybody who wants to take over.
func (l *Leader) fail(ctx context.Context, err error) {
	l.log.WarnContext(ctx, "leader lost its connection", "held", len(l.held), "error", err)
	_ = l.conn.PgConn().Conn().Close()
	l.drop(ctx)
	select {
	case l.lost <- struct{}{}:
	default:
	}
}

func (l *Leader) drop(ctx context.Context) {
	if l.conn != nil {
		closeConn(ctx, l.conn)
	}
	l.conn = nil
	clear(l.held)
}
