package pg

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Rows are rows on their way into a table, in the binary form of COPY. A table
// that many are written to is worth saying them one by one: that costs half of
// what pgx needs, which finds out what each of the values is. The zero value has
// no rows, and one that was written can be emptied and used again.
type Rows struct{ data []byte }

// copyHeader is the signature, no flags, and no extension.
const copyHeader = "PGCOPY\n\377\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// Reset leaves no rows.
func (r *Rows) Reset() { r.data = append(r.data[:0], copyHeader...) }

// Add begins a row, of which so many values follow.
func (r *Rows) Add(values int) {
	if len(r.data) == 0 {
		r.Reset()
	}
	r.data = binary.BigEndian.AppendUint16(r.data, uint16(values))
}

// Bytes is a value of type bytea.
func (r *Rows) Bytes(v []byte) {
	r.data = append(binary.BigEndian.AppendUint32(r.data, uint32(len(v))), v...)
}

// Text is a value of type text.
func (r *Rows) Text(v string) {
	r.data = append(binary.BigEndian.AppendUint32(r.data, uint32(len(v))), v...)
}

// Int is a value of type bigint.
func (r *Rows) Int(v int64) {
	r.data = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(r.data, 8), uint64(v))
}

// Time is a value of type timestamptz, which keeps microseconds.
func (r *Rows) Time(v time.Time) { r.Int(v.UnixMicro() - postgresEpoch) }

// postgresEpoch is the start of the year 2000 in microseconds since 1970.
const postgresEpoch = 946_684_800_000_000

// CopyTo writes the rows in one statement. Their values have the types of the
// columns, whose names need no quotes. Errors are those of the driver; after one, nobody knows whether they
// were written, unless the server has said so.
func (r *Rows) CopyTo(ctx context.Context, pool *pgxpool.Pool, table string, columns []string) error {
	return pool.AcquireFunc(ctx, func(c *pgxpool.Conn) (err error) {
		conn, name := c.Conn(), pgx.Identifier{table}
		if tracer, ok := conn.Config().Tracer.(pgx.CopyFromTracer); ok {
			ctx = tracer.TraceCopyFromStart(ctx, conn, pgx.TraceCopyFromStartData{TableName: name, ColumnNames: columns})
			defer func() { tracer.TraceCopyFromEnd(ctx, conn, pgx.TraceCopyFromEndData{Err: err}) }()
		}
		_, err = conn.PgConn().CopyFrom(ctx, bytes.NewReader(r.data), copySQL(name, columns))
		return err
	})
}

func copySQL(table pgx.Identifier, columns []string) string {
	return "COPY " + table.Sanitize() + " (" + strings.Join(columns, ", ") + ") FROM STDIN BINARY"
}
