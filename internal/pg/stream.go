package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

// Raw is a text or bytea column of the row that a query is at. It is not copied,
// and good until the next row.
type Raw []byte

// ScanBytes implements pgtype.BytesScanner. NULL is nil.
func (r *Raw) ScanBytes(v []byte) error {
	*r = v
	return nil
}

// Stream runs a query of gen/db that returns many rows, but hands them over one
// by one: query calls it with the database it gets, row scans the columns in the
// order in which they are selected into the same places each time, and is then
// done with them. A million rows are never in memory at once.
func Stream(ctx context.Context, d db.DBTX, query func(db.DBTX) error, columns []any, row func() error) error {
	var s statement
	if err := query(&s); !errors.Is(err, errStreamed) {
		return errors.Join(errors.New("stream: not a query of many rows"), err)
	}
	rows, err := d.Query(ctx, s.sql, s.args...)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, columns, row)
	return err
}

var errStreamed = errors.New("the rows are streamed")

// statement is a database that remembers what it was asked.
type statement struct {
	db.DBTX
	sql  string
	args []any
}

func (s *statement) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.sql, s.args = sql, args
	return nil, errStreamed
}

func (s *statement) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errors.New("stream: not a query")
}
