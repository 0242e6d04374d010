package account

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const (
	accountsTable      = "accounts"
	tokenKeysTable     = "token_keys"
	revokedTokensTable = "revoked_tokens"
	accessKeysTable    = "access_keys"

	// revokedSlack keeps a revocation somewhat longer than its token, for
	// processes whose clocks run behind ours.
	revokedSlack = time.Hour

	// revokedKeyKept is how long a revoked access key is refused by that name.
	revokedKeyKept = 30 * 24 * time.Hour
)

// Tables names what the Service holds in memory.
func (s *Service) Tables() []string {
	return []string{accountsTable, tokenKeysTable, revokedTokensTable, accessKeysTable}
}

// Reload reads everything again, all but the token keys in one snapshot. Those
// are few and read in turn: an older reading never follows a newer one.
func (s *Service) Reload(ctx context.Context, q pg.DB) error {
	if err := s.loadKeys(ctx, q); err != nil {
		return fmt.Errorf("load token keys: %w", err)
	}
	mark := s.memory.mark() // what is put in from here on may be newer than the snapshot
	return pg.InSnapshot(ctx, q, func(tx pgx.Tx) error {
		if err := s.loadRevoked(ctx, tx); err != nil {
			return fmt.Errorf("load revoked tokens: %w", err)
		}
		if err := s.loadAccessKeys(ctx, tx, mark); err != nil {
			return fmt.Errorf("load access keys: %w", err)
		}
		rows, err := s.q.AccountListAll(ctx, tx)
		if err != nil {
			return fmt.Errorf("load accounts: %w", pg.Err(err, nil))
		}
		s.memory.replace(rows, mark)
		return nil
	})
}

// Apply makes memory agree with changed rows, with one query for those that come
// in numbers.
func (s *Service) Apply(ctx context.Context, q pg.DB, changes ...pg.Change) error {
	keys := map[string][]string{}
	for _, c := range changes {
		keys[c.Table] = append(keys[c.Table], c.Key)
	}
	if names := keys[accountsTable]; len(names) > 0 {
		if err := s.applyAccounts(ctx, q, names); err != nil {
			return err
		}
	}
	if ids := keys[revokedTokensTable]; len(ids) > 0 {
		if err := s.applyRevoked(ctx, q, ids); err != nil {
			return err
		}
	}
	for _, id := range keys[accessKeysTable] {
		if err := s.applyAccessKey(ctx, q, id); err != nil {
			return err
		}
	}
	if len(keys[tokenKeysTable]) > 0 {
		return s.loadKeys(ctx, q)
	}
	return nil
}

// loadRevoked adds to what is known: a revocation is never taken back.
func (s *Service) loadRevoked(ctx context.Context, q pg.DB) error {
	since := s.now().Add(-revokedSlack)
	rows, err := s.q.RevokedTokenListLive(ctx, q, since)
	if err != nil {
		return pg.Err(err, nil)
	}
	for _, row := range rows {
		s.memory.revoke(row.JTI, revocation{row.ExpiresAt, row.Superseded})
	}
	return nil
}

func (s *Service) applyRevoked(ctx context.Context, q pg.DB, jtis []string) error {
	rows, err := s.q.RevokedTokensByJTI(ctx, q, jtis) // without those that are purged since
	for _, row := range rows {
		s.memory.revoke(row.JTI, revocation{row.ExpiresAt, row.Superseded})
	}
	return pg.Err(err, nil)
}

// Forget drops from memory what has ended for good. Every process calls it now
// and then.
func (s *Service) Forget() {
	now := s.now()
	s.memory.forget(now.Add(-revokedSlack), now)
}

// Purge deletes what has ended for good: revocations of expired tokens, expired
// refresh tokens and access keys revoked long ago. One process calls it now and
// then, for all.
func (s *Service) Purge(ctx context.Context) error {
	s.Forget()
	now := s.now()
	before := now.Add(-revokedSlack)
	for what, purge := range map[string]func() error{
		"revoked tokens": func() error { return s.q.RevokedTokenDeleteBefore(ctx, s.db, before) },
		"refresh tokens": func() error { return s.q.RefreshTokenDeleteBefore(ctx, s.db, before) },
		"access keys":    func() error { return s.q.AccessKeyDeleteRevokedBefore(ctx, s.db, now.Add(-revokedKeyKept)) },
	} {
		if err := purge(); err != nil {
			return fmt.Errorf("purge %s: %w", what, pg.Err(err, nil))
		}
	}
	return nil
}
