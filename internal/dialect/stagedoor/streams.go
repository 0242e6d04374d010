package stagedoor

import (
	"context"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/evict"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// ListRunningStreams returns one page.
func (s *Server) ListRunningStreams(ctx context.Context, req gen.ListRunningStreamsRequestObject) (gen.ListRunningStreamsResponseObject, error) {
	p := req.Params
	limit, after, err := page(p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	streams, total, err := s.Streams.Live(ctx, ledger.LiveFilter{Vhost: p.Vhost, App: p.App, Stream: p.Stream, Node: p.Node, Fuzzy: true, After: after, Limit: limit + 1})
	if err != nil {
		return nil, err
	}
	out := gen.ListRunningStreams200JSONResponse{Streams: make([]gen.RunningStream, min(limit, len(streams))), Total: total}
	for i := range out.Streams {
		out.Streams[i] = toRunningStream(streams[i])
	}
	if len(streams) > limit {
		out.NextCursor = cursor(streams[limit-1].Path())
	}
	return out, nil
}

func toRunningStream(l ledger.LiveStream) gen.RunningStream {
	out := gen.RunningStream{Vhost: l.Stream.Vhost, App: l.Stream.App, Stream: l.Stream.Name, Node: l.Publisher.Node, SessionID: sessionID(l.Publisher.ID),
		Protocol: l.Publisher.Protocol, Address: l.Publisher.Address, Subject: l.Publisher.Subject, Since: l.StartedAt.UTC(), Viewers: int64(l.Consumers),
		Eviction: toEviction(l.Publisher.Eviction)}
	if l.Told {
		v, a := l.Video, l.Audio
		out.Health = &gen.StreamHealth{RecvKbps: int32(l.RecvKbps), SendKbps: int32(l.SendKbps), BytesIn: l.BytesIn, BytesOut: l.BytesOut,
			VideoCodec: v.Codec, VideoProfile: v.Profile, VideoLevel: v.Level, Width: int32(v.Width), Height: int32(v.Height), FrameRate: v.FrameRate,
			AudioCodec: a.Codec, AudioProfile: a.Profile, AudioSampleRate: int32(a.SampleRate), AudioChannels: int32(a.Channel)}
	}
	return out
}

// ListStreamSamples shows how a stream went.
func (s *Server) ListStreamSamples(ctx context.Context, req gen.ListStreamSamplesRequestObject) (gen.ListStreamSamplesResponseObject, error) {
	p := req.Params
	points, step, err := s.Streams.Samples(ctx, streamOf(p.Vhost, p.App, p.Stream), timeOf(p.Since), timeOf(p.Until))
	if err != nil {
		return nil, err
	}
	out := gen.ListStreamSamples200JSONResponse{StepSeconds: int32(step / time.Second), Samples: make([]gen.StreamSample, len(points))}
	for i, pt := range points {
		out.Samples[i] = gen.StreamSample{At: pt.At.UTC(), Viewers: pt.Viewers}
		if pt.Kbps >= 0 {
			out.Samples[i].Kbps = &pt.Kbps
		}
	}
	return out, nil
}

// CutStream cuts off a publisher and all who play what it publishes.
func (s *Server) CutStream(ctx context.Context, req gen.CutStreamRequestObject) (gen.CutStreamResponseObject, error) {
	p := req.Params
	o, err := s.Kicks.Cut(ctx, streamOf(p.Vhost, p.App, p.Stream))
	if err != nil {
		return nil, err
	}
	return gen.CutStream200JSONResponse(toKickResult(o)), nil
}

// ListSessions returns one page.
func (s *Server) ListSessions(ctx context.Context, req gen.ListSessionsRequestObject) (gen.ListSessionsResponseObject, error) {
	f, err := toSessionFilter(req.Params)
	if err != nil {
		return nil, err
	}
	sessions, next, err := s.Streams.Sessions(ctx, f)
	if err != nil {
		return nil, err
	}
	out := gen.ListSessions200JSONResponse{Sessions: make([]gen.Session, len(sessions)), NextCursor: next}
	for i, x := range sessions {
		out.Sessions[i] = toSession(x)
	}
	return out, nil
}

func toSessionFilter(p gen.ListSessionsParams) (f ledger.SessionFilter, err error) {
	limit, _, err := page(p.Limit, "")
	if err != nil {
		return f, err
	}
	f = ledger.SessionFilter{Stream: media.Stream{Vhost: p.Vhost, App: p.App, Name: p.Stream}, Node: p.Node, Subject: p.Subject,
		Credential: access.CredentialKind(p.Credential), Since: timeOf(p.Since), Until: timeOf(p.Until), After: p.Cursor, Limit: limit}
	if p.State != nil {
		if f.Ended = *p.State == gen.ListSessionsParamsStateEnded; !f.Ended && *p.State != gen.ListSessionsParamsStateOpen {
			return f, errs.InvalidField("state", "state is open or ended")
		}
	}
	if p.Scene != nil {
		if f.Scene = media.Scene(*p.Scene); f.Scene != media.Publish && f.Scene != media.Play {
			return f, errs.InvalidField("scene", "scene is publish or play")
		}
	}
	return f, nil
}

// KickSession cuts one connection off.
func (s *Server) KickSession(ctx context.Context, req gen.KickSessionRequestObject) (gen.KickSessionResponseObject, error) {
	id, _ := strconv.ParseInt(req.SessionID, 10, 64) // what is none is the id of no session
	o, err := s.Kicks.Kick(ctx, id)
	if err != nil {
		return nil, err
	}
	return gen.KickSession200JSONResponse(toKickResult(o)), nil
}

func toSession(x ledger.Session) gen.Session {
	out := gen.Session{ID: sessionID(x.ID), Scene: gen.SessionScene(x.Scene), State: gen.SessionStateOpen, Node: x.Node, Vhost: x.Stream.Vhost, App: x.Stream.App,
		Stream: x.Stream.Name, ClientID: x.ClientID, Address: x.Address, Protocol: x.Protocol, Credential: string(x.Credential), Subject: x.Subject,
		StartedAt: x.StartedAt.UTC(), EndedAt: utc(x.EndedAt), EndReason: x.EndReason, BytesIn: x.BytesIn, BytesOut: x.BytesOut,
		Refused: string(x.Refused), Eviction: toEviction(x.Eviction)}
	if x.EndedAt != nil {
		out.State = gen.SessionStateEnded
	}
	return out
}

func toEviction(e *ledger.Eviction) *gen.SessionEviction {
	if e == nil {
		return nil
	}
	return &gen.SessionEviction{State: gen.SessionEvictionState(e.State), Reason: e.Reason, Fault: e.Fault, Since: e.Since.UTC(), Tries: int32(e.Tries)}
}

func toKickResult(o evict.Outcome) gen.KickResult {
	return gen.KickResult{State: gen.KickResultState(o.State), Connections: int32(o.Kicked), Message: o.Message}
}

func sessionID(id int64) string { return strconv.FormatInt(id, 10) }

// streamOf names a stream; without a vhost it is of the default one.
func streamOf(vhost, app, name string) media.Stream {
	if vhost == "" {
		vhost = media.DefaultVhost
	}
	return media.Stream{Vhost: vhost, App: app, Name: name}
}

// timeOf is the zero time where none is given.
func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
