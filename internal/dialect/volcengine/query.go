package volcengine

import (
	"context"
	"math"
	"slices"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// describeState says what a stream is doing.
func (s *Server) describeState(ctx context.Context, c *call, in *values) (any, error) {
	app, stream := in.text("App"), in.text("Stream")
	where, err := streamAt(in.text("Vhost"), in.text("Domain"), app, stream)
	if err != nil {
		return nil, err
	}
	vhost, err := s.vhostOf(ctx, c, where.name())
	if err != nil {
		return nil, err
	}
	out := gen.DescribeLiveStreamStateResult{StreamState: gen.DescribeLiveStreamStateResultStreamStateOffline}
	_, running, err := s.Streams.Live(ctx, ledger.LiveFilter{Vhost: vhost, App: app, Stream: stream})
	if err != nil {
		return nil, err
	}
	if running > 0 {
		out.StreamState, out.Type = gen.DescribeLiveStreamStateResultStreamStateOnline, gen.DescribeLiveStreamStateResultTypePush
	}
	if s.Bans.Banned(c.now, where.name(), media.Stream{Vhost: vhost, App: app, Name: stream}) {
		out.StreamState = gen.DescribeLiveStreamStateResultStreamStateForbidden
	}
	return out, nil
}

// page is what the lists have in common.
type page struct {
	asked       place
	vhost       string // of the streams, "" for any
	app, stream string
	fuzzy       bool
	oldestFirst bool
	offset      int
	limit       int
	nothing     bool // the filter chooses kinds of streams that do not exist here
}

const maxPages, maxPageSize = 1_000_000, 1000

func readPage(in *values) (p page, err error) {
	number := in.number("PageNum", 1, maxPages)
	p.limit = in.number("PageSize", 1, maxPageSize)
	p.offset = (number - 1) * p.limit
	p.fuzzy = in.choice("QueryType", "strict", "fuzzy") == "fuzzy"
	p.oldestFirst = in.choice("Sort", "asc", "desc") == "asc"
	p.nothing = in.choice("SourceType", "push", "relay") == "relay"
	p.nothing = in.choice("StreamType", "origin", "trans") == "trans" || p.nothing
	if in.err != nil {
		return p, in.err
	}
	if p.asked, err = anyPlaceOf(in.text("Vhost"), in.text("Domain")); err != nil {
		return p, err
	}
	p.app, p.stream = in.text("App"), in.text("Stream")
	return p, appAndStream(p.app, p.stream)
}

// describeLive lists running streams.
func (s *Server) describeLive(ctx context.Context, c *call, in *values) (any, error) {
	p, err := readPage(in)
	if err != nil {
		return nil, err
	}
	kinds, err := infoTypes(in.text("InfoType"))
	if err != nil {
		return nil, err
	}
	out := gen.DescribeLiveStreamInfoByPageResult{StreamInfoList: []gen.LiveStreamInfo{}}
	if p.nothing {
		return out, nil
	}
	if p.vhost, err = s.vhostOf(ctx, c, p.asked.name()); err != nil {
		return nil, err
	}
	found, total, err := s.Streams.Live(ctx, ledger.LiveFilter{Vhost: p.vhost, App: p.app, Stream: p.stream, Fuzzy: p.fuzzy, Offset: p.offset, Limit: p.limit})
	if err != nil {
		return nil, err
	}
	for _, live := range found {
		out.StreamInfoList = append(out.StreamInfoList, s.toLive(p.asked, live, c.newer, kinds))
	}
	out.RoughCount = total
	return out, nil
}

func (s *Server) toLive(asked place, live ledger.LiveStream, newer bool, kinds []string) gen.LiveStreamInfo {
	at := s.shown(asked, live.Stream)
	out := gen.LiveStreamInfo{ID: live.Publisher.ID, Vhost: at.vhost, Domain: at.domain, App: live.Stream.App, Stream: live.Stream.Name,
		SessionStartTime: timeText(live.StartedAt)}
	if newer {
		out.SourceType = gen.LiveStreamInfoSourceTypePush
		return out
	}
	none, preview := int64(0), ""
	out.OnlineUser, out.BandWidth, out.Bitrate, out.Framerate, out.PreviewURL = &none, &none, &none, &none, &preview
	for _, figure := range []struct {
		kind  string
		to    **int64
		value int64
	}{
		{"onlineuser", &out.OnlineUser, int64(max(0, live.Clients-1))},
		{"bandwidth", &out.BandWidth, int64(live.SendKbps) * 1000},
		{"bitrate", &out.Bitrate, int64(live.RecvKbps) * 1000},
		{"framerate", &out.Framerate, int64(math.Round(live.Video.FrameRate))},
	} {
		if slices.Contains(kinds, figure.kind) {
			*figure.to = &figure.value
		}
	}
	return out
}

// infoTypes reads which figures are wanted; all of them where nothing is said.
func infoTypes(text string) ([]string, error) {
	every := []string{"onlineuser", "bandwidth", "bitrate", "framerate"}
	if text == "" {
		return every, nil
	}
	kinds := strings.Split(text, ",")
	for _, kind := range kinds {
		switch {
		case kind == "all":
			return every, nil
		case !slices.Contains(every, kind):
			return nil, errs.InvalidField("info_type", "InfoType is all, onlineuser, bandwidth, bitrate and framerate, separated by commas")
		}
	}
	return kinds, nil
}

// describeClosed lists streams that have ended.
func (s *Server) describeClosed(ctx context.Context, c *call, in *values) (any, error) {
	from, to := in.time("EndTimeFrom"), in.time("EndTimeTo")
	p, err := readPage(in)
	if err != nil {
		return nil, err
	}
	if to.Before(from) {
		return nil, errs.InvalidField("end_time_to", "EndTimeTo is before EndTimeFrom")
	}
	out := gen.DescribeClosedStreamInfoByPageResult{StreamInfoList: []gen.ClosedStreamInfo{}}
	if p.nothing {
		return out, nil
	}
	if p.vhost, err = s.vhostOf(ctx, c, p.asked.name()); err != nil {
		return nil, err
	}
	found, total, err := s.Streams.Closed(ctx, ledger.ClosedFilter{Vhost: p.vhost, App: p.app, Stream: p.stream, Fuzzy: p.fuzzy,
		Descending: !p.oldestFirst, From: from, To: to, Offset: p.offset, Limit: p.limit})
	if err != nil {
		return nil, err
	}
	for _, sess := range found {
		at := s.shown(p.asked, sess.Stream)
		info := gen.ClosedStreamInfo{Vhost: at.vhost, Domain: at.domain, App: sess.Stream.App, Stream: sess.Stream.Name,
			StartTime: timeText(sess.StartedAt), SourceType: gen.ClosedStreamInfoSourceTypePush}
		if sess.EndedAt != nil {
			info.EndTime = timeText(*sess.EndedAt)
		}
		out.StreamInfoList = append(out.StreamInfoList, info)
	}
	out.RoughCount = total
	return out, nil
}

// describeForbidden lists bans as they are stored.
func (s *Server) describeForbidden(ctx context.Context, c *call, in *values) (any, error) {
	p, err := readPage(in)
	if err != nil {
		return nil, err
	}
	found, total, err := s.Bans.Bans(ctx, access.BanFilter{Vhost: p.asked.vhost, Domain: p.asked.domain, App: p.app, Stream: p.stream, Fuzzy: p.fuzzy,
		Descending: !p.oldestFirst, Offset: p.offset, Limit: p.limit})
	if err != nil {
		return nil, err
	}
	out := gen.DescribeForbiddenStreamInfoByPageResult{StreamInfoList: []gen.ForbiddenStreamInfo{}, RoughCount: total}
	for _, b := range found {
		out.StreamInfoList = append(out.StreamInfoList, gen.ForbiddenStreamInfo{Vhost: b.Vhost, Domain: b.Domain, App: b.App, Stream: b.Stream,
			CreateTime: timeText(b.CreatedAt), EndTime: timeText(b.Until), Status: b.Active})
	}
	return out, nil
}
