package account

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// maxStreamTokenID bounds the id of a stream token that is revoked. Ours have 22
// characters.
const maxStreamTokenID = 64

// RevokeStreamToken refuses a stream token by its id from now on, here before it
// returns, on other processes when the change reaches them. Until is when the
// token ends anyway. It refuses nothing at a server that verifies tokens on its own, but
// who came in by it and is on record is cut off.
//
// It returns Invalid for an id that no token of ours has.
func (s *Service) RevokeStreamToken(ctx context.Context, tokenID string, until time.Time) error {
	if tokenID == "" || len(tokenID) > maxStreamTokenID {
		return errs.InvalidField("token", "a token id has 1 to 64 characters")
	}
	ended, now := access{tokenID: tokenID, expires: until}, s.now()
	err := pg.InTx(ctx, s.db, func(tx pgx.Tx) error {
		if err := s.revoke(ctx, tx, ended, "", now); err != nil {
			return err
		}
		return s.revoked(ctx, tx, streamTokenKind, []string{tokenID}, "token_revoked")
	})
	if err != nil {
		return fmt.Errorf("revoke stream token: %w", pg.Err(err, nil))
	}
	s.refuse([]access{ended})
	return nil
}

// StreamTokenRevoked reports whether a stream token was revoked, from memory.
func (s *Service) StreamTokenRevoked(tokenID string) bool {
	_, revoked := s.memory.revocation(tokenID)
	return revoked
}
