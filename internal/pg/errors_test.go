package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestErrTranslatesRealViolations(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	if err := insertNode(t.Context(), pool, "taken"); err != nil {
		t.Fatal(err)
	}
	taken := errs.New(errs.Conflict, "node_exists", "a node of that name exists")
	badName := errs.InvalidField("name", "lower-case letters and digits")
	known := map[string]*errs.Error{"nodes_pkey": taken, "nodes_name_check": badName}
	const node = "INSERT INTO nodes (name, kind, created_at, updated_at) VALUES ($1, $2, now(), now())"
	tests := []struct {
		name         string
		byConstraint map[string]*errs.Error
		sql          string
		args         []any
		kind         errs.Kind
		reason       string
	}{
		{"known unique", known, node, []any{"taken", "srs"}, errs.Conflict, "node_exists"},
		{"unknown unique", nil, node, []any{"taken", "srs"}, errs.Conflict, "conflict"},
		{"known check", known, node, []any{"No!", "srs"}, errs.Invalid, "invalid_name"},
		{"unknown check", nil, node, []any{"No!", "srs"}, errs.Invalid, "invalid"},
		{"missing value", known, node, []any{"other", nil}, errs.Invalid, "invalid"},
		{"NUL in text", known, node, []any{"other", "a\x00b"}, errs.Invalid, "invalid"},
		{
			"foreign key", nil,
			"INSERT INTO signing_keys (rule_id, kid, secret_sealed, state, created_at, changed_at) VALUES (99, 'k', '', 'next', now(), now())",
			nil, errs.Conflict, "conflict",
		},
		{"number out of range", nil, "SELECT ($1::bigint * 1000000)::integer", []any{1000000}, errs.Invalid, "invalid"},
		{"our own mistake", nil, "SELECT no_such_column", nil, errs.Internal, "internal"},
	}
	for _, test := range tests {
		_, err := pool.Exec(t.Context(), test.sql, test.args...)
		got := errs.As(pg.Err(err, test.byConstraint))
		if got.Kind != test.kind || got.Reason != test.reason {
			t.Errorf("%s: got %v %s (%v), want %v %s", test.name, got.Kind, got.Reason, err, test.kind, test.reason)
		}
		if cause := (*pgconn.PgError)(nil); !errors.As(got, &cause) {
			t.Errorf("%s: the cause is lost", test.name)
		}
	}
}

func TestErrTranslatesAMissingRow(t *testing.T) {
	t.Parallel()
	var name string
	err := dbtest.Pool(t).QueryRow(t.Context(), "SELECT name FROM nodes").Scan(&name)
	if got := errs.As(pg.Err(fmt.Errorf("read node: %w", err), nil)); got.Kind != errs.NotFound || got.Reason != "not_found" {
		t.Errorf("got %v", got)
	}
}

func TestErrReportsATerminatedConnectionAsUnavailable(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend($1, 5000)", tx.Conn().PgConn().PID()); err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), "SELECT 1")
	assertUnavailable(t, "first use", err)
	_, err = tx.Exec(t.Context(), "SELECT 1")
	assertUnavailable(t, "second use", err)
	assertUnavailable(t, "commit", tx.Commit(t.Context()))
}

func TestErrReportsWaitingTooLongAsUnavailable(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	_, err := pool.Exec(ctx, "SELECT 1")
	assertUnavailable(t, "deadline passed before", err)

	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = pool.Exec(ctx, "SELECT pg_sleep(60)")
	assertUnavailable(t, "deadline passed during a query", err)

	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "SET statement_timeout = '20ms'; SELECT pg_sleep(60)")
	assertUnavailable(t, "statement_timeout", err)
	if _, err := conn.Exec(t.Context(), "RESET statement_timeout"); err != nil {
		t.Fatal(err)
	}
}

func TestErrReportsAStandbyAsUnavailable(t *testing.T) {
	t.Parallel()
	tx, err := dbtest.Pool(t).BeginTx(t.Context(), pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	assertUnavailable(t, "write to a read-only server", insertNode(t.Context(), tx, "a"))
}

func TestErrReportsAClosedPoolAsUnavailable(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	pool.Close()
	_, err := pool.Exec(t.Context(), "SELECT 1")
	assertUnavailable(t, "closed pool", err)
}

func TestErrReportsTransientCodesAsUnavailable(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"08006", "53100", "53300", "58030", "57P01", "57P02", "57P03", "40001", "40P01", "55P03"} {
		assertUnavailable(t, code, fmt.Errorf("query: %w", &pgconn.PgError{Code: code}))
	}
	for _, err := range []error{io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: errors.New("reset")}, pgconn.ErrConnClosed} {
		assertUnavailable(t, err.Error(), fmt.Errorf("query: %w", err))
	}
}

func TestErrLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	own := fmt.Errorf("close room: %w", errs.New(errs.Conflict, "room_closed", "the room is closed"))
	for _, err := range []error{nil, own, errors.New("foreign"), context.Canceled} {
		if got := pg.Err(err, nil); got != err {
			t.Errorf("Err(%v) = %v", err, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := dbtest.Pool(t).Exec(ctx, "SELECT 1")
	if got := pg.Err(err, nil); !errors.Is(got, context.Canceled) || errs.KindOf(got) != errs.Internal {
		t.Errorf("a cancelled query became %v", got)
	}
}

func assertUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	got := errs.As(pg.Err(err, nil))
	if got.Kind != errs.Unavailable || got.Reason != "temporarily_unavailable" || got.RetryAfter <= 0 {
		t.Errorf("%s: %v became %v %s", what, err, got.Kind, got.Reason)
	}
}
