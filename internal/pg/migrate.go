package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/stagedoor-live/stagedoor/schema"
)

// migrateLock is the advisory lock that lets one process migrate at a time.
// golang-migrate's own lock gives up after a fixed time and leaks its waiter;
// ours waits as long as the context allows.
const migrateLock = 0x73_74_67_64 // "stgd"

// MigrateUp brings the database at url to the newest schema this binary knows.
// Any number of processes may call it at once; one migrates and the others
// wait. Where there is nothing to do it costs one connection and needs no right
// to change the schema. A database that is newer than the binary is an error.
func MigrateUp(ctx context.Context, url string, options ...Options) error {
	return migrateUp(ctx, url, schema.Files, options...)
}

func migrateUp(ctx context.Context, url string, files fs.FS, options ...Options) error {
	return migrateLocked(ctx, url, files, options, func(conn *pgx.Conn, config *pgx.ConnConfig, version, latest uint) error {
		if version > latest {
			return fmt.Errorf("the database has schema version %d, this binary knows %d: run the newer binary, or its 'migrate down' first", version, latest)
		}
		if version < latest {
			if err := runMigrations(config, files, (*migrate.Migrate).Up); err != nil {
				return err
			}
		}
		if latest < queueSince {
			return nil
		}
		return queueUp(ctx, conn)
	})
}

// MigrateDown takes back the newest steps migrations, with the data in what
// they made; all of them where there are fewer.
func MigrateDown(ctx context.Context, url string, steps int, options ...Options) error {
	if steps < 1 {
		return fmt.Errorf("migrate down: %d steps, want one or more", steps)
	}
	return migrateLocked(ctx, url, schema.Files, options, func(conn *pgx.Conn, config *pgx.ConnConfig, version, _ uint) error {
		if version == 0 {
			return nil
		}
		target, err := versionBelow(schema.Files, version, steps)
		if err == nil && target < queueSince {
			err = queueDown(ctx, conn)
		}
		if err != nil {
			return err
		}
		return runMigrations(config, schema.Files, func(m *migrate.Migrate) error { return m.Steps(-steps) })
	})
}

// MigrateStatus returns the schema version of the database at url (zero when it
// is empty), whether a migration failed halfway there, and the newest version
// that this binary knows.
func MigrateStatus(ctx context.Context, url string, options ...Options) (version uint, dirty bool, latest uint, err error) {
	if latest, err = latestMigration(schema.Files); err != nil {
		return 0, false, 0, err
	}
	err = inSession(ctx, url, options, func(conn *pgx.Conn) (err error) {
		version, dirty, err = currentMigration(ctx, conn)
		return err
	})
	return version, dirty, latest, err
}

// QueueStatus returns the same of the tables of the job queue, of which each
// step is whole or not at all.
func QueueStatus(ctx context.Context, url string, options ...Options) (version, latest int, err error) {
	err = inSession(ctx, url, options, func(conn *pgx.Conn) (err error) {
		version, latest, err = queueVersions(ctx, conn)
		return err
	})
	return version, latest, err
}

// inSession calls fn with a connection to PostgreSQL itself.
func inSession(ctx context.Context, url string, options []Options, fn func(*pgx.Conn) error) error {
	config, err := Direct(url, options...)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("migrate: %w", Err(err, nil))
	}
	defer closeConn(ctx, conn)
	if err := demandSession(ctx, conn, config); err != nil {
		return fmt.Errorf("migrate: %w", Err(err, nil))
	}
	return fn(conn)
}

// migrateLocked calls change while no other process can migrate.
func migrateLocked(ctx context.Context, url string, files fs.FS, options []Options, change func(conn *pgx.Conn, config *pgx.ConnConfig, version, latest uint) error) error {
	latest, err := latestMigration(files)
	if err != nil {
		return err
	}
	config, err := Direct(url, options...)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("migrate: %w", Err(err, nil))
	}
	defer closeConn(ctx, conn) // which gives the lock back
	if err := demandSession(ctx, conn, config); err != nil {
		return fmt.Errorf("migrate: %w", Err(err, nil))
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", migrateLock); err != nil {
		return fmt.Errorf("migrate: wait for the lock: %w", Err(err, nil))
	}
	version, dirty, err := currentMigration(ctx, conn)
	if err != nil {
		return err
	}
	if dirty {
		return fmt.Errorf("migrate: migration %d failed halfway; repair the schema by hand and set dirty to false in schema_migrations", version)
	}
	if err := change(conn, config, version, latest); err != nil {
		return fmt.Errorf("migrate: %w", Err(err, nil))
	}
	return nil
}

func currentMigration(ctx context.Context, conn *pgx.Conn) (version uint, dirty bool, err error) {
	var stored int64
	err = conn.QueryRow(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&stored, &dirty)
	if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "42P01" { // no such table
		return 0, false, nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read schema version: %w", Err(err, nil))
	}
	return uint(max(stored, 0)), dirty, nil
}

func latestMigration(files fs.FS) (latest uint, err error) {
	versions, err := knownMigrations(files)
	if err != nil || len(versions) == 0 {
		return 0, err
	}
	return versions[len(versions)-1], nil
}

// versionBelow is the one that a number of steps down lead to.
func versionBelow(files fs.FS, version uint, steps int) (uint, error) {
	versions, err := knownMigrations(files)
	if err != nil {
		return 0, err
	}
	at, _ := slices.BinarySearch(versions, version)
	if steps > at {
		return 0, nil
	}
	return versions[at-steps], nil
}

// knownMigrations lists the versions in their order.
func knownMigrations(files fs.FS) (versions []uint, err error) {
	source, err := iofs.New(files, ".")
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	defer source.Close()
	for version, err := source.First(); ; version, err = source.Next(version) {
		if errors.Is(err, fs.ErrNotExist) {
			return versions, nil
		}
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		versions = append(versions, version)
	}
}

func runMigrations(config *pgx.ConnConfig, files fs.FS, run func(*migrate.Migrate) error) error {
	source, err := iofs.New(files, ".")
	if err != nil {
		return err
	}
	// From a parsed configuration, not from a URL: golang-migrate understands
	// neither key=value strings nor sockets.
	instance := stdlib.OpenDB(*config)
	defer instance.Close()
	driver, err := migratepgx.WithInstance(instance, &migratepgx.Config{})
	if err != nil {
		return err
	}
	m, err := migrate.NewWithInstance("iofs", source, "postgres", &atomicDriver{Driver: driver})
	if err != nil {
		return errors.Join(err, driver.Close())
	}
	err = run(m)
	var short migrate.ErrShortLimit
	if errors.Is(err, migrate.ErrNoChange) || errors.As(err, &short) {
		err = nil
	}
	sourceErr, driverErr := m.Close()
	return errors.Join(err, sourceErr, driverErr)
}

// atomicDriver commits each migration together with its version number. Plain
// golang-migrate marks the database dirty before and clean after, so a process
// that is killed in between leaves one that refuses to start. PostgreSQL runs
// the statements of one simple query as one transaction; a migration must
// therefore not contain COMMIT or CREATE INDEX CONCURRENTLY.
type atomicDriver struct {
	database.Driver
	target int
	done   bool
}

// SetVersion is called with dirty true before a migration and false after.
func (d *atomicDriver) SetVersion(version int, dirty bool) error {
	if dirty {
		d.target, d.done = version, false
		return nil
	}
	if d.done {
		return nil
	}
	return d.Driver.SetVersion(version, false) // a version without statements
}

func (d *atomicDriver) Run(migration io.Reader) error {
	text, err := io.ReadAll(migration)
	if err != nil {
		return err
	}
	var script strings.Builder
	script.Write(text)
	script.WriteString("\n;TRUNCATE schema_migrations;")
	if d.target != database.NilVersion {
		fmt.Fprintf(&script, "INSERT INTO schema_migrations (version, dirty) VALUES (%d, false);", d.target)
	}
	if err := d.Driver.Run(strings.NewReader(script.String())); err != nil {
		return err
	}
	d.done = true
	return nil
}
