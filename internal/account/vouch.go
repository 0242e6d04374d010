package account

import (
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Vouch returns a mark of how an account may log in at this moment. A link that
// carries it can be turned into a login by IssueFor, and no longer can once the
// password has changed or the account was logged out everywhere. Errors:
// Unauthorized account_disabled or token_invalid, Unavailable.
func (s *Service) Vouch(ctx context.Context, username string) (mark int64, err error) {
	row, known, err := s.find(ctx, username)
	switch {
	case err != nil:
		return 0, err
	case !known:
		return 0, errTokenInvalid
	case row.DisabledAt != nil:
		return 0, errAccountDisabled
	}
	return row.TokensNotBefore.UnixMicro(), nil
}

var errVouchOver = errs.New(errs.Unauthorized, "token_revoked", "the login behind this token has ended")

// IssueFor returns an access token for ttl, as Login does, to somebody who holds
// proof made with Vouch in place of the password. Errors: Unauthorized
// token_invalid, token_revoked or account_disabled, Unavailable.
func (s *Service) IssueFor(ctx context.Context, username string, mark int64, ttl time.Duration) (Token, error) {
	row, known, err := s.find(ctx, username)
	switch {
	case err != nil:
		return Token{}, err
	case !known:
		return Token{}, errTokenInvalid
	case row.TokensNotBefore.UnixMicro() != mark:
		return Token{}, errVouchOver
	case row.DisabledAt != nil:
		return Token{}, errAccountDisabled
	}
	s.memory.put(row)
	return s.issue(row, s.now(), ttl)
}
