// Package pg is everything between us and PostgreSQL: the pool, migrations,
// translated errors, the change feed, sealed settings and the private server.
package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

// DB is what services hold: a *pgxpool.Pool, or a pgx.Tx, on which Begin is a
// savepoint.
type DB interface {
	db.DBTX
	Begin(ctx context.Context) (pgx.Tx, error)
}

const (
	// connectTimeout bounds one attempt to connect. It is shorter than any media
	// server waits for a callback, so that a host that swallows packets costs a
	// refusal and not a hanging client.
	connectTimeout = 3 * time.Second
	// rollbackTimeout bounds the rollback of a transaction whose own context may
	// have ended already.
	rollbackTimeout = 2 * time.Second
)

// Open connects to the database at url (a postgres:// URL or a key=value
// string) and checks that it answers. Unless url says otherwise the pool holds
// up to four connections per processor, at least 16, and gives one attempt to
// connect three seconds. It fails with an errs.Unavailable error when the
// server does not answer.
//
// The url may name several hosts, of which target_session_attrs=read-write finds
// the primary. The one that took the last connection is asked first. And it may lead through PgBouncer in transaction mode. Migrations,
// the Feed and the Leader need sessions of their own and must then be given
// another way, to PostgreSQL itself (see Direct).
func Open(ctx context.Context, url string, options ...Options) (*pgxpool.Pool, error) {
	config, err := poolConfig(url)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		o.apply(config)
	}
	pool, err := openPool(ctx, config)
	if errors.Is(err, errRelayed) {
		return openRelayed(ctx, config.Copy(), strings.Contains(url, "default_query_exec_mode"))
	}
	return pool, err
}

// Options are what operators change of a pool; zero leaves a field as it is.
type Options struct {
	Conns   int           // at most
	Connect time.Duration // one attempt
	// Statement bounds one statement of the server. It cannot be set behind a
	// pooler in transaction mode, which has a setting of its own.
	Statement time.Duration
	// Tracer is told of statements and of waits for a connection; nil: nobody is.
	Tracer pgx.QueryTracer
}

func (o Options) apply(config *pgxpool.Config) {
	if o.Tracer != nil {
		config.ConnConfig.Tracer = o.Tracer
	}
	if o.Conns > 0 {
		config.MaxConns = int32(o.Conns)
	}
	if o.Connect > 0 {
		config.ConnConfig.ConnectTimeout, config.PingTimeout = o.Connect, o.Connect
	}
	if prepared := config.AfterConnect; o.Statement > 0 {
		config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			if err := prepared(ctx, conn); err != nil {
				return err
			}
			_, err := conn.Exec(ctx, fmt.Sprintf("SET statement_timeout = %d", o.Statement.Milliseconds()))
			return err
		}
	}
}

func openPool(ctx context.Context, config *pgxpool.Config) (*pgxpool.Pool, error) {
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", Err(err, nil))
	}
	return pool, nil
}

func poolConfig(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err) // pgx strikes the password out
	}
	known := &hosts{}
	setConnDefaults(config.ConnConfig, url, known)
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		known.order(c)
		return nil
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = int32(max(16, 4*runtime.GOMAXPROCS(0)))
	}
	if !strings.Contains(url, "pool_max_conn_idle_time") {
		config.MaxConnIdleTime = 5 * time.Minute
	}
	// After a failover an idle connection may lead nowhere without saying so.
	config.PingTimeout = connectTimeout
	config.AfterConnect = prepareFirst()
	return config, nil
}

// prepare has every execution planned for the tables as they are: a plan that is
// kept from when a table was small reads all of it when it has grown, until the
// server happens to analyse it. And it keeps a host that dies within a
// transaction from holding its locks until the network gives up.
func prepare(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET plan_cache_mode = force_custom_plan; SET idle_in_transaction_session_timeout = '1min'")
	return err
}

// Direct is how to connect to the database at url outside a pool, for what needs
// a session of its own. Where url leads through a pooler in transaction mode,
// MigrateUp fails with ErrPooled.
// Of the options, Connect matters.
func Direct(url string, options ...Options) (*pgx.ConnConfig, error) {
	// The pool's parser knows the pool_ parameters, which pgx's own would send
	// to the server.
	config, err := poolConfig(url)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		config.ConnConfig.ConnectTimeout = cmp.Or(o.Connect, config.ConnConfig.ConnectTimeout)
	}
	return config.ConnConfig, nil
}

func setConnDefaults(config *pgx.ConnConfig, url string, known *hosts) {
	if !strings.Contains(url, "connect_timeout") {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "stagedoor"
	}
	keep := config.OnPgError
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == readOnly {
			known.forget()
		}
		return err.Code != readOnly && keep(conn, err)
	}
}

// readOnly is what a server says that is no primary, or not any more. Such a
// connection is closed: the next one finds the primary, where url names several
// hosts or something that knows which one it is.
const readOnly = "25006"

// InTx runs fn in a transaction, or in a savepoint where db is one already. It
// commits when fn returns nil and rolls back when fn fails or panics. Errors
// of fn come back as they are, those of beginning and committing as of Err.
//
// A commit whose answer was lost may have happened: errs.Unavailable from here
// means "not known to be done".
func InTx(ctx context.Context, db DB, fn func(pgx.Tx) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", Err(err, nil))
	}
	defer rollback(ctx, tx)
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", Err(err, nil))
	}
	return nil
}

// rollback does nothing after a commit. Its error is of no use: a connection
// that cannot roll back is closed by the pool, which rolls back.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = tx.Rollback(ctx)
}
