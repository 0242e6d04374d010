// Package access decides who may publish and who may play.
//
// The decision itself is a pure function over a view in memory (decide.go); no
// database is on its path. The rest of the package is what that view is made
// of: auth rules (rule.go, and whole.go as cloud APIs write them) with their
// signing keys (key.go), compiled for the decision (compile.go); live tokens
// (token.go); banned streams (ban.go); and the rooms that have ended (view.go).
// The view follows the
// database through pg.Feed; a change made by this process is in its view before
// the call returns.
package access

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/paging"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// Policy is what happens to a request without a rule or credential.
type Policy string

// The default policies.
const (
	DenyByDefault Policy = "deny"
	OpenByDefault Policy = "open"
)

// streamOwners tells whose stream a name is, where somebody owns it already.
type streamOwners interface {
	StreamOwner(ctx context.Context, app, stream string) (username string, err error)
}

// Config lists what a Service depends on.
type Config struct {
	DB     pg.DB
	Box    *seal.Box
	Now    func() time.Time
	Rand   io.Reader
	Log    *slog.Logger
	Owners streamOwners
	// Accounts say who holds an access token. Nil: none is known.
	Accounts accounts
	// StreamTokens signs and verifies stream tokens. Nil: none are made or taken.
	StreamTokens streamTokens
	// App is the application of streams that name none.
	App string
	// PublishHost and PlayHost stand in for the host name of a client whose
	// media server does not report one. Without port.
	PublishHost, PlayHost string
	Policy                Policy
	// URLTTL is how long the URLs are good that we hand out; see Rotation. Zero: a
	// day.
	URLTTL time.Duration
}

// Service manages rules, keys and live tokens, and decides.
type Service struct {
	Config
	q    *db.Queries
	view *view
	// applying is held from reading rows until they are in the view, so that of
	// two readers the later one also writes later.
	applying sync.Mutex
	// meanwhile is what has changed since the Reload under way began, nil without
	// one. Applying guards it.
	meanwhile map[pg.Change]struct{}
	reloading sync.Mutex // is held by a Reload
	methods   methods
	// lookups bounds how often tokens of ours that the view does not know may
	// reach the database; misses remembers until when one is not asked for again.
	lookups *rate.Limiter
	misses  *lru.Cache[tokenHash, time.Time]

	banPlaces *paging.Places[banPlace]
}

// The bounds of looking up tokens that memory does not know.
const (
	lookupsPerSecond = 100
	lookupTimeout    = 500 * time.Millisecond
	missesKept       = 4096
	missTTL          = 2 * time.Second
)

// New returns a Service whose view is empty until Reload.
func New(c Config) *Service {
	if c.Accounts == nil {
		c.Accounts = nobody{}
	}
	if c.StreamTokens == nil {
		c.StreamTokens = noTokens{}
	}
	misses, err := lru.New[tokenHash, time.Time](missesKept)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Service{
		Config: c,
		q:      db.New(),
		view:   newView(),

		banPlaces: paging.New[banPlace](),
		lookups:   rate.NewLimiter(lookupsPerSecond, lookupsPerSecond),
		misses:    misses,
	}
}

// Decide answers an event that asks for a verdict. Only a token of ours that
// memory does not know costs a look-up in the database, and a bounded one; where
// that fails the answer is TemporarilyUnavailable.
func (s *Service) Decide(ctx context.Context, now time.Time, e media.Event) Decision {
	d := s.answer(ctx, now, &e)
	if d.keyID != 0 {
		s.view.used.Note(d.keyID, now)
	}
	return d
}

// answer is Decide without noting which key was used. Events go from here on by
// reference: with copies of them in every frame, the stack of a new connection
// would have to grow.
func (s *Service) answer(ctx context.Context, now time.Time, e *media.Event) Decision {
	if e.Username == "" && e.Password == "" && e.Bearer == "" {
		return s.byQuery(ctx, now, e)
	}
	return s.byAny(ctx, now, e)
}

// byQuery decides by what stands in the query.
func (s *Service) byQuery(ctx context.Context, now time.Time, e *media.Event) Decision {
	ask := func(token string) (account.Principal, error) { return s.Accounts.Authenticate(ctx, token) }
	d := s.decide(now, e, false, ask)
	if d.Reason != media.TokenUnknown {
		return d
	}
	learned, err := s.learnToken(ctx, now, e)
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "token lookup failed", "error", err)
		return deny(media.TemporarilyUnavailable)
	case learned:
		return s.decide(now, e, false, ask)
	}
	return d
}

// Recheck decides about a session that is already running: what has been
// revoked since ends it, what has merely expired does not.
func (s *Service) Recheck(now time.Time, e media.Event) Decision {
	ask := func(e *media.Event) Decision { return s.decide(now, e, true, s.Accounts.Holder) }
	return first(ask(&e), beside(&e, ask)...)
}
