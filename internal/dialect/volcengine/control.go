package volcengine

import (
	"context"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// longestBan is how far ahead a ban may end.
const longestBan = 90 * 24 * time.Hour

// forbidStream bans a stream, then ends what is running. A media server that
// cannot be told does not undo the ban: it holds for everybody who asks from now
// on, and for running sessions wherever they are asked about again.
func (s *Server) forbidStream(ctx context.Context, c *call, in gen.ForbidStreamRequest) (any, error) {
	where, err := streamAt(in.Vhost, in.Domain, in.App, in.Stream)
	if err != nil {
		return nil, err
	}
	until, err := banEnd(c.now, in.EndTime)
	if err != nil {
		return nil, err
	}
	vhost, err := s.vhostOf(ctx, c, where.name())
	if err != nil {
		return nil, err
	}
	for _, p := range banPlaces(where, vhost) {
		if err := s.Bans.Forbid(ctx, access.Ban{Vhost: p.vhost, Domain: p.domain, App: in.App, Stream: in.Stream, Until: until}); err != nil {
			return nil, err
		}
	}
	if err := s.kick(ctx, media.Stream{Vhost: vhost, App: in.App, Name: in.Stream}); err != nil {
		s.Log.WarnContext(ctx, "a forbidden stream goes on", "app", in.App, "stream", in.Stream, "error", err)
	}
	return nil, nil
}

// banPlaces are the places that a ban is stored under: the name that was given,
// and the default vhost where that is what the name stands for. Clients choose
// the host name that they connect by, so the name alone would not hold them.
func banPlaces(where place, vhost string) []place {
	if vhost != media.DefaultVhost || where.vhost == media.DefaultVhost {
		return []place{where}
	}
	return []place{{vhost: media.DefaultVhost}, where}
}

func banEnd(now time.Time, text string) (time.Time, error) {
	until, err := parseTime("EndTime", text)
	switch {
	case err != nil || text == "":
		return now.Add(longestBan), err
	case !until.After(now):
		return until, errs.InvalidField("end_time", "EndTime has passed")
	case until.After(now.Add(longestBan)):
		return until, errs.InvalidField("end_time", "EndTime is at most 90 days ahead")
	}
	return until, nil
}

// resumeStream lifts a ban wherever forbidStream may have stored it; which vhost
// the name stood for then is not known any more.
func (s *Server) resumeStream(ctx context.Context, c *call, in gen.ResumeStreamRequest) (any, error) {
	where, err := streamAt(in.Vhost, in.Domain, in.App, in.Stream)
	if err != nil {
		return nil, err
	}
	for _, p := range banPlaces(where, media.DefaultVhost) {
		if err := s.Bans.Resume(ctx, p.vhost, p.domain, in.App, in.Stream); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// killStream ends the sessions of a stream. That there are none is no failure.
func (s *Server) killStream(ctx context.Context, c *call, in gen.KillStreamRequest) (any, error) {
	where, err := streamAt(in.Vhost, in.Domain, in.App, in.Stream)
	if err != nil {
		return nil, err
	}
	vhost, err := s.vhostOf(ctx, c, where.name())
	if err != nil {
		return nil, err
	}
	return nil, s.kick(ctx, media.Stream{Vhost: vhost, App: in.App, Name: in.Stream})
}

// kick ends the sessions of a stream, if there are any.
func (s *Server) kick(ctx context.Context, st media.Stream) error {
	_, err := s.Kicks.KickStream(ctx, st)
	return err
}

// streamAt reads which stream is meant.
func streamAt(vhost, domain, app, stream string) (place, error) {
	where, err := placeOf(vhost, domain)
	if err != nil {
		return place{}, err
	}
	return where, streamOf(app, stream)
}
