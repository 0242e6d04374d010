package account

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const (
	// DefaultTTL is how long an access token lives when the caller asks for no
	// particular time, MaxTTL how long at most. Nothing extends a token.
	DefaultTTL = 24 * time.Hour
	MaxTTL     = 30 * 24 * time.Hour

	audience  = "stagedoor"
	tokenType = "JWT"
)

var errCredentials = errs.New(errs.Unauthorized, "invalid_credentials", "Incorrect username or password")

// Token is a new access token. Value is shown once and stored nowhere.
type Token struct {
	Value     string
	ExpiresAt time.Time
	Account   Account
	id        string
}

// claims of an access token. iat is whole seconds and clocks differ between
// processes, so neither can say exactly which tokens a password change voids.
// Generation can: it is the account's tokens_not_before in microseconds, read
// together with the hash that the password was checked against, and a token is
// good only while the account still has that very value.
type claims struct {
	jwt.RegisteredClaims
	Generation int64 `json:"gen"`
	// AuthTime is when the password was given, where that was not at iat: tokens
	// that come of a token carry it along, so that no chain of them is endless.
	AuthTime *jwt.NumericDate `json:"auth_time,omitempty"`
	// Pair says that a refresh token renews this one, and nothing else does.
	Pair bool `json:"pair,omitempty"`
}

// authTime is zero, and so long ago, for a token that does not say.
func (c claims) authTime() time.Time {
	switch {
	case c.AuthTime != nil:
		return c.AuthTime.Time
	case c.IssuedAt != nil:
		return c.IssuedAt.Time
	}
	return time.Time{}
}

// Login checks a password and returns an access token for ttl (zero: DefaultTTL,
// capped at MaxTTL). The source is the address that guesses are counted by.
//
// It returns Unauthorized invalid_credentials for an unknown name, a wrong
// password and a disabled account alike, after the same work; RateLimited
// too_many_attempts or busy; Unavailable without a database.
func (s *Service) Login(ctx context.Context, username, password string, source netip.Addr, ttl time.Duration) (Token, error) {
	now := s.now()
	row, err := s.admit(ctx, username, password, source, now)
	if err != nil {
		return Token{}, err
	}
	return s.issue(fromRow(row), grant{now: now, authTime: now, ttl: ttl, generation: row.TokensNotBefore.UnixMicro()})
}

// admit returns the account that the password opens.
func (s *Service) admit(ctx context.Context, username, password string, source netip.Addr, now time.Time) (db.Account, error) {
	try := s.throttle.attempt(username, source)
	if err := try.check(now); err != nil {
		return db.Account{}, err
	}
	mark := s.memory.mark()
	row, ok, err := s.checkPassword(ctx, try, username, password)
	if err != nil {
		return db.Account{}, fmt.Errorf("log in: %w", err)
	}
	if !ok {
		return db.Account{}, errCredentials
	}
	s.memory.put(row, mark)
	return row, nil
}

// checkPassword says whether the password opens the account. It hashes once,
// whether there is such an account, and a password to it, or not. Whom the line
// sends away has cost neither a hash nor the database anything.
func (s *Service) checkPassword(ctx context.Context, try attempt, username, password string) (row db.Account, ok bool, err error) {
	err = s.passwords.run(ctx, try.pair.source, try.known(), func() (err error) {
		known := false
		if row, known, err = s.find(ctx, username); err != nil {
			return err
		}
		if known = known && row.PasswordHash != ""; !known {
			if row.PasswordHash, err = s.passwords.dummy(s.rand); err != nil {
				return err
			}
		}
		if err := try.charge(s.now()); err != nil {
			return err
		}
		match, err := s.passwords.matches(password, row.PasswordHash)
		if err != nil {
			try.cancel()
			return err
		}
		if ok = match && known && row.DisabledAt == nil; ok {
			try.succeed()
		}
		return nil
	})
	return row, ok, err
}

// find reads an account, and says false where there is none.
func (s *Service) find(ctx context.Context, username string) (db.Account, bool, error) {
	if !validUsername(username) {
		return db.Account{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout) // others wait in line
	defer cancel()
	row, err := s.q.AccountByUsername(ctx, s.db, username)
	if errors.Is(err, pgx.ErrNoRows) {
		return db.Account{}, false, nil
	}
	return row, err == nil, pg.Err(err, nil)
}

// grant is what an access token is issued for.
type grant struct {
	now, authTime time.Time
	ttl           time.Duration // zero: DefaultTTL
	generation    int64         // the account's, as the password was checked under
	pair          bool
}

func (s *Service) issue(a Account, g grant) (Token, error) {
	if g.ttl <= 0 {
		g.ttl = DefaultTTL
	}
	id, err := s.newTokenID()
	if err != nil {
		return Token{}, err
	}
	issued, expires := jwt.NewNumericDate(g.now), jwt.NewNumericDate(g.now.Add(min(g.ttl, MaxTTL)))
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: s.issuer, Subject: a.Username, Audience: jwt.ClaimStrings{audience}, ID: id,
			IssuedAt: issued, NotBefore: issued, ExpiresAt: expires,
		},
		Generation: g.generation, Pair: g.pair,
	}
	if auth := jwt.NewNumericDate(g.authTime); !auth.Equal(issued.Time) {
		c.AuthTime = auth
	}
	t := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	// Not the at+jwt of RFC 9068: that profile demands claims of an OAuth server
	// (client_id), and older verifiers know only JWT. The audience tells our
	// access tokens from anything else.
	t.Header["typ"] = tokenType
	key := s.keys.Load().signing
	t.Header["kid"] = key.kid
	value, err := t.SignedString(key.private)
	if err != nil {
		return Token{}, fmt.Errorf("sign access token: %w", err)
	}
	return Token{Value: value, ExpiresAt: expires.Time, Account: a, id: id}, nil
}

// newTokenID returns 128 random bits in 22 characters.
func (s *Service) newTokenID() (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(s.rand, raw[:]); err != nil {
		return "", fmt.Errorf("token id: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Logout revokes the principal's token and whatever else came of the same login,
// its refresh token above all: here before it returns, on other processes when the
// change reaches them.
func (s *Service) Logout(ctx context.Context, p Principal) error {
	if p.TokenID == "" {
		return errTokenInvalid
	}
	now, own := s.now(), access{p.TokenID, p.ExpiresAt, p.credential}
	if !p.pair {
		own.expires = own.expires.Add(MaxRenewal) // while Renew could ask
	}
	ended := []access{own}
	err := pg.InTx(ctx, s.db, func(tx pgx.Tx) error {
		family, err := s.q.RefreshFamilyByAccess(ctx, tx, p.TokenID)
		switch {
		case err == nil:
			rest, err := s.endFamily(ctx, tx, family, p.Username, now)
			ended = append(ended, rest...)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) { // none: ended meanwhile
				return err
			}
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		if err := s.revoke(ctx, tx, own, p.Username, now); err != nil {
			return err
		}
		return s.revoked(ctx, tx, accessTokenKind, credentialsOf(ended), "logged_out")
	})
	if err != nil {
		return fmt.Errorf("log out: %w", pg.Err(err, nil))
	}
	s.refuse(ended)
	return nil
}
