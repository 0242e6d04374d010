package pg

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Err translates an error of pgx, once, where it enters the domain. Nil and
// what is an *errs.Error already stay as they are, so does everything unknown,
// which makes it Internal. The rest becomes
//
//   - errs.NotFound "not_found" for pgx.ErrNoRows,
//   - byConstraint's error for a violated constraint or unique index it names;
//     else Conflict "conflict" for unique, exclusion and foreign keys, and
//     Invalid "invalid" for checks, missing values and text that PostgreSQL
//     cannot store,
//   - errs.Unavailable "temporarily_unavailable" for whatever may work on
//     another try: no connection, a lost one, a server that starts, stops, is
//     full or read-only, a deadlock, a deadline that passed while waiting.
//
// A cancelled context is not the database's fault and stays context.Canceled.
func Err(err error, byConstraint map[string]*errs.Error) error {
	if err == nil {
		return nil
	}
	if translated := (*errs.Error)(nil); errors.As(err, &translated) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.New(errs.NotFound, "not_found", "not found").With(err)
	}
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) {
		return serverErr(err, pgErr, byConstraint)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if isLost(err) {
		return unavailable(err)
	}
	return err
}

func serverErr(err error, pgErr *pgconn.PgError, byConstraint map[string]*errs.Error) error {
	if known := byConstraint[pgErr.ConstraintName]; known != nil && pgErr.ConstraintName != "" {
		return known.With(err)
	}
	switch pgErr.Code {
	case "23505", "23503", "23P01", "23001": // unique, foreign key, exclusion, restrict
		return errs.New(errs.Conflict, "conflict", "it conflicts with something that exists").With(err)
	case "23514", "23502", // check, not null
		"22001", "22003", // text too long, number out of range
		"22021", "22P05": // bytes or \u0000 that no text can hold
		return errs.New(errs.Invalid, "invalid", "a value is outside its limits").With(err)
	}
	if isTransient(pgErr.Code) {
		return unavailable(err)
	}
	if connectErr := (*pgconn.ConnectError)(nil); errors.As(err, &connectErr) {
		return unavailable(err)
	}
	return err
}

// isTransient tells whether the same statement may succeed a moment later.
func isTransient(code string) bool {
	switch code {
	case "57P01", "57P02", "57P03", "57P05", // shutting down, crashed, starting, idle too long
		"57014",          // cancelled, by statement_timeout or an operator
		readOnly,         // a standby, or a primary that was demoted
		"40001", "40P01", // serialization failure, deadlock
		"55P03": // lock not available
		return true
	}
	// 08: connection exceptions. 53: out of connections, memory or disk. 58: the
	// system under the server failed it, as a broken disk does.
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "58")
}

// isLost tells whether err comes from the way to the server and not from the
// server.
func isLost(err error) bool {
	for _, target := range []error{
		context.DeadlineExceeded, pgconn.ErrConnClosed, puddle.ErrClosedPool,
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	if connectErr := (*pgconn.ConnectError)(nil); errors.As(err, &connectErr) {
		return true
	}
	var netErr net.Error
	return errors.As(err, &netErr)
}

func unavailable(err error) error {
	e := errs.New(errs.Unavailable, "temporarily_unavailable", "the service is temporarily unavailable").With(err)
	e.RetryAfter = time.Second
	return e
}
