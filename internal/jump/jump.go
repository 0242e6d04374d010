// Package jump makes the links with which an anchor enters a room in the desktop
// client without typing a password there, and turns such a link into a login.
//
//	Link ──> auipusher://…&token=…  ──(within an hour, once)──> Redeem ──> access token
//
// The token in the link is a JWT of its own kind, signed with a key that signs
// nothing else. It ends early with the login that it was made with: when that is
// logged out, or when the anchor's password changes.
package jump

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// TTL is how long a link can be used.
const TTL = time.Hour

// minKey is the shortest key for HMAC-SHA-256, in bytes.
const minKey = 32

// maxToken is far above what a link of ours carries, in bytes.
const maxToken = 8 << 10

type accounts interface {
	LoginFor(ctx context.Context, username string, v account.Voucher, ttl time.Duration) (account.Token, error)
}

type rooms interface {
	Owned(ctx context.Context, caller, id string) (room.Room, error)
}

// Config lists what a Service depends on.
type Config struct {
	DB       pg.DB
	Now      func() time.Time
	Rand     io.Reader
	Key      []byte // of 32 bytes at least
	Accounts accounts
	Rooms    rooms
	// Server returns the public URL of this server, which the desktop client
	// is to call.
	Server func() string
}

// Service makes and redeems links.
type Service struct {
	Config
	q      *db.Queries
	parser *jwt.Parser
}

// New returns a Service, or an error for a key that is too short.
func New(c Config) (*Service, error) {
	if len(c.Key) < minKey {
		return nil, fmt.Errorf("the key of jump links has %d bytes, not %d or more", len(c.Key), minKey)
	}
	return &Service{Config: c, q: db.New(), parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(c.Now), jwt.WithStrictDecoding())}, nil
}

// claims are in the order in which the document gives them; what is ours stands
// behind.
type claims struct {
	UserID    string `json:"user_id"`
	LiveID    string `json:"live_id"`
	UserName  string `json:"user_name"`
	AppServer string `json:"app_server"`
	jwt.RegisteredClaims
	// The login that the link was made with.
	TokenID    string           `json:"sid,omitempty"`
	Generation int64            `json:"gen,omitempty"`
	AuthTime   *jwt.NumericDate `json:"auth_time,omitempty"`
}

func (c claims) voucher() account.Voucher {
	v := account.Voucher{TokenID: c.TokenID, Generation: c.Generation}
	if c.AuthTime != nil {
		v.AuthTime = c.AuthTime.Time
	}
	return v
}

// Request is what a link is made for. UserName and Version are the caller's to
// choose and may be empty.
type Request struct{ RoomID, UserName, Version string }

// Link returns a link to a room for its anchor. Errors: NotFound, Forbidden for
// anybody else, Unavailable.
func (s *Service) Link(ctx context.Context, caller account.Principal, r Request) (string, error) {
	if _, err := s.Rooms.Owned(ctx, caller.Username, r.RoomID); err != nil {
		return "", err
	}
	id, err := s.newID()
	if err != nil {
		return "", err
	}
	v := account.Vouch(caller)
	c := claims{UserID: caller.Username, LiveID: r.RoomID, UserName: r.UserName, AppServer: s.Server(),
		RegisteredClaims: jwt.RegisteredClaims{ID: id, ExpiresAt: jwt.NewNumericDate(s.Now().Add(TTL))},
		TokenID:          v.TokenID, Generation: v.Generation, AuthTime: jwt.NewNumericDate(v.AuthTime)}
	token, err := s.sign(c)
	if err != nil {
		return "", err
	}
	return address(c, token, r.Version), nil
}

// newID keeps two links of one second apart.
func (s *Service) newID() (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(s.Rand, raw[:]); err != nil {
		return "", fmt.Errorf("jump token id: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

func (s *Service) sign(c claims) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(s.Key)
	if err != nil {
		return "", fmt.Errorf("sign jump token: %w", err)
	}
	return token, nil
}

// address is the link itself. The order of its parameters is fixed.
func address(c claims, token, version string) string {
	text := "auipusher://page/live-room?app_server=" + escape(c.AppServer) + "&token=" + token + "&user_id=" + escape(c.UserID) +
		"&user_name=" + escape(c.UserName) + "&live_id=" + escape(c.LiveID)
	if version != "" {
		text += "&version=" + escape(version)
	}
	return text
}

// escape encodes everything but letters, digits and -._~, as RFC 3986 has it.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// Presented is what the desktop client says of the link that opened it. An empty
// UserName is not compared.
type Presented struct{ UserID, UserName, LiveID, AppServer, Token string }

var (
	errInvalid = errs.New(errs.Unauthorized, "jump_token_invalid", "the token is not valid for this")
	errUsed    = errs.New(errs.Unauthorized, "jump_token_used", "the token was used before")
)

// Redeem returns an access token for ttl to the holder of a link, once: that it
// was used is stored before the answer. Errors: Unauthorized, Unavailable.
func (s *Service) Redeem(ctx context.Context, p Presented, ttl time.Duration) (account.Token, error) {
	c, err := s.verify(p.Token)
	if err != nil {
		return account.Token{}, err
	}
	if c.UserID != p.UserID || c.LiveID != p.LiveID || c.AppServer != p.AppServer || (p.UserName != "" && c.UserName != p.UserName) {
		return account.Token{}, errInvalid
	}
	token, err := s.Accounts.LoginFor(ctx, c.UserID, c.voucher(), ttl)
	if err != nil {
		return account.Token{}, err
	}
	if err := s.use(ctx, p.Token, c.ExpiresAt.Time); err != nil {
		return account.Token{}, err
	}
	return token, nil
}

func (s *Service) verify(token string) (claims, error) {
	// The base64 decoder skips line breaks, so one token would have many faces.
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return claims{}, errInvalid
	}
	var c claims
	_, err := s.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.Key, nil })
	if err != nil {
		return claims{}, errInvalid.With(err)
	}
	return c, nil
}

// use lets one caller pass with a token, whatever the number of processes.
func (s *Service) use(ctx context.Context, token string, expires time.Time) error {
	hash := sha256.Sum256([]byte(token))
	n, err := s.q.UsedJumpTokenInsert(ctx, s.DB, db.UsedJumpTokenInsertParams{TokenHash: hash[:], Now: s.Now(), ExpiresAt: expires})
	if err != nil {
		return pg.Err(err, nil)
	}
	if n == 0 {
		return errUsed
	}
	return nil
}

// keepUsed is how long after its end a used token is remembered: clocks differ.
const keepUsed = 24 * time.Hour

// Purge forgets used tokens that have expired.
func (s *Service) Purge(ctx context.Context) error {
	_, err := s.q.UsedJumpTokenPurge(ctx, s.DB, s.Now().Add(-keepUsed))
	return pg.Err(err, nil)
}
