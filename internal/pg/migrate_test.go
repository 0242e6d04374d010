package pg_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func exec(t *testing.T, url, sql string, args ...any) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), sql, args...)
	return err
}

func assertVersion(t *testing.T, url string, want uint) {
	t.Helper()
	version, dirty, _, err := pg.MigrateStatus(t.Context(), url)
	if err != nil || version != want || dirty {
		t.Fatalf("MigrateStatus = %d, %t, %v, want a clean %d", version, dirty, err, want)
	}
}

func TestMigrationsGoUpDownAndUpAgain(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	_, _, latest, err := pg.MigrateStatus(t.Context(), url)
	if err != nil || latest == 0 {
		t.Fatalf("MigrateStatus = latest %d, %v", latest, err)
	}
	assertVersion(t, url, 0)
	for range 2 {
		if err := pg.MigrateUp(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		assertVersion(t, url, latest)
		if err := exec(t, url, "SELECT FROM rooms"); err != nil {
			t.Fatal(err)
		}
		if err := pg.MigrateUp(t.Context(), url); err != nil {
			t.Fatalf("with nothing to do: %v", err)
		}
		if err := pg.MigrateDown(t.Context(), url, 1000); err != nil {
			t.Fatal(err)
		}
		assertVersion(t, url, 0)
		assertEmpty(t, url)
		if err := pg.MigrateDown(t.Context(), url, 1); err != nil {
			t.Fatalf("with nothing to take back: %v", err)
		}
	}
}

// assertEmpty finds whatever a down migration forgot.
func assertEmpty(t *testing.T, url string) {
	t.Helper()
	err := exec(t, url, `DO $$ DECLARE left_over text; BEGIN
		SELECT string_agg(name, ', ') INTO left_over FROM (
			SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
				AND relname NOT LIKE 'schema_migrations%'
			UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
			UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
				AND typname NOT LIKE '%schema_migrations') AS things;
		IF left_over IS NOT NULL THEN RAISE EXCEPTION 'left over: %', left_over; END IF;
	END $$`)
	if err != nil {
		t.Fatal(err)
	}
}

func TestMigrateUpByManyProcessesAtOnceMigratesOnceAndLeavesNoConnection(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := pg.MigrateUp(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := exec(t, url, "SELECT FROM rooms"); err != nil {
		t.Error(err)
	}
	// Without FORCE this fails when somebody is still connected.
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec(t, dbtest.WithDatabase(url, "postgres"), "DROP DATABASE "+config.Database); err != nil {
		t.Error(err)
	}
}

func TestMigrateUpUnderstandsKeyValueStrings(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	pairs := fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable pool_max_conns=2",
		config.Host, config.Port, config.User, config.Password, config.Database)
	if err := pg.MigrateUp(t.Context(), pairs); err != nil {
		t.Fatal(err)
	}
	if err := exec(t, url, "SELECT FROM rooms"); err != nil {
		t.Error(err)
	}
}

func TestMigrateUpStopsWaitingForOthersWithItsContext(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	// Another process is in the middle of its migration.
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", pg.MigrateLock); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- pg.MigrateUp(ctx, url) }()
	for waiting := false; !waiting; {
		err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := receive(t, result); !errors.Is(err, context.Canceled) {
		t.Errorf("MigrateUp = %v, want context.Canceled", err)
	}
	assertVersion(t, url, 0)
}

func TestMigrateUpRefusesANewerDatabase(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	if err := exec(t, url, "UPDATE schema_migrations SET version = 9999"); err != nil {
		t.Fatal(err)
	}
	if err := pg.MigrateUp(t.Context(), url); err == nil || !strings.Contains(err.Error(), "9999") {
		t.Errorf("MigrateUp = %v, want a refusal that names the version", err)
	}
}

func TestMigrateUpRefusesADirtyDatabase(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	if err := exec(t, url, "UPDATE schema_migrations SET dirty = true"); err != nil {
		t.Fatal(err)
	}
	if err := pg.MigrateUp(t.Context(), url); err == nil {
		t.Error("MigrateUp accepted a dirty database")
	}
	if _, dirty, _, err := pg.MigrateStatus(t.Context(), url); !dirty || err != nil {
		t.Errorf("MigrateStatus = dirty %t, %v", dirty, err)
	}
}

func TestFailedMigrationLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	migrations := func(second string) fstest.MapFS {
		return fstest.MapFS{
			"0001_first.up.sql":  {Data: []byte("CREATE TABLE first ()")},
			"0002_second.up.sql": {Data: []byte(second)},
		}
	}
	if err := pg.MigrateUpFiles(t.Context(), url, migrations("CREATE TABLE second (); SELECT 1/0")); err == nil {
		t.Fatal("the broken migration succeeded")
	}
	assertVersion(t, url, 1)
	if err := pg.MigrateUpFiles(t.Context(), url, migrations("CREATE TABLE second () -- repaired")); err != nil {
		t.Fatalf("after the repair: %v", err)
	}
	assertVersion(t, url, 2)
	if err := exec(t, url, "SELECT FROM first, second"); err != nil {
		t.Error(err)
	}
}

func TestMigrateDownWantsAStep(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	if err := pg.MigrateDown(t.Context(), url, 0); err == nil {
		t.Error("zero steps were accepted")
	}
	if err := exec(t, url, "SELECT FROM rooms"); err != nil {
		t.Error(err)
	}
}
