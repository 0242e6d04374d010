package account

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

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
	authTime   time.Time // when the password was given
	pair       bool
	credential string // see Principal.Credential
}

// newParser admits ES256 alone. Claims are looked at afterwards, in parse: what
// has expired is refused at the door, but may still be renewed or be the
// credential of a session that is running.
func newParser() *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}),
		jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding(),
	)
}

// Authenticate returns who holds the access token, from memory. The database is
// asked only where a well-signed token is newer than memory.
//
// It returns Unauthorized with the reason token_invalid, token_expired,
// token_revoked or account_disabled, and Unavailable when such a look-up fails.
func (s *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	now := s.now()
	v, err := s.verify(token, func(kid string) (*ecdsa.PublicKey, error) { return s.lookUpKey(ctx, kid) })
	if err != nil {
		return Principal{}, err
	}
	// No leeway: a minute of grace here would be a minute in which nothing that
	// ended has ended.
	if !now.Before(v.expiresAt) {
		return Principal{}, errTokenExpired
	}
	return s.principal(ctx, v, now)
}

// Holder returns who was given the access token of a session that is running:
// it does not matter that the token has expired since, or that a refresh has
// put another in its place, only whether it was revoked, its account disabled or
// deleted, or the password changed. It never
// asks the database. Errors are those of Authenticate without token_expired;
// token_invalid is also said of an account that memory does not know, which is
// deleted or too new.
func (s *Service) Holder(token string) (Principal, error) {
	v, err := s.verify(token, func(string) (*ecdsa.PublicKey, error) { return nil, errTokenInvalid })
	if err != nil {
		return Principal{}, err
	}
	if r, revoked := s.memory.revocation(v.tokenID); revoked && !r.superseded {
		return Principal{}, errTokenRevoked
	}
	h, ok := s.memory.account(v.account)
	switch {
	case !ok:
		return Principal{}, errTokenInvalid
	case h.Disabled:
		return Principal{}, errAccountDisabled
	case h.generation > v.generation: // less is a password newer than memory
		return Principal{}, errTokenRevoked
	}
	return v.by(h), nil
}

func (v verified) by(h held) Principal {
	return Principal{Account: h.Account, TokenID: v.tokenID, ExpiresAt: v.expiresAt, pair: v.pair, rights: h.rights,
		generation: v.generation, authTime: v.authTime, credential: v.credential}
}

// findKey finds a signing key that memory does not know.
type findKey func(kid string) (*ecdsa.PublicKey, error)

// verify checks form, signature and claims, once per token.
func (s *Service) verify(token string, find findKey) (verified, error) {
	if len(token) > maxToken {
		return verified{}, errTokenInvalid
	}
	var buf [maxToken]byte // on the stack, unlike []byte(token)
	sum := sha256.Sum256(buf[:copy(buf[:], token)])
	// A key that was deleted takes its tokens along, cached or not.
	if v, ok := s.verified.Get(sum); ok && s.keys.Load().public[v.kid] != nil {
		return v, nil
	}
	v, err := s.parse(token, find)
	if err != nil {
		return verified{}, err
	}
	s.verified.Add(sum, v)
	return v, nil
}

func (s *Service) parse(token string, find findKey) (verified, error) {
	// The base64 decoder skips line breaks, so one token would have many faces.
	if strings.ContainsAny(token, "\r\n") {
		return verified{}, errTokenInvalid
	}
	var c claims
	t, err := s.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return s.verifyKey(t, find) })
	if err != nil {
		return verified{}, tokenError(err)
	}
	if !s.validClaims(c) {
		return verified{}, errTokenInvalid
	}
	return verified{
		account: foldUsername(c.Subject), tokenID: c.ID, kid: t.Header["kid"].(string),
		generation: c.Generation, expiresAt: c.ExpiresAt.Time, authTime: c.authTime(), pair: c.Pair,
		credential: credentialID(c.ID, c.Generation),
	}, nil
}

// validClaims looks at what a good signature vouches for: that the token was
// meant for us, names an account, ends some time and has begun.
func (s *Service) validClaims(c claims) bool {
	return c.Issuer == s.issuer && slices.Contains(c.Audience, audience) &&
		validUsername(c.Subject) && c.ID != "" && c.ExpiresAt != nil &&
		(c.NotBefore == nil || !s.now().Before(c.NotBefore.Add(-clocksDiffer)))
}

// clocksDiffer is by how much the clock of the process that issued a token may be
// ahead of ours, or ours have been set back since. What a password change voids
// is told by the generation and not by times, so nothing void is good again.
const clocksDiffer = time.Minute

// tokenError keeps our own errors apart; the rest is one reason.
func tokenError(err error) error {
	if own := (*errs.Error)(nil); errors.As(err, &own) {
		return own
	}
	return errTokenInvalid.With(err)
}

// principal joins a verified token with the account as it is now.
func (s *Service) principal(ctx context.Context, v verified, now time.Time) (Principal, error) {
	if _, revoked := s.memory.revocation(v.tokenID); revoked {
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
	return v.by(held), nil
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

// applyAccounts makes memory agree with rows, present or not.
func (s *Service) applyAccounts(ctx context.Context, q pg.DB, usernames []string) error {
	folded := make([]string, len(usernames))
	for i, name := range usernames {
		folded[i] = foldUsername(name)
	}
	mark := s.memory.mark()
	rows, err := s.q.AccountsByUsernames(ctx, q, folded)
	if err != nil {
		return pg.Err(err, nil)
	}
	found := map[string]bool{}
	for _, row := range rows {
		found[foldUsername(row.Username)] = true
		s.memory.put(row, mark)
	}
	for _, name := range folded {
		if !found[name] {
			s.memory.remove(name, s.now())
		}
	}
	return nil
}

func (s *Service) applyAccount(ctx context.Context, q pg.DB, username string) error {
	return s.applyAccounts(ctx, q, []string{username})
}
