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
}

// claims of an access token. iat is whole seconds and clocks differ between
// processes, so neither can say exactly which tokens a password change voids.
// Generation can: it is the account's tokens_not_before in microseconds, read
// together with the hash that the password was checked against, and a token is
// good only while the account still has that very value.
type claims struct {
	jwt.RegisteredClaims
	Generation int64 `json:"gen"`
}

// Login checks a password and returns an access token for ttl (zero: DefaultTTL,
// capped at MaxTTL). The source is the address that guesses are counted by.
//
// It returns Unauthorized invalid_credentials for an unknown name, a wrong
// password and a disabled account alike, after the same work; RateLimited
// too_many_attempts or busy; Unavailable without a database.
func (s *Service) Login(ctx context.Context, username, password string, source netip.Addr, ttl time.Duration) (Token, error) {
	now := s.now()
	try := s.throttle.attempt(username, source)
	if err := try.check(now); err != nil {
		return Token{}, err
	}
	row, ok, err := s.checkPassword(ctx, try, username, password)
	if err != nil {
		return Token{}, fmt.Errorf("log in: %w", err)
	}
	if !ok {
		return Token{}, errCredentials
	}
	s.memory.put(row)
	return s.issue(row, now, ttl)
}

// checkPassword says whether the password opens the account. It hashes once,
// whether there is such an account or not.
func (s *Service) checkPassword(ctx context.Context, try attempt, username, password string) (row db.Account, ok bool, err error) {
	row, known, err := s.find(ctx, username)
	if err != nil {
		return row, false, err
	}
	if !known {
		if row.PasswordHash, err = s.passwords.dummy(s.rand); err != nil {
			return row, false, err
		}
	}
	err = s.passwords.run(ctx, func() error {
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
	row, err := s.q.AccountByUsername(ctx, s.db, username)
	if errors.Is(err, pgx.ErrNoRows) {
		return db.Account{}, false, nil
	}
	return row, err == nil, pg.Err(err, nil)
}

func (s *Service) issue(row db.Account, now time.Time, ttl time.Duration) (Token, error) {
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	id, err := s.newTokenID()
	if err != nil {
		return Token{}, err
	}
	issued, expires := jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(min(ttl, MaxTTL)))
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: s.issuer, Subject: row.Username, Audience: jwt.ClaimStrings{audience}, ID: id,
			IssuedAt: issued, NotBefore: issued, ExpiresAt: expires,
		},
		Generation: row.TokensNotBefore.UnixMicro(),
	})
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
	return Token{Value: value, ExpiresAt: expires.Time, Account: fromRow(row)}, nil
}

// newTokenID returns 128 random bits in 22 characters.
func (s *Service) newTokenID() (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(s.rand, raw[:]); err != nil {
		return "", fmt.Errorf("token id: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// Logout revokes the principal's token: here before it returns, on other
// processes when the change reaches them.
func (s *Service) Logout(ctx context.Context, p Principal) error {
	if p.TokenID == "" {
		return errTokenInvalid
	}
	err := s.q.RevokedTokenInsert(ctx, s.db, db.RevokedTokenInsertParams{
		JTI: p.TokenID, Username: p.Username, Now: s.now(), ExpiresAt: p.ExpiresAt,
	})
	if err != nil {
		return fmt.Errorf("log out: %w", pg.Err(err, nil))
	}
	s.memory.revoke(p.TokenID, p.ExpiresAt)
	return nil
}
