package relay

import (
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

// Stream is a stream of a route on a node.
type Stream struct {
	Path    string
	Node    string
	State   string
	Reason  string
	Since   time.Time
	Viewers int // as its node counts
}

// State is a route and how it goes: running if one of its streams runs, else
// starting, failed or idle in this order.
type State struct {
	route.Route
	State   string
	Reason  string // of a failure; Message says what it means
	Since   time.Time
	Node    string // that carries it; empty for none, or for several
	Viewers int
	Streams []Stream
}

// maxShown bounds the streams that one page of routes shows.
const maxShown = 1000

// Page returns up to limit routes in the order of their patterns, those behind
// after, with their states. Error: Unavailable.
func (s *Service) Page(ctx context.Context, after string, limit int) ([]State, error) {
	found, err := s.Routes.List(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	patterns := make([]string, len(found))
	for i, r := range found {
		patterns[i] = r.Pattern
	}
	rows, err := s.q.RelayByPatterns(ctx, s.DB, db.RelayByPatternsParams{Patterns: patterns, RowLimit: maxShown})
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	streams := map[string][]Stream{}
	for _, r := range rows {
		streams[r.Pattern] = append(streams[r.Pattern], Stream{Path: key{r.Node, r.App, r.Stream}.path(), Node: r.Node, State: r.State, Reason: r.Reason,
			Since: r.Since, Viewers: int(r.Viewers)})
	}
	out := make([]State, len(found))
	for i, r := range found {
		out[i] = s.sum(r, streams[r.Pattern])
	}
	return out, nil
}

var rank = map[string]int{Idle: 1, Failed: 2, Starting: 3, Running: 4}

// sum makes one state out of those of a route's streams.
func (s *Service) sum(r route.Route, streams []Stream) State {
	out := State{Route: r, State: Idle, Since: r.UpdatedAt, Streams: streams}
	if len(streams) == 0 && len(s.carriers(r.Pattern)) == 0 {
		out.State, out.Reason = Failed, reasonNoCarrier
	}
	for i, st := range streams {
		out.Viewers += st.Viewers
		if i == 0 || rank[st.State] > rank[out.State] {
			out.State, out.Reason, out.Since = st.State, st.Reason, st.Since
		}
		if i == 0 || out.Node == st.Node {
			out.Node = st.Node
		} else {
			out.Node = ""
		}
	}
	return out
}
