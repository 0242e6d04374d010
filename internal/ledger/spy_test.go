package ledger

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// spyDB is the ledger's way to the database with a spy on it.
type spyDB struct {
	pg.DB
	begun, committed atomic.Int64
	// exec may fail a statement, commit a commit, begin a transaction. Nil means
	// to go on.
	begin  func() error
	exec   func(sql string, args []any) error
	commit func(ctx context.Context, tx pgx.Tx) (done bool, err error)
}

// on is an option that puts the spy between the ledger and its database.
func (s *spyDB) on() option {
	return withDB(func(real pg.DB) pg.DB { s.DB = real; return s })
}

func (s *spyDB) Begin(ctx context.Context) (pgx.Tx, error) {
	s.begun.Add(1)
	if s.begin != nil {
		if err := s.begin(); err != nil {
			return nil, err
		}
	}
	tx, err := s.DB.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &spyTx{Tx: tx, spy: s}, nil
}

// CopyFrom is a transaction of its own.
func (s *spyDB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	tx, err := s.Begin(ctx)
	if err != nil {
		return 0, err
	}
	n, err := tx.CopyFrom(ctx, table, columns, rows)
	if err != nil {
		return n, errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}
	if err := tx.Commit(ctx); err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx)) // of a commit that the spy failed
		return n, err
	}
	return n, nil
}

type spyTx struct {
	pgx.Tx
	spy  *spyDB
	gone bool // taken over by the commit hook
}

func (t *spyTx) check(sql string, args []any) error {
	if t.spy.exec == nil {
		return nil
	}
	return t.spy.exec(sql, args)
}

func (t *spyTx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	var all [][]any
	var args []any
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return 0, err
		}
		all, args = append(all, row), append(args, row...)
	}
	if err := t.check("COPY "+table.Sanitize(), args); err != nil {
		return 0, err
	}
	return t.Tx.CopyFrom(ctx, table, columns, pgx.CopyFromRows(all))
}

func (t *spyTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.check(sql, args); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.Tx.Exec(ctx, sql, args...)
}

func (t *spyTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.check(sql, args); err != nil {
		return nil, err
	}
	return t.Tx.Query(ctx, sql, args...)
}

func (t *spyTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.check(sql, args); err != nil {
		return failedRow{err}
	}
	return t.Tx.QueryRow(ctx, sql, args...)
}

func (t *spyTx) Commit(ctx context.Context) error {
	if t.spy.commit != nil {
		done, err := t.spy.commit(ctx, t.Tx)
		t.gone = done
		if done || err != nil {
			return err
		}
	}
	t.spy.committed.Add(1)
	return t.Tx.Commit(ctx)
}

func (t *spyTx) Rollback(ctx context.Context) error {
	if t.gone {
		return nil
	}
	return t.Tx.Rollback(ctx)
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
