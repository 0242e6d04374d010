package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// queueSince is the migration from which on the job queue is there. Its tables
// are River's, which brings them up and down itself, in a schema of their own.
const queueSince = 19

// QueueSchema names the schema of the job queue: "river", or where our own
// tables are in another schema than the public one, a name made of that.
func QueueSchema(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) (name string, err error) {
	err = db.QueryRow(ctx, "SELECT CASE current_schema() WHEN 'public' THEN 'river' ELSE current_schema() || '_river' END").Scan(&name)
	return name, Err(err, nil)
}

// queueVersions returns the version of the queue's tables, zero where there are
// none, and the newest one that this binary knows.
func queueVersions(ctx context.Context, conn *pgx.Conn) (version, latest int, err error) {
	m, err := queueMigrator(nil, "")
	if err != nil {
		return 0, 0, err
	}
	for _, known := range m.AllVersions() {
		latest = max(latest, known.Version)
	}
	schema, err := QueueSchema(ctx, conn)
	if err != nil {
		return 0, latest, err
	}
	err = conn.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM "+pgx.Identifier{schema, "river_migration"}.Sanitize()).Scan(&version)
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && slices.Contains([]string{"42P01", "3F000"}, pgErr.Code) { // no such table, no such schema
		return 0, latest, nil
	}
	if err != nil {
		return 0, latest, fmt.Errorf("read the queue's version: %w", Err(err, nil))
	}
	return version, latest, nil
}

func queueMigrator(pool *pgxpool.Pool, schema string) (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: schema, Logger: slog.New(slog.DiscardHandler)})
}

// queueUp brings the tables of the queue up to date, each step in a transaction
// of its own: one that is cut short is done by the next start.
func queueUp(ctx context.Context, conn *pgx.Conn) error {
	version, latest, err := queueVersions(ctx, conn)
	if err != nil || version == latest {
		return err
	}
	if version > latest {
		return fmt.Errorf("the database has version %d of the queue's tables, this binary knows %d: run the newer binary", version, latest)
	}
	return withQueue(ctx, conn, func(schema string, m *rivermigrate.Migrator[pgx.Tx]) error {
		if _, err := conn.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize()); err != nil {
			return err
		}
		_, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
}

// queueDown removes the queue with all jobs in it.
func queueDown(ctx context.Context, conn *pgx.Conn) error {
	version, _, err := queueVersions(ctx, conn)
	if err != nil {
		return err
	}
	return withQueue(ctx, conn, func(schema string, m *rivermigrate.Migrator[pgx.Tx]) error {
		if version > 0 {
			if _, err := m.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1}); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize())
		return err
	})
}

func withQueue(ctx context.Context, conn *pgx.Conn, fn func(schema string, m *rivermigrate.Migrator[pgx.Tx]) error) error {
	schema, err := QueueSchema(ctx, conn)
	if err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return err
	}
	config.ConnConfig, config.MaxConns = conn.Config(), 1
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	m, err := queueMigrator(pool, schema)
	if err != nil {
		return err
	}
	if err := fn(schema, m); err != nil {
		return fmt.Errorf("the queue's tables: %w", Err(err, nil))
	}
	return nil
}
