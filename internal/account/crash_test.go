package account

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// crashDB loses the connection at the next commit: before the server did it, or
// after it and before its answer arrived.
type crashDB struct {
	pg.DB
	committed bool
}

type crashTx struct {
	pgx.Tx
	committed bool
}

func (d crashDB) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := d.DB.Begin(ctx)
	return crashTx{tx, d.committed}, err
}

func (tx crashTx) Commit(ctx context.Context) error {
	end := tx.Tx.Rollback
	if tx.committed {
		end = tx.Tx.Commit
	}
	if err := end(ctx); err != nil {
		return err
	}
	return errDown
}

// crash runs fn on a Service of its own whose commits fail in that way.
func (b *bundle) crash(t testing.TB, committed bool, fn func(*Service) error) {
	t.Helper()
	s := b.another(t, func(c *Config) { c.DB = crashDB{b.pool, committed} })
	wantErr(t, fn(s.Service), errs.Unavailable, "temporarily_unavailable")
}

func TestACrashBeforeTheCommitChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	used := b.pair(t, "alice")
	fresh := b.refresh(t, used.Refresh)
	for name, fn := range map[string]func(*Service) error{
		"log in":  func(s *Service) error { _, err := s.LoginPair(t.Context(), "alice", goodPassword, home()); return err },
		"refresh": func(s *Service) error { _, err := s.Refresh(t.Context(), p.Refresh); return err },
		"reuse":   func(s *Service) error { _, err := s.Refresh(t.Context(), used.Refresh); return err },
		"delete":  func(s *Service) error { return s.DeleteAccount(t.Context(), System(), "alice") },
		"key":     func(s *Service) error { _, _, err := s.CreateAccessKey(t.Context(), System(), "alice", ""); return err },
		"log out": func(s *Service) error {
			principal, err := s.Authenticate(t.Context(), p.Access.Value)
			if err != nil {
				return err
			}
			return s.Logout(t.Context(), principal)
		},
	} {
		t.Log(name)
		b.crash(t, false, fn)
	}
	if n := b.count(t, "SELECT (SELECT count(*) FROM refresh_families) * 100 + (SELECT count(*) FROM access_keys)"); n != 200 {
		t.Errorf("%d families and %d keys", n/100, n%100)
	}
	b.authenticate(t, p.Access)
	b.authenticate(t, fresh.Access)
	b.refresh(t, fresh.Refresh)
	b.refresh(t, p.Refresh)
}

// The client was told that it failed, but it did not: both pairs are void then,
// the old one because it was used, the new one because nobody has it. Trying
// again is what a thief would do, too.
func TestACrashAfterTheCommitLeavesNoSecondPair(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	b.crash(t, true, func(s *Service) error { _, err := s.Refresh(t.Context(), p.Refresh); return err })
	after := b.another(t)
	_, err := after.Authenticate(t.Context(), p.Access.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	_, err = after.Refresh(t.Context(), p.Refresh)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	if n := b.count(t, "SELECT count(*) FROM refresh_tokens"); n != 0 {
		t.Errorf("%d tokens stayed", n)
	}
}
