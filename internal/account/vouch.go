package account

import (
	"context"
	"fmt"
	"time"
)

// Voucher stands for a login: links that carry one, signed by somebody, can be
// turned into another login of the same account while the first is in force.
type Voucher struct {
	TokenID    string
	Generation int64
	AuthTime   time.Time // when the password was given, in whole seconds
}

// Vouch returns a voucher for the login of a principal. One that holds an access
// key gets none that is of use.
func Vouch(p Principal) Voucher {
	return Voucher{TokenID: p.TokenID, Generation: p.generation, AuthTime: p.authTime}
}

// LoginFor returns an access token for ttl, as Login does, to the holder of a
// voucher of the account. No chain of such logins outlives the password by more
// than MaxTTL. Errors are those of Authenticate: the voucher ends with the token
// that it was made from when that is revoked, and with the password.
func (s *Service) LoginFor(ctx context.Context, username string, v Voucher, ttl time.Duration) (Token, error) {
	now := s.now()
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	if !validUsername(username) || v.TokenID == "" {
		return Token{}, errTokenInvalid
	}
	left := v.AuthTime.Add(MaxTTL).Sub(now)
	if left < time.Second {
		return Token{}, errTokenExpired
	}
	p, err := s.principal(ctx, verified{account: foldUsername(username), tokenID: v.TokenID, generation: v.Generation, authTime: v.AuthTime}, now)
	if err != nil {
		return Token{}, fmt.Errorf("log in by voucher: %w", err)
	}
	return s.issue(p.Account, grant{now: now, authTime: v.AuthTime, ttl: min(ttl, left), generation: v.Generation})
}
