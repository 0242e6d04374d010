package pg

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Copier is a pool whose CopyFrom takes half of what that of pgx does, which finds
// out for each value what it is. The columns may be of the types bytea, text, bigint
// and timestamptz, and none of the values null. One goroutine at a time may use it.
type Copier struct {
	*pgxpool.Pool
	data []byte // of the last time, whose room is used again
}

// CopyFrom writes rows in one statement. Table and columns need no quotes. Errors are
// those of the driver; after one, nobody knows whether the rows were written, unless
// the server has said so.
func (c *Copier) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (n int64, err error) {
	if c.data, err = appendRows(append(c.data[:0], copyHeader...), rows); err != nil {
		return 0, err
	}
	err = c.AcquireFunc(ctx, func(lent *pgxpool.Conn) (err error) {
		conn := lent.Conn()
		if tracer, ok := conn.Config().Tracer.(pgx.CopyFromTracer); ok {
			ctx = tracer.TraceCopyFromStart(ctx, conn, pgx.TraceCopyFromStartData{TableName: table, ColumnNames: columns})
			defer func() { tracer.TraceCopyFromEnd(ctx, conn, pgx.TraceCopyFromEndData{Err: err}) }()
		}
		tag, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(c.data), copySQL(table, columns))
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

func copySQL(table pgx.Identifier, columns []string) string {
	return "COPY " + table.Sanitize() + " (" + strings.Join(columns, ", ") + ") FROM STDIN BINARY"
}

// copyHeader is the signature, no flags, and no extension.
const copyHeader = "PGCOPY\n\377\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

func appendRows(data []byte, rows pgx.CopyFromSource) ([]byte, error) {
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return data, err
		}
		data = binary.BigEndian.AppendUint16(data, uint16(len(values)))
		for _, v := range values {
			if data, err = appendValue(data, v); err != nil {
				return data, err
			}
		}
	}
	return data, rows.Err()
}

// appendValue writes the length of a value and the value.
func appendValue(data []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return append(binary.BigEndian.AppendUint32(data, uint32(len(v))), v...), nil
	case []byte:
		return append(binary.BigEndian.AppendUint32(data, uint32(len(v))), v...), nil
	case int64:
		return appendInt(data, v), nil
	case time.Time: // of which microseconds are kept
		return appendInt(data, v.UnixMicro()-postgresEpoch), nil
	}
	return data, fmt.Errorf("a value of type %T cannot be copied", v)
}

func appendInt(data []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(data, 8), uint64(v))
}

// postgresEpoch is the start of the year 2000 in microseconds since 1970.
const postgresEpoch = 946_684_800_000_000
