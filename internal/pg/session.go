package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// errOtherRole says that a server has become a standby or read-only, or is it no
// more: what changes and locks are made on is another one now.
var errOtherRole = errors.New("the server has changed between primary and read-only")

// openSession connects past the pool, for somebody who asks checkSession more
// often than idle. Longer silence ends the session, and what it holds is free for
// others: that of a process that is paused, which keeps its connections, and
// about as soon that of a host that vanished. The sessions of a process that was
// killed end at once.
func openSession(ctx context.Context, known *hosts, config *pgx.ConnConfig, idle time.Duration) (*pgx.Conn, error) {
	conn, err := known.connect(ctx, config)
	if err != nil {
		return nil, Err(err, nil)
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; SET idle_session_timeout = %d",
		idle.Milliseconds()))
	if err == nil {
		conn.PgConn().CustomData()[roleKey], err = role(ctx, conn)
	}
	if err != nil {
		closeConn(ctx, conn)
		return nil, Err(err, nil)
	}
	return conn, nil
}

const roleKey = "role"

// checkSession fails when a session is over, or leads to a server that is not
// what it was when the session was opened.
func checkSession(ctx context.Context, conn *pgx.Conn) error {
	now, err := role(ctx, conn)
	if err != nil {
		return err
	}
	return sameRole(conn, now)
}

func sameRole(conn *pgx.Conn, now string) error {
	if now != conn.PgConn().CustomData()[roleKey] {
		return errOtherRole
	}
	return nil
}

// role is "on" at a standby and at any other server that takes no changes.
func role(ctx context.Context, conn *pgx.Conn) (string, error) {
	results, err := conn.PgConn().Exec(ctx, "SHOW transaction_read_only").ReadAll()
	if err != nil {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}
