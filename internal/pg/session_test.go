package pg_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestASessionEndsWhenItsServerBecomesReadOnly(t *testing.T) {
	t.Parallel()
	config, err := pg.Direct(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pg.OpenSession(t.Context(), config, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := pg.CheckSession(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	if pg.CheckSession(t.Context(), conn) == nil {
		t.Error("it goes on")
	}
}

func TestASilentSessionEnds(t *testing.T) {
	t.Parallel()
	config, err := pg.Direct(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pg.OpenSession(t.Context(), config, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WaitForNotification(t.Context()); err == nil {
		t.Error("it goes on")
	}
	if err := pg.CheckSession(t.Context(), conn); err == nil {
		t.Error("it is believed in")
	}
}

// A primary that was demoted may keep its connections, and refuses every change.
func TestAConnectionToAServerThatWasDemotedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	pool, err := pg.Open(t.Context(), url+"&pool_max_conns=1")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	demote(t, pool)
	if err := insertNode(t.Context(), pool, "refused"); errs.KindOf(pg.Err(err, nil)) != errs.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := insertNode(t.Context(), pool, "admitted"); err != nil {
		t.Errorf("the next connection: %v", err)
	}
}

// demote has the only connection of a pool refuse changes.
func demote(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
}
