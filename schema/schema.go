// Package schema holds the database migrations, embedded in the binary.
package schema

import "embed"

// Files are the migrations, named 0001_name.up.sql and 0001_name.down.sql.
//
//go:embed *.sql
var Files embed.FS
