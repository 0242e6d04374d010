package route

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Match finds the route for a requested path, from memory, and the URL to pull
// from, which is secret. A pattern that is the path wins; else the longest one
// that ends in a slash and covers it. What follows that pattern keeps its case
// on the way to the remote. A path that ends in a slash matches nothing.
func (s *Service) Match(path string) (remote string, r Route, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.routes) == 0 { // as in most places, where every play asks all the same
		return "", Route{}, false
	}
	p := Canonical(path)
	if strings.HasSuffix(p, "/") {
		return "", Route{}, false
	}
	if found, ok := s.routes[p]; ok {
		return found.target.String(), found.Route, true
	}
	for i := strings.LastIndexByte(p, '/'); i >= 0; i = strings.LastIndexByte(p[:i], '/') {
		if found, ok := s.routes[p[:i+1]]; ok {
			return below(found.target, tail(path, p[:i+1])).String(), found.Route, true
		}
	}
	return "", Route{}, false
}

// Known lists the routes in memory by pattern.
func (s *Service) Known() []Route {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Route, 0, len(s.routes))
	for _, r := range s.routes {
		out = append(out, r.Route)
	}
	slices.SortFunc(out, func(a, b Route) int { return strings.Compare(a.Pattern, b.Pattern) })
	return out
}

// tail returns the segments of a path beyond a pattern, as they were written.
// Segments are counted, since lower case may have another length.
func tail(path, pattern string) []string {
	return strings.Split(clean(path), "/")[strings.Count(pattern, "/"):]
}

// Tables names the table that memory follows.
func (s *Service) Tables() []string { return []string{"routes"} }

// Reload reads all routes.
func (s *Service) Reload(ctx context.Context, d pg.DB) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	rows, err := s.q.RouteAll(ctx, d)
	if err != nil {
		return err
	}
	fresh := make(map[string]stored, len(rows))
	for _, row := range rows {
		if fresh[row.Pattern], err = s.open(row); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes = fresh
	return nil
}

// Apply reads some routes again.
func (s *Service) Apply(ctx context.Context, d pg.DB, changes ...pg.Change) error {
	for _, c := range changes {
		if err := s.apply(ctx, d, c.Key); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) apply(ctx context.Context, d db.DBTX, pattern string) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	row, err := s.q.RouteByPattern(ctx, d, pattern)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var r stored
	gone := err != nil
	if !gone {
		if r, err = s.open(row); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if gone {
		delete(s.routes, pattern)
	} else {
		s.routes[pattern] = r
	}
	return nil
}
