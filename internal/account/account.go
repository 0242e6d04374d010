// Package account keeps the accounts that log in: their passwords, their rights,
// their access and refresh tokens, and the access keys that sign in their name.
//
// One account table stands behind every dialect. A login costs one Argon2id
// hash and one look-up; everything after it is answered from memory: a Service
// holds all accounts, the key set and the revoked tokens, follows the database
// through pg.Feed, and applies its own writes before it returns from them.
//
//	Login ──> access token ──> Authenticate ──> Principal
//	              │                 │
//	              │                 └─ refused: token_invalid, token_expired,
//	              │                    token_revoked, account_disabled
//	              └─ ends by expiry, Logout (this token), a new password,
//	                 disabling or deleting (all tokens of the account)
//
//	LoginPair ──> access + refresh token ──Refresh──> another pair, the old one
//	              is void; a refresh token used twice ends all that came of it
//
//	KeyHolder ──> secret and Principal of an access key
package account

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/lastuse"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// Account is someone who logs in. It carries no secret.
type Account struct {
	ID              int64
	Username        string // as typed at creation; compared without regard to case
	Email           string // empty when none was given
	FullName        string
	Admin           bool
	PermissionLevel int    // the highest level of live token the account may ask for
	Push, Pull      string // path patterns it may publish to and play; see ParseRights
	Disabled        bool
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Principal is an account that has just proved itself with an access token or an
// access key. Its rights are those of this moment, not those of the login.
type Principal struct {
	Account
	TokenID   string    // empty for an access key
	ExpiresAt time.Time // zero for an access key
	pair      bool      // the token has a refresh token
	// The account's at the login, and when that was; see Vouch.
	generation int64
	authTime   time.Time
	rights     *rights // compiled; nil where nobody did
	credential string
}

// Credential is what a session remembers of the access token that opened it:
// enough to tell whether the token is still in force. Empty for an access key.
func (p Principal) Credential() string { return p.credential }

// System is the principal of the command line, which acts with the rights of
// whoever may read the database settings. Its name is no valid username.
func System() Principal {
	return Principal{Account: Account{Username: "(system)", Admin: true}}
}

// Config is what New needs. DB and Box are required.
type Config struct {
	DB               pg.DB
	Box              *seal.Box        // seals the private signing keys
	Now              func() time.Time // nil: time.Now
	Rand             io.Reader        // nil: crypto/rand
	Log              *slog.Logger     // nil: discard
	Issuer           string           // the iss claim; empty: "stagedoor"
	OpenRegistration bool             // anyone may create an account
	Params           *argon2id.Params // nil: 19456 KiB, two passes, one lane

	// HashConcurrency is how many Argon2id hashes run at once, HashQueue how many
	// logins wait for each of them; 0: 2 and 32. Key computes them; nil: here.
	HashConcurrency, HashQueue int
	Key                        func(password, salt []byte, time, memory uint32, threads uint8, length uint32) []byte
	// LoginAttempts is how many logins to one account may fail from one address
	// within four minutes, LoginAttemptsPerAddress how many of one address, to
	// whatever account, within two; 0: 8 and 60.
	LoginAttempts, LoginAttemptsPerAddress int
	// Limited is told of each login that a limit refused, and of which: one of
	// login_attempts, login_attempts_per_address and hash_queue; nil: nobody.
	Limited func(limit string)
}

const (
	defaultIssuer          = "stagedoor"
	defaultHashConcurrency = 2
	defaultHashQueue       = 32

	// verifiedTokens bounds the cache of verified tokens: about 16 MiB when full.
	verifiedTokens = 1 << 15
	// missingTokens bounds how many tokens are remembered as "not even the
	// database knows the account", each for missingFor.
	missingTokens = 1 << 10
	missingFor    = 2 * time.Second

	// lookUpTimeout bounds the look-ups that fill a gap in memory.
	lookUpTimeout = 2 * time.Second
)

// Service owns accounts and access tokens. It is safe for concurrent use.
type Service struct {
	db     pg.DB
	q      *db.Queries
	box    *seal.Box
	now    func() time.Time
	rand   io.Reader
	log    *slog.Logger
	issuer string
	open   bool

	passwords *passwords
	throttle  *throttle
	door      *door
	parser    *jwt.Parser

	memory   *memory
	verified *lru.Cache[[32]byte, verified] // by SHA-256 of the token
	missing  *lru.Cache[string, time.Time]  // token id -> until when
	lookUps  singleflight.Group

	missingKeys *lru.Cache[string, time.Time] // access key id -> until when
	keyLookUps  *rate.Limiter
	keyUse      lastuse.Uses[string] // of access keys

	keys     atomic.Pointer[keySet]
	keysMu   sync.Mutex // serialises loads, so that an older one cannot win
	keysNext time.Time  // no look-up of an unknown key before this; guarded by keysMu
}

var _ pg.Follower = (*Service)(nil)

// New returns a Service with its signing keys and revocations loaded; the first
// process on a database creates the signing key. Accounts are looked up one by
// one until a pg.Feed loads and follows them. It fails when the stored keys do
// not open with the Box.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.DB == nil || c.Box == nil {
		return nil, errors.New("account: DB and Box are required")
	}
	s := newService(c)
	if err := s.ensureKey(ctx); err != nil {
		return nil, fmt.Errorf("token signing key: %w", err)
	}
	if err := s.loadRevoked(ctx, s.db); err != nil {
		return nil, fmt.Errorf("revoked tokens: %w", err)
	}
	return s, nil
}

func newService(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Issuer == "" {
		c.Issuer = defaultIssuer
	}
	if c.Limited == nil {
		c.Limited = func(string) {}
	}
	slots := cmp.Or(c.HashConcurrency, defaultHashConcurrency)
	s := &Service{
		db: c.DB, q: db.New(), box: c.Box, now: c.Now, rand: c.Rand, log: c.Log,
		issuer: c.Issuer, open: c.OpenRegistration,
		passwords: newPasswords(c.Params, c.Key, newLine(slots, slots*cmp.Or(c.HashQueue, defaultHashQueue), c.Limited)),
		throttle:  newThrottle(c.LoginAttempts, c.LoginAttemptsPerAddress, c.Limited),
		door:      newDoor(),
		parser:    newParser(),
		memory:    newMemory(),
		verified:  mustLRU[[32]byte, verified](verifiedTokens),
		missing:   mustLRU[string, time.Time](missingTokens),

		missingKeys: mustLRU[string, time.Time](missingTokens),
		keyLookUps:  rate.NewLimiter(keyLookUpsPerSecond, keyLookUpsPerSecond),
	}
	s.keys.Store(&keySet{})
	return s
}

// mustLRU panics only for a size below one, and ours are constants.
func mustLRU[K comparable, V any](size int) *lru.Cache[K, V] {
	c, err := lru.New[K, V](size)
	if err != nil {
		panic(err)
	}
	return c
}

// fromRow is the one place that turns a stored account into an Account.
func fromRow(r db.Account) Account {
	return Account{
		ID: r.ID, Username: r.Username, Email: r.Email, FullName: r.FullName,
		Admin: r.Admin, PermissionLevel: int(r.PermissionLevel), Push: r.PushRights, Pull: r.PullRights, Disabled: r.DisabledAt != nil,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}
