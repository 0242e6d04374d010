// Package route keeps the pull relays: which remote URL stands behind a local
// path. It stores, checks and matches them; carrying them out is for nodes.
//
// A pattern is a canonical path. One without a slash at its end means that one
// path; one with it means everything below, and what the request has beyond
// the pattern is appended to the URL.
//
// URLs carry the credentials of cameras: they are sealed in the database and
// shown with their secrets struck out.
package route

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// Route is a pull relay as it is shown.
type Route struct {
	Pattern string // canonical
	URL     string // secrets are struck out
	// KeepAlive says to go on pulling without viewers; otherwise a pull ends
	// after five idle minutes.
	KeepAlive bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Config lists what a Service depends on.
type Config struct {
	DB    pg.DB
	Box   *seal.Box
	Now   func() time.Time
	Log   *slog.Logger
	Guard outbound.Guard
}

// Service owns the routes. It is safe for concurrent use.
type Service struct {
	Config
	q *db.Queries

	// applying is held from reading rows until they are in memory, so that of
	// two readers the later one also writes later.
	applying sync.Mutex
	mu       sync.RWMutex
	routes   map[string]stored // by pattern
}

type stored struct {
	Route
	target *url.URL // with its secrets; never changed
}

// New returns a Service whose memory is empty until Reload.
func New(c Config) *Service { return &Service{Config: c, q: db.New(), routes: map[string]stored{}} }

var errNotFound = errs.New(errs.NotFound, "route_not_found", "no such route")

// Save creates the route of a pattern or replaces it. A URL that is exactly
// what was shown leaves the stored one as it is, and a password that is struck
// out is the stored one if scheme, host and user are the same. Errors: Invalid
// with the field at fault, Unavailable.
func (s *Service) Save(ctx context.Context, r Route) (Route, error) {
	pattern, err := validPattern(r.Pattern)
	if err != nil {
		return Route{}, err
	}
	wanted, err := parseTarget(r.URL)
	if err != nil {
		return Route{}, err
	}
	if err := s.Guard.Check(ctx, wanted.Hostname()); err != nil {
		return Route{}, targetErr(err)
	}
	row, err := s.write(ctx, pattern, wanted, r.KeepAlive)
	if err != nil {
		return Route{}, pg.Err(err, nil)
	}
	if err := s.apply(ctx, s.DB, pattern); err != nil {
		return Route{}, pg.Err(err, nil)
	}
	saved, err := s.open(row)
	return saved.Route, err
}

// targetErr puts what the guard says at the field of the URL.
func targetErr(err error) error {
	if errs.KindOf(err) != errs.Invalid {
		return err
	}
	e := *errs.As(err)
	e.Field = "url"
	return &e
}

func (s *Service) write(ctx context.Context, pattern string, wanted *url.URL, keepAlive bool) (row db.Route, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		old, err := s.q.RouteLock(ctx, tx, pattern)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var known *url.URL
		if err == nil {
			before, err := s.open(old)
			if err != nil {
				return err
			}
			known = before.target
		}
		target, err := restore(wanted, known)
		if err != nil {
			return err
		}
		row, err = s.q.RouteUpsert(ctx, tx, db.RouteUpsertParams{Pattern: pattern, KeepAlive: keepAlive, Now: s.Now(),
			URLSealed: s.Box.Seal([]byte(target.String()), purpose(pattern))})
		return err
	})
	return row, err
}

func purpose(pattern string) string { return "route/" + pattern }

// open turns a row into a route.
func (s *Service) open(row db.Route) (stored, error) {
	text, err := s.Box.Open(row.URLSealed, purpose(row.Pattern))
	if err != nil {
		return stored{}, err
	}
	target, err := url.Parse(string(text))
	if err != nil {
		return stored{}, errors.New("the stored URL is none") // without the URL, which is secret
	}
	return stored{target: target, Route: Route{Pattern: row.Pattern, URL: shown(target), KeepAlive: row.KeepAlive,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt}}, nil
}

// Get returns the route of a pattern, written in any way. Error: NotFound.
func (s *Service) Get(ctx context.Context, pattern string) (Route, error) {
	row, err := s.q.RouteByPattern(ctx, s.DB, storable(pattern))
	if errors.Is(err, pgx.ErrNoRows) {
		return Route{}, errNotFound
	}
	if err != nil {
		return Route{}, pg.Err(err, nil)
	}
	r, err := s.open(row)
	return r.Route, err
}

// Delete removes the route of a pattern, written in any way. Error: NotFound.
func (s *Service) Delete(ctx context.Context, pattern string) error {
	pattern = storable(pattern)
	n, err := s.q.RouteDelete(ctx, s.DB, pattern)
	if err == nil && n == 0 {
		return errNotFound
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	return pg.Err(s.apply(ctx, s.DB, pattern), nil)
}

// maxList bounds one page of List.
const maxList = 1000

// List returns up to limit routes (at most a thousand) in the byte order of
// their patterns, those behind after, which need not exist.
func (s *Service) List(ctx context.Context, after string, limit int) ([]Route, error) {
	rows, err := s.q.RoutePage(ctx, s.DB, db.RoutePageParams{After: text(after), RowLimit: int32(min(max(limit, 0), maxList))})
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	out := make([]Route, len(rows))
	for i, row := range rows {
		r, err := s.open(row)
		if err != nil {
			return nil, err
		}
		out[i] = r.Route
	}
	return out, nil
}

// Count returns how many routes there are.
func (s *Service) Count(ctx context.Context) (int64, error) {
	n, err := s.q.RouteCount(ctx, s.DB)
	return n, pg.Err(err, nil)
}
