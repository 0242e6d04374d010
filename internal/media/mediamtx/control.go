package mediamtx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// Streams lists what is on air on the node right now, pulled streams included.
// It fails with BadGateway when the node does not answer, answers with an error,
// or lists more than it could carry; a list is never cut short.
//
// MediaMTX does not answer it while it waits for our verdict on some client, so
// it must not be called from within one: see Has.
func (c Client) Streams(ctx context.Context, n media.Node) ([]media.LiveStream, error) {
	paths, err := c.paths(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	streams := make([]media.LiveStream, 0, len(paths))
	for _, p := range paths {
		if p.live() {
			streams = append(streams, p.stream(c.Now()))
		}
	}
	return streams, nil
}

func (c Client) paths(ctx context.Context, n media.Node) ([]path, error) {
	return list[path](ctx, c, n, "paths")
}

// path is an entry of /v3/paths/list. Versions before 1.16 say ready for
// available, and bytesReceived for inboundBytes.
type path struct {
	Name      string     `json:"name"`
	Available bool       `json:"available"`
	Since     *time.Time `json:"availableTime"`
	Ready     bool       `json:"ready"`
	ReadySin  *time.Time `json:"readyTime"`
	Source    *struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"source"`
	Tracks   []track    `json:"tracks2"`
	Readers  []struct{} `json:"readers"`
	In       int64      `json:"inboundBytes"`
	Out      int64      `json:"outboundBytes"`
	Received int64      `json:"bytesReceived"`
	Sent     int64      `json:"bytesSent"`
}

func (p path) live() bool { return p.Source != nil && (p.Available || p.Ready) }

func (p path) stream(now time.Time) media.LiveStream {
	s := media.LiveStream{
		Stream:      streamAt(p.Name),
		Clients:     len(p.Readers) + 1,
		BytesIn:     max(p.In, p.Received),
		BytesOut:    max(p.Out, p.Sent),
		PublisherID: p.Source.ID,
		Relay:       isRelay(p.Source.Type),
	}
	for _, since := range []*time.Time{p.Since, p.ReadySin} {
		if since != nil {
			s.Uptime = max(0, now.Sub(*since))
		}
	}
	for _, t := range p.Tracks {
		t.describe(&s)
	}
	return s
}

// track is what is told of a video or audio track, of codecs that have it.
type track struct {
	Codec string `json:"codec"`
	Props struct {
		Width, Height            int
		Profile, Level           json.RawMessage // a string, or a number for AV1 and VP9
		SampleRate, ChannelCount int
	} `json:"codecProps"`
}

var audioCodecs = map[string]bool{"Opus": true, "MPEG-4 Audio": true, "MPEG-4 Audio LATM": true, "MPEG-1/2 Audio": true,
	"AC-3": true, "E-AC-3": true, "Vorbis": true, "Speex": true, "G711": true, "G722": true, "G726": true, "LPCM": true, "FLAC": true}

// describe fills in the first video and the first audio track.
func (t track) describe(s *media.LiveStream) {
	switch {
	case audioCodecs[t.Codec]:
		if s.Audio.Codec == "" {
			s.Audio = media.Audio{Codec: t.Codec, SampleRate: t.Props.SampleRate, Channel: t.Props.ChannelCount}
		}
	case s.Video.Codec == "":
		s.Video = media.Video{Codec: t.Codec, Profile: word(t.Props.Profile), Level: word(t.Props.Level), Width: t.Props.Width, Height: t.Props.Height}
	}
}

// word returns a JSON string or number as text.
func word(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var number json.Number
	_ = json.Unmarshal(raw, &number)
	return number.String()
}

// Collections of the API by protocol, the plain one before the encrypted.
var collections = map[string][]string{
	"rtmp":   {"rtmpconns", "rtmpsconns"},
	"rtsp":   {"rtspsessions", "rtspssessions"},
	"hls":    {"hlssessions"},
	"srt":    {"srtconns"},
	"webrtc": {"webrtcsessions"},
	"moq":    {"moqsessions"},
}

// protocols are all of them in one order.
var protocols = []string{"rtmp", "rtsp", "hls", "srt", "webrtc", "moq"}

// Census lists everybody on the node. A connection that has not begun to publish
// or play yet has no scene and no stream. It fails as Streams does; unlike that
// it is answered while MediaMTX waits for a verdict.
func (c Client) Census(ctx context.Context, n media.Node) (media.Census, error) {
	census := media.Census{Publishers: true, Players: true}
	found, now := false, c.Now()
	for _, protocol := range protocols {
		for _, place := range collections[protocol] {
			clients, err := list[live](ctx, c, n, place)
			if errors.Is(err, errNoPlace) { // switched off
				continue
			}
			if err != nil {
				return media.Census{}, hook.Unavailable(fmt.Errorf("%s: %w", place, err))
			}
			found = true
			for _, l := range clients {
				census.Clients = append(census.Clients, l.client(protocol, now))
			}
		}
	}
	if !found {
		return media.Census{}, hook.Unavailable(errNoPlace)
	}
	return census, nil
}

// live is an entry of any of the collections.
type live struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Remote   string    `json:"remoteAddr"`
	State    string    `json:"state"` // idle, read, publish; none for HLS, which reads
	Path     string    `json:"path"`
	Query    string    `json:"query"`
	User     string    `json:"user"`
	IsCDN    bool      `json:"isCDN"` // an HLS cache that has a secret of its own
	In       int64     `json:"inboundBytes"`
	Out      int64     `json:"outboundBytes"`
	Received int64     `json:"bytesReceived"`
	Sent     int64     `json:"bytesSent"`
}

func (l live) client(protocol string, now time.Time) media.LiveClient {
	c := media.LiveClient{
		Client: media.Client{ID: l.ID, Address: addressOf(media.HostOf(l.Remote)), Protocol: protocol},
		Query:  l.Query,
		// Who shows no query may have shown a password, of which the list tells at
		// most the name.
		QueryTold: l.Query != "" && l.User == "",
		Relay:     l.IsCDN,
		BytesIn:   max(l.In, l.Received),
		BytesOut:  max(l.Out, l.Sent),
	}
	if !l.Created.IsZero() {
		c.Uptime = max(0, now.Sub(l.Created))
	}
	switch {
	case l.Path == "":
		return c
	case l.State == "publish":
		c.Scene = media.Publish
	case l.State == "read", protocol == "hls":
		c.Scene = media.Play
	default:
		return c
	}
	c.Stream = streamAt(l.Path)
	return c
}

// Has says whether the node still has a client, whatever it is doing. Error:
// BadGateway.
func (c Client) Has(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	return c.anywhere(ctx, n, who, "GET", "get")
}
