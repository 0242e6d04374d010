package stagedoor

import (
	"context"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/relay"
)

// ListRelays returns one page of routes with how they go.
func (s *Server) ListRelays(ctx context.Context, req gen.ListRelaysRequestObject) (gen.ListRelaysResponseObject, error) {
	limit, after, err := page(req.Params.Limit, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	routes, err := s.Relays.Page(ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := gen.ListRelays200JSONResponse{Relays: make([]gen.Relay, min(limit, len(routes)))}
	for i := range out.Relays {
		out.Relays[i] = ToRelay(routes[i])
	}
	if len(routes) > limit {
		out.NextCursor = cursor(routes[limit-1].Pattern)
	}
	return out, nil
}

// ToRelay shows a route in the way of the API.
func ToRelay(r relay.State) gen.Relay {
	out := gen.Relay{Pattern: r.Pattern, URL: r.URL, Keepalive: r.KeepAlive, State: gen.RelayState(r.State), Reason: gen.RelayReason(r.Reason),
		Message: relay.Message(r.Reason), Since: r.Since.UTC(), Node: r.Node, Viewers: int64(r.Viewers), Streams: make([]gen.RelayStream, len(r.Streams))}
	for i, st := range r.Streams {
		out.Streams[i] = gen.RelayStream{Path: st.Path, Node: st.Node, State: gen.RelayStreamState(st.State), Reason: gen.RelayStreamReason(st.Reason),
			Since: st.Since.UTC(), Viewers: int32(st.Viewers)}
	}
	return out
}
