package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// What tests of package pg_test need from inside.

const (
	MigrateLock = migrateLock
	MoveAtMost  = moveAtMost
)

// MigrateUpFiles is MigrateUp with other migrations than the schema's.
var MigrateUpFiles = migrateUp

// SetHeartbeat shortens what a test would wait for. A busy machine may answer late
// all the same. Call it before Start.
func (f *Feed) SetHeartbeat(d time.Duration) { f.beat, f.patience = d, max(5*d, f.patience) }

// SetPatience is how long a Leader's connection may take to answer. Call it before Run.
func (l *Leader) SetPatience(d time.Duration) { l.patience = d }

var CheckSession = checkSession

// OpenSession is that of a process which knows no host yet.
func OpenSession(ctx context.Context, config *pgx.ConnConfig, idle time.Duration) (*pgx.Conn, error) {
	return openSession(ctx, &hosts{}, config, idle)
}

// Hosts are those of a URL, for connections outside a pool.
type Hosts = hosts

func (h *Hosts) Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	return h.connect(ctx, config)
}
