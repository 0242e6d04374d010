package pg

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// InSnapshot runs fn in a transaction that sees the database as it is at one
// moment, and writes nothing. Errors are as of InTx.
func InSnapshot(ctx context.Context, db DB, fn func(pgx.Tx) error) error {
	return InTx(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
			return err
		}
		return fn(tx)
	})
}
