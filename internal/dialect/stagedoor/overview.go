package stagedoor

import (
	"context"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/overview"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
)

// GetOverview tells how everything is.
func (s *Server) GetOverview(ctx context.Context, _ gen.GetOverviewRequestObject) (gen.GetOverviewResponseObject, error) {
	return gen.GetOverview200JSONResponse(toOverview(s.Overview.Get(ctx))), nil
}

func toOverview(o overview.Overview) gen.Overview {
	out := gen.Overview{At: o.At.UTC(), Ready: o.Ready, ViewStalenessMs: o.Staleness.Milliseconds(), Concerns: make([]gen.Concern, len(o.Concerns))}
	if a := o.OnAir; a != nil {
		out.OnAir = &gen.OverviewOnAir{Streams: a.Streams, Viewers: a.Viewers, Sessions: a.Streams + a.Viewers, LiveRooms: int32(a.LiveRooms), Rooms: int32(a.Rooms)}
	}
	if n := o.Nodes; n != nil {
		out.Nodes = &gen.OverviewNodes{Total: int32(n.Total), Up: int32(n.Up), Unreachable: int32(n.Unreachable), Unknown: int32(n.Unknown), Seen: n.Seen}
	}
	if w := o.Webhooks; w != nil {
		out.Webhooks = &gen.OverviewWebhooks{Total: int32(w.Total), Failing: int32(w.Failing), Disabled: int32(w.Disabled)}
	}
	if r := o.Refusals; r != nil {
		out.Refusals = &gen.OverviewRefusals{Since: r.Since.UTC(), Total: r.Total, More: r.More, Reasons: toReasonCounts(r.Reasons)}
	}
	for i, c := range o.Concerns {
		out.Concerns[i] = gen.Concern{Code: gen.ConcernCode(c.Code), Severity: gen.ConcernSeverity(c.Severity), Subject: c.Subject, Label: c.Label,
			Since: inUTC(c.Since), Detail: c.Detail}
	}
	return out
}

func toReasonCounts(counts []refusal.ReasonCount) []gen.ReasonCount {
	out := make([]gen.ReasonCount, len(counts))
	for i, c := range counts {
		out[i] = gen.ReasonCount{Reason: string(c.Reason), Count: c.N}
	}
	return out
}
