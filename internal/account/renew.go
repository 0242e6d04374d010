package account

import (
	"context"
	"crypto/ecdsa"
	"time"
)

// MaxRenewal is how long after the password was given an access token can still
// be renewed, whatever the caller of Renew allows.
const MaxRenewal = 24 * time.Hour

// Renew returns another access token for ttl (as Login) in exchange for one that
// may have expired, while the password was given at most maxAge ago. The old one
// stays what it is. Tokens of a pair are refused: their refresh token is what
// renews them.
//
// Errors are those of Authenticate; token_expired says that maxAge is over.
func (s *Service) Renew(ctx context.Context, token string, maxAge, ttl time.Duration) (Token, error) {
	now := s.now()
	v, err := s.verify(token, func(kid string) (*ecdsa.PublicKey, error) { return s.lookUpKey(ctx, kid) })
	if err != nil {
		return Token{}, err
	}
	if v.pair {
		return Token{}, errTokenInvalid
	}
	if now.Sub(v.authTime) > min(maxAge, MaxRenewal) {
		return Token{}, errTokenExpired
	}
	p, err := s.principal(ctx, v, now)
	if err != nil {
		return Token{}, err
	}
	return s.issue(p.Account, grant{now: now, authTime: v.authTime, ttl: ttl, generation: v.generation})
}
