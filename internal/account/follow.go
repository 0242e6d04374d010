package account

import (
	"context"
	"errors"
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

// Reload reads everything again.
func (s *Service) Reload(ctx context.Context, q pg.DB) error {
	if err := s.loadKeys(ctx, q); err != nil {
		return fmt.Errorf("load token keys: %w", err)
	}
	if err := s.loadRevoked(ctx, q); err != nil {
		return fmt.Errorf("load revoked tokens: %w", err)
	}
	if err := s.loadAccessKeys(ctx, q); err != nil {
		return fmt.Errorf("load access keys: %w", err)
	}
	mark := s.memory.mark()
	rows, err := s.q.AccountListAll(ctx, q)
	if err != nil {
		return fmt.Errorf("load accounts: %w", pg.Err(err, nil))
	}
	s.memory.replace(rows, mark)
	return nil
}

// Apply makes memory agree with one changed row.
func (s *Service) Apply(ctx context.Context, q pg.DB, c pg.Change) error {
	switch c.Table {
	case accountsTable:
		return s.applyAccount(ctx, q, c.Key)
	case tokenKeysTable:
		return s.loadKeys(ctx, q)
	case revokedTokensTable:
		return s.applyRevoked(ctx, q, c.Key)
	case accessKeysTable:
		return s.applyAccessKey(ctx, q, c.Key)
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

func (s *Service) applyRevoked(ctx context.Context, q pg.DB, jti string) error {
	row, err := s.q.RevokedTokenByJTI(ctx, q, jti)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // purged since
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	s.memory.revoke(row.JTI, revocation{row.ExpiresAt, row.Superseded})
	return nil
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
