// Package dbtest gives each test a database of its own on a real PostgreSQL.
// Only tests import it.
package dbtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
	"github.com/stagedoor-live/stagedoor/schema"
)

// EnvURL names the environment variable with the URL of the server to use. Its
// user must be allowed to create databases.
const EnvURL = "STAGEDOOR_TEST_DATABASE_URL"

// templateLock is the advisory lock under which the template is made.
const templateLock = 0x74_6d_70_6c // "tmpl"

// Pool returns a pool on a fresh, migrated database that is dropped when the
// test ends.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pg.Open(t.Context(), URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, pool) }) // before the drop, as cleanups run last in, first out
	return pool
}

// closePool names a test that keeps a connection, for which Close would wait
// until the whole run times out.
func closePool(t testing.TB, pool *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Errorf("the test did not give %d database connections back", pool.Stat().AcquiredConns())
	}
}

// URL returns the URL of a fresh, migrated database that is dropped when the
// test ends.
func URL(t testing.TB) string {
	t.Helper()
	return fresh(t, true)
}

// EmptyURL returns the URL of a fresh database without any tables, for tests
// of migrations.
func EmptyURL(t testing.TB) string {
	t.Helper()
	return fresh(t, false)
}

// Box returns a box with a fixed key.
func Box() *seal.Box {
	box, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		panic(err) // the key above has the right size
	}
	return box
}

// Log returns a logger that writes to the output of the test.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func fresh(t testing.TB, migrated bool) string {
	t.Helper()
	server := os.Getenv(EnvURL)
	if server == "" {
		t.Fatalf("%s is not set: run the tests with 'make test', or 'go run ./internal/dbtest/withpostgres -- go test …'", EnvURL)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := create(t.Context(), server, name, migrated); err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(context.Background(), server, name); err != nil { // t.Context() has ended
			t.Errorf("drop test database: %v", err)
		}
	})
	return WithDatabase(server, name)
}

func create(ctx context.Context, server, name string, migrated bool) error {
	return asAdmin(ctx, server, func(conn *pgx.Conn) (err error) {
		template := "template0"
		if migrated {
			if template, err = ensureTemplate(ctx, conn, server); err != nil {
				return fmt.Errorf("make template: %w", err)
			}
		}
		_, err = conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s%s", name, template, strategy(conn)))
		return err
	})
}

// strategy copies files where the server can choose: for a database as small
// as ours that takes half as long as writing it through the log.
func strategy(conn *pgx.Conn) string {
	major, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
	if version, err := strconv.Atoi(major); err != nil || version < 15 {
		return ""
	}
	return " STRATEGY FILE_COPY"
}

func drop(ctx context.Context, server, name string) error {
	return asAdmin(ctx, server, func(conn *pgx.Conn) error {
		if err := awaitLeaving(ctx, conn, name); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		return err
	})
}

// awaitLeaving gives connections that were closed a moment ago the time to go:
// a drop that meets one sleeps for a tenth of a second.
func awaitLeaving(ctx context.Context, conn *pgx.Conn, name string) error {
	for range 20 {
		var used bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1)", name).Scan(&used)
		if err != nil || !used {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil // somebody stays, and is sent away
}

// ensureTemplate returns the name of a database with the current schema, made
// by the first test that needs it. The name carries a hash of the migrations,
// so that a server that lives on never serves an old schema.
func ensureTemplate(ctx context.Context, conn *pgx.Conn, server string) (string, error) {
	name, err := templateName()
	if err != nil {
		return "", err
	}
	if done, err := isTemplate(ctx, conn, name); done || err != nil {
		return name, err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return "", err
	}
	defer conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", templateLock)
	if done, err := isTemplate(ctx, conn, name); done || err != nil {
		return name, err
	}
	// It may be there, half made by a process that died.
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", err
	}
	if err := pg.MigrateUp(ctx, WithDatabase(server, name)); err != nil {
		return "", err
	}
	if err := makeSessionsWritable(ctx, WithDatabase(server, name)); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+name+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
	return name, err
}

func isTemplate(ctx context.Context, conn *pgx.Conn, name string) (done bool, err error) {
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)", name).Scan(&done)
	return done, err
}

func templateName() (string, error) {
	hash := sha256.New()
	hash.Write([]byte(writableSessions))
	names, err := fs.Glob(schema.Files, "*.sql") // sorted
	if err != nil {
		return "", err
	}
	for _, name := range names {
		text, err := fs.ReadFile(schema.Files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
	}
	return "stagedoor_template_" + hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// WithDatabase returns server, a URL or a key=value string, pointing at
// another database of the same server.
func WithDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil || u.Scheme == "" {
		return server + " dbname=" + name // the last one counts
	}
	u.Path = "/" + name
	return u.String()
}
