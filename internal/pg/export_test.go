package pg

import "time"

// What tests of package pg_test need from inside.

const (
	MigrateLock = migrateLock
	MoveAtMost  = moveAtMost
)

// MigrateUpFiles is MigrateUp with other migrations than the schema's.
var MigrateUpFiles = migrateUp

// SetHeartbeat shortens what a test would wait for. Call it before Start.
func (f *Feed) SetHeartbeat(d time.Duration) { f.beat, f.patience = d, 5*d }

var OpenSession, CheckSession = openSession, checkSession
