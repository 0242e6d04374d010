package pg_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// insertNode needs no other row to exist.
func insertNode(ctx context.Context, db pg.DB, name string) error {
	_, err := db.Exec(ctx, "INSERT INTO nodes (name, kind, created_at, updated_at) VALUES ($1, 'srs', now(), now())", name)
	return err
}

func countNodes(t *testing.T, db pg.DB) (count int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM nodes").Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestOpenReportsAnUnreachableServerAsUnavailable(t *testing.T) {
	t.Parallel()
	_, err := pg.Open(t.Context(), "postgres://someone:hunter2@127.0.0.1:1/nowhere")
	if errs.KindOf(err) != errs.Unavailable {
		t.Errorf("Open = %v, want Unavailable", err)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the password: %v", err)
	}
}

func TestOpenRefusesNonsenseWithoutRepeatingThePassword(t *testing.T) {
	t.Parallel()
	_, err := pg.Open(t.Context(), "postgres://someone:hunter2@host:notaport/db")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open = %v, want an error without the password", err)
	}
}

func TestOpenLetsTheURLSizeThePool(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := pg.Open(t.Context(), url+"&pool_max_conns=3")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if got := pool.Config().MaxConns; got != 3 {
		t.Errorf("MaxConns = %d, want 3", got)
	}
	standard := dbtest.Pool(t)
	if got := standard.Config().MaxConns; got < 16 {
		t.Errorf("MaxConns = %d by default, want 16 or more", got)
	}
}

func TestOptionsOfAPool(t *testing.T) {
	t.Parallel()
	pool, err := pg.Open(t.Context(), dbtest.URL(t)+"&pool_max_conns=3&connect_timeout=9",
		pg.Options{Conns: 5, Connect: 4 * time.Second, Statement: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if c := pool.Config(); c.MaxConns != 5 || c.ConnConfig.ConnectTimeout != 4*time.Second || c.PingTimeout != 4*time.Second {
		t.Errorf("%d connections, made within %v and %v", c.MaxConns, c.ConnConfig.ConnectTimeout, c.PingTimeout)
	}
	_, err = pool.Exec(t.Context(), "SELECT pg_sleep(60)")
	assertUnavailable(t, "statement", err)
}

func TestInTxCommitsWhenTheFunctionSucceeds(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error { return insertNode(t.Context(), tx, "a") })
	if err != nil {
		t.Fatal(err)
	}
	if got := countNodes(t, pool); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

func TestInTxRollsBackWhenTheFunctionFails(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	broken := errors.New("broken")
	err := pg.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		return errors.Join(insertNode(t.Context(), tx, "a"), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("InTx = %v, want the function's error", err)
	}
	if got := countNodes(t, pool); got != 0 {
		t.Errorf("%d rows, want none", got)
	}
}

func TestInTxRollsBackAfterAPanicAndACancelledContext(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	ctx, cancel := context.WithCancel(t.Context())
	func() {
		defer func() { _ = recover() }()
		_ = pg.InTx(ctx, pool, func(tx pgx.Tx) error {
			if err := insertNode(ctx, tx, "a"); err != nil {
				t.Error(err)
			}
			cancel()
			panic("in the middle")
		})
	}()
	if got := countNodes(t, pool); got != 0 {
		t.Errorf("%d rows, want none", got)
	}
	if got := pool.Stat().AcquiredConns(); got != 0 {
		t.Errorf("%d connections were not given back", got)
	}
}

func TestInTxInsideATransactionIsASavepoint(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	err := pg.InTx(t.Context(), pool, func(outer pgx.Tx) error {
		if err := insertNode(t.Context(), outer, "kept"); err != nil {
			return err
		}
		inner := pg.InTx(t.Context(), outer, func(tx pgx.Tx) error { return insertNode(t.Context(), tx, "kept") })
		if inner == nil {
			t.Error("the duplicate was accepted")
		}
		return insertNode(t.Context(), outer, "after")
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := countNodes(t, pool); got != 2 {
		t.Errorf("%d rows, want 2", got)
	}
}
