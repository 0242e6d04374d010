package pg

// What tests of package pg_test need from inside.

const MigrateLock = migrateLock

// MigrateUpFiles is MigrateUp with other migrations than the schema's.
var MigrateUpFiles = migrateUp
