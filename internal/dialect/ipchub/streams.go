package ipchub

import (
	"context"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// IpchubListStreams lists the streams that the caller may see.
func (s *Server) IpchubListStreams(ctx context.Context, req gen.IpchubListStreamsRequestObject) (gen.IpchubListStreamsResponseObject, error) {
	p, err := pageOf(req.Params.PageSize, req.Params.PageToken)
	if err != nil {
		return nil, err
	}
	read := s.everyStream
	if !caller(ctx).Admin {
		read = s.visibleStreams
	}
	found, total, err := read(ctx, p)
	if err != nil {
		return nil, err
	}
	shown, err := s.toStreams(ctx, found, on(string(req.Params.C)))
	if err != nil {
		return nil, err
	}
	return gen.IpchubListStreams200JSONResponse{Total: total, NextPageToken: next(found, pathOf, ""), Streams: shown}, nil
}

func (s *Server) everyStream(ctx context.Context, p page) (found []ledger.LiveStream, total int64, err error) {
	return s.Streams.Live(ctx, ledger.LiveFilter{After: p.after, Limit: p.size})
}

// visibleStreams walks through all running streams, as only the caller's rights
// tell which of them count.
func (s *Server) visibleStreams(ctx context.Context, p page) (found []ledger.LiveStream, total int64, err error) {
	me, filter := caller(ctx), ledger.LiveFilter{Limit: maxSize}
	for {
		all, _, err := s.Streams.Live(ctx, filter)
		if err != nil {
			return nil, 0, err
		}
		for _, l := range all {
			if !maySee(me, l) {
				continue
			}
			total++
			if l.Path() > p.after && len(found) < p.size {
				found = append(found, l)
			}
		}
		if len(all) < maxSize {
			return found, total, nil
		}
		filter.After = all[len(all)-1].Path()
	}
}

// maySee says whether a stream is any business of the caller's: theirs to play
// or to publish.
func maySee(p account.Principal, l ledger.LiveStream) bool {
	return p.MayPull(l.Path()) || p.MayPush(l.Path())
}

// IpchubGetStream shows a stream. One that the caller may not see does not exist.
func (s *Server) IpchubGetStream(ctx context.Context, req gen.IpchubGetStreamRequestObject) (gen.IpchubGetStreamResponseObject, error) {
	found, err := s.find(ctx, req.Path)
	if err != nil {
		return nil, err
	}
	if !maySee(caller(ctx), found) {
		return nil, errNoSuch
	}
	shown, err := s.toStreams(ctx, []ledger.LiveStream{found}, on(string(req.Params.C)))
	if err != nil {
		return nil, err
	}
	return gen.IpchubGetStream200JSONResponse(shown[0]), nil
}

// IpchubDeleteStream has the media server drop a stream, if it runs.
func (s *Server) IpchubDeleteStream(ctx context.Context, req gen.IpchubDeleteStreamRequestObject) (gen.IpchubDeleteStreamResponseObject, error) {
	found, err := s.find(ctx, req.Path)
	if err == nil {
		_, err = s.Kicks.KickStream(ctx, found.Stream)
	}
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return nil, err
	}
	return gen.IpchubDeleteStream200Response{}, nil
}

// IpchubDeleteConsumer has the media server drop one player, if it is there.
func (s *Server) IpchubDeleteConsumer(ctx context.Context, req gen.IpchubDeleteConsumerRequestObject) (gen.IpchubDeleteConsumerResponseObject, error) {
	found, err := s.find(ctx, req.Path)
	if err == nil {
		_, err = s.Kicks.KickSession(ctx, found.Stream, req.Params.Cid)
	}
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return nil, err
	}
	return gen.IpchubDeleteConsumer200Response{}, nil
}

// find looks a running stream up. No stream has a path that ends in a slash.
func (s *Server) find(ctx context.Context, path string) (ledger.LiveStream, error) {
	if path = streamPath(path); strings.HasSuffix(path, "/") {
		return ledger.LiveStream{}, errNoSuch
	}
	return s.Streams.Find(ctx, path)
}

// toStreams shows streams, with their players where these are asked for.
func (s *Server) toStreams(ctx context.Context, found []ledger.LiveStream, players bool) (shown []gen.IpchubStream, err error) {
	var watching map[media.Stream][]ledger.Session
	if players {
		if watching, err = s.Streams.ConsumersOf(ctx, keysOf(found), maxSize); err != nil {
			return nil, err
		}
	}
	for _, l := range found {
		shown = append(shown, toStream(l, watching[l.Stream]))
	}
	return shown, nil
}

func keysOf(found []ledger.LiveStream) (keys []media.Stream) {
	for _, l := range found {
		keys = append(keys, l.Stream)
	}
	return keys
}

// on reads the switches of a query.
func on(value string) bool { return strings.TrimSpace(value) == "1" }

func pathOf(l ledger.LiveStream) string { return l.Path() }
