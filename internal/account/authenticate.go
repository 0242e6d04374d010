package account

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// maxToken is far above what we issue (some 450 bytes), and small enough that
// decoding garbage costs nothing worth mentioning.
const maxToken = 2048

var (
	errTokenInvalid    = errs.New(errs.Unauthorized, "token_invalid", "the access token is not valid")
	errTokenExpired    = errs.New(errs.Unauthorized, "token_expired", "the access token has expired")
	errTokenRevoked    = errs.New(errs.Unauthorized, "token_revoked", "the access token has been revoked")
	errAccountDisabled = errs.New(errs.Unauthorized, "account_disabled", "the account is disabled")
)

// verified is what a good signature told us. It says nothing about revocation
// or the account, which are looked at on every call.
type verified struct {
	account    string // folded username
	tokenID    string
	kid        string
	generation int64
	expiresAt  time.Time
}

// newParser admits ES256 under our issuer and audience with no leeway: a minute
// of grace here would be a minute in which nothing that ended has ended.
func newParser(issuer string, now func() time.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(now), jwt.WithStrictDecoding(),
	)
}

// Authenticate returns who holds the access token, from memory. The database is
// asked only where a well-signed token is newer than memory.
//
// It returns Unauthorized with the reason token_invalid, token_expired,
// token_revoked or account_disabled, and Unavailable when such a look-up fails.
func (s *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	now := s.now()
	v, err := s.verify(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	if !now.Before(v.expiresAt) {
		return Principal{}, errTokenExpired
	}
	return s.principal(ctx, v, now)
}

// verify checks form, signature and claims, once per token.
func (s *Service) verify(ctx context.Context, token string) (verified, error) {
	if len(token) > maxToken {
		return verified{}, errTokenInvalid
	}
	var buf [maxToken]byte // on the stack, unlike []byte(token)
	sum := sha256.Sum256(buf[:copy(buf[:], token)])
	// A key that was deleted takes its tokens along, cached or not.
	if v, ok := s.verified.Get(sum); ok && s.keys.Load().public[v.kid] != nil {
		return v, nil
	}
	v, err := s.parse(ctx, token)
	if err != nil {
		return verified{}, err
	}
	s.verified.Add(sum, v)
	return v, nil
}

func (s *Service) parse(ctx context.Context, token string) (verified, error) {
	// The base64 decoder skips line breaks, so one token would have many faces.
	if strings.ContainsAny(token, "\r\n") {
		return verified{}, errTokenInvalid
	}
	var c claims
	t, err := s.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return s.verifyKey(ctx, t) })
	if err != nil {
		return verified{}, tokenError(err)
	}
	if !validUsername(c.Subject) || c.ID == "" {
		return verified{}, errTokenInvalid
	}
	return verified{
		account: foldUsername(c.Subject), tokenID: c.ID, kid: t.Header["kid"].(string),
		generation: c.Generation, expiresAt: c.ExpiresAt.Time,
	}, nil
}

// tokenError keeps our own errors and expiry apart; the rest is one reason. The
// parser looks at the claims only after the signature, so "expired" is never
// said about a token that is not ours.
func tokenError(err error) error {
	if own := (*errs.Error)(nil); errors.As(err, &own) {
		return own
	}
	if errors.Is(err, jwt.ErrTokenExpired) {
		return errTokenExpired.With(err)
	}
	return errTokenInvalid.With(err)
}

// principal joins a verified token with the account as it is now.
func (s *Service) principal(ctx context.Context, v verified, now time.Time) (Principal, error) {
	if s.memory.isRevoked(v.tokenID) {
		return Principal{}, errTokenRevoked
	}
	held, ok := s.memory.account(v.account)
	if !ok || held.generation < v.generation {
		var err error
		if held, err = s.lookUp(ctx, v, now); err != nil {
			return Principal{}, err
		}
	}
	if held.Disabled {
		return Principal{}, errAccountDisabled
	}
	if held.generation != v.generation {
		return Principal{}, errTokenRevoked
	}
	return Principal{Account: held.Account, TokenID: v.tokenID, ExpiresAt: v.expiresAt}, nil
}

// lookUp reads the account of a token that is newer than memory: another
// process created the account or changed the password a moment ago. Only tokens
// with a good signature come here, each at most once per missingFor.
func (s *Service) lookUp(ctx context.Context, v verified, now time.Time) (held, error) {
	if until, ok := s.missing.Get(v.tokenID); ok && now.Before(until) {
		return held{}, errTokenRevoked
	}
	// The generation is part of the key, so that nobody joins a look-up that
	// began before the change they are after.
	_, err, _ := s.lookUps.Do(v.account+" "+strconv.FormatInt(v.generation, 10), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
		defer cancel()
		return nil, s.applyAccount(ctx, s.db, v.account)
	})
	if err != nil {
		return held{}, fmt.Errorf("look up account: %w", err)
	}
	h, ok := s.memory.account(v.account)
	if !ok || h.generation < v.generation {
		s.missing.Add(v.tokenID, now.Add(missingFor))
		return held{}, errTokenRevoked
	}
	return h, nil
}

// applyAccount makes memory agree with one row, present or not.
func (s *Service) applyAccount(ctx context.Context, q pg.DB, username string) error {
	row, err := s.q.AccountByUsername(ctx, q, username)
	if errors.Is(err, pgx.ErrNoRows) {
		s.memory.remove(foldUsername(username))
		return nil
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	s.memory.put(row)
	return nil
}
