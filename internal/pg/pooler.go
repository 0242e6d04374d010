package pg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrPooled says that a URL leads through a connection pooler in transaction
// mode, where something needs sessions: LISTEN and advisory locks.
var ErrPooled = errors.New("the connection goes through a pooler in transaction mode (such as PgBouncer), which keeps no session")

// errRelayed is what the first connection of a pool fails with when somebody
// stands between it and PostgreSQL.
var errRelayed = errors.New("the server is not the one that the connection was made to")

// prepareFirst prepares the connections of a pool after it has seen, on the
// first one, that they lead to PostgreSQL itself. It fails with errRelayed where
// they do not, before anything is set in a session that others may share.
func prepareFirst() func(context.Context, *pgx.Conn) error {
	var direct atomic.Bool
	return func(ctx context.Context, conn *pgx.Conn) error {
		if direct.Load() {
			return prepare(ctx, conn)
		}
		relayed, err := isRelayed(ctx, conn)
		if err == nil && relayed {
			err = errRelayed
		}
		if err != nil {
			return err
		}
		direct.Store(true)
		return prepare(ctx, conn)
	}
}

// isRelayed reports whether a server process answers that is not the one that
// greeted us. PostgreSQL tells its process when a connection begins; poolers,
// which answer that themselves, make a number up.
func isRelayed(ctx context.Context, conn *pgx.Conn) (bool, error) {
	pid, err := backend(ctx, conn)
	return pid != conn.PgConn().PID(), err
}

// backend asks who serves a connection, with the simple protocol, which every
// pooler understands.
func backend(ctx context.Context, conn *pgx.Conn) (uint32, error) {
	results, err := conn.PgConn().Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, err
	}
	pid, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 32)
	return uint32(pid), err
}

// sharesSessions tries whether connections at config share the sessions of the
// server, as a pooler in transaction mode has them do: two that are open at once
// are served by the same process, or one of them by another than before. The
// order shows it whichever of its idle sessions the pooler hands out next.
func sharesSessions(ctx context.Context, config *pgx.ConnConfig) (bool, error) {
	var conns [2]*pgx.Conn
	for i := range conns {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return false, err
		}
		defer closeConn(ctx, conn)
		conns[i] = conn
	}
	var served [2]uint32
	for _, i := range []int{0, 1, 1, 0, 0, 1, 0, 1} {
		pid, err := backend(ctx, conns[i])
		if err != nil {
			return false, err
		}
		if pid == served[1-i] || served[i] != 0 && pid != served[i] {
			return true, nil
		}
		served[i] = pid
	}
	return false, nil
}

// demandSession fails with ErrPooled where conn, which was made with config, is
// no session.
func demandSession(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig) error {
	relayed, err := isRelayed(ctx, conn)
	if err != nil || !relayed {
		return err
	}
	shared, err := sharesSessions(ctx, config)
	if err == nil && shared {
		err = ErrPooled
	}
	return err
}

// meetTimeout is how long a notification may be under way.
const meetTimeout = 5 * time.Second

// CheckDirect fails unless direct leads to the database that pool leads to: what
// is said there must be heard here. A feed that listens elsewhere would never
// hear of a change and not know it.
func CheckDirect(ctx context.Context, pool *pgxpool.Pool, direct *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, meetTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, direct)
	if err != nil {
		return Err(err, nil)
	}
	defer closeConn(ctx, conn)
	channel := "stagedoor_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return Err(err, nil)
	}
	if _, err := pool.Exec(ctx, "SELECT pg_notify($1, '')", channel); err != nil {
		return Err(err, nil)
	}
	if _, err := conn.WaitForNotification(ctx); errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the direct URL leads to another database")
	} else if err != nil {
		return Err(err, nil)
	}
	return nil
}

// openRelayed opens a pool of connections to a pooler. In transaction mode a
// statement may meet another session than the one before, so none is prepared
// under a name and nothing is set: unnamed statements are planned for the tables
// as they are anyway, and what sits idle in a transaction the pooler has to end.
func openRelayed(ctx context.Context, config *pgxpool.Config, modeChosen bool) (*pgxpool.Pool, error) {
	shared, err := sharesSessions(ctx, config.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", Err(err, nil))
	}
	config.AfterConnect = prepare
	if shared {
		config.AfterConnect = nil
		if !modeChosen {
			config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		}
	}
	return openPool(ctx, config)
}
