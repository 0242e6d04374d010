package zlm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	maxReply   = 16 << 20 // bytes; a stream takes about 1200 in each of its six schemas
	maxStreams = 10_000
)

// Client uses the API (/index/api) at a node's ControlURL. The node's password
// is the secret of the API; it is sent in the body, which nobody logs. The
// client waits as long as its HTTP client does, which should have a timeout of
// about two seconds.
type Client struct {
	HTTP *http.Client
	ours ours
}

// New returns a Client that has begun no pull yet.
func New(h *http.Client) Client {
	known, err := lru.New[string, struct{}](oursKept)
	if err != nil {
		panic(err) // only for a size below one
	}
	return Client{HTTP: h, ours: ours{known}}
}

// ours are the pulls that this process began or found as it wanted them: the
// API has no place for a note, and those of others are none of our business.
type ours struct{ known *lru.Cache[string, struct{}] } // node and key

// oursKept is more than is fetched at a time. Pulls end by themselves when nobody
// watches them, and viewers choose their names: without a bound they would add up.
const oursKept = 1 << 14

func (o ours) set(n media.Node, key string, ours bool) {
	if ours {
		o.known.Add(n.Name+" "+key, struct{}{})
	} else {
		o.known.Remove(n.Name + " " + key)
	}
}

func (o ours) has(n media.Node, key string) bool { return o.known.Contains(n.Name + " " + key) }

// Codes of the API; its failures have others.
const (
	codeDone     = 0
	codeRefused  = -100 // it takes another secret than ours
	codeNoTarget = -1   // kick_session of somebody who is gone, and other refusals
	codeNoStream = -500 // getMediaPlayerList of a stream that is gone
)

var errSecret error = media.Advice("it refuses our secret: the password of the node must be api.secret of its configuration")

// reply is what every answer has; the HTTP status is always 200.
type reply struct {
	Code *int            `json:"code"`
	Msg  string          `json:"msg"`
	Data json.RawMessage `json:"data"`
}

// call asks one question. An answer with any code is one; without a code it is
// none of this API.
func (c Client) call(ctx context.Context, n media.Node, name string, args url.Values) (reply, error) {
	if n.ControlURL == "" {
		return reply{}, errors.New("the node has no control URL")
	}
	form := url.Values{"secret": {n.Password}}
	for key, values := range args {
		form[key] = values
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(n.ControlURL, "/")+"/index/api/"+name, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body, err := hook.Ask(c.HTTP, req, maxReply)
	if err != nil {
		return reply{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return reply{}, fmt.Errorf("%s: %w", name, media.Answered(resp.StatusCode))
	}
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		return reply{}, fmt.Errorf("read %s: %w", name, err)
	}
	if r.Code == nil {
		return reply{}, fmt.Errorf("%s answered without a code", name)
	}
	return r, nil
}

// list reads what an answer lists; nothing at all is an empty list.
func (c Client) list(ctx context.Context, n media.Node, name string, args url.Values, into any) error {
	r, err := c.call(ctx, n, name, args)
	if err != nil {
		return err
	}
	if err := r.into(into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// source is one stream in one schema.
type source struct {
	Schema     string  `json:"schema"`
	Vhost      string  `json:"vhost"`
	App        string  `json:"app"`
	Stream     string  `json:"stream"`
	Params     string  `json:"params"`
	Seconds    int64   `json:"aliveSecond"`
	BytesSpeed int64   `json:"bytesSpeed"` // per second
	TotalBytes int64   `json:"totalBytes"`
	Readers    int     `json:"readerCount"`
	AllReaders int     `json:"totalReaderCount"` // of all schemas
	OriginType int     `json:"originType"`
	OriginURL  string  `json:"originUrl"`
	OriginSock *sock   `json:"originSock"`
	Tracks     []track `json:"tracks"`
}

type sock struct {
	ID     string `json:"identifier"`
	PeerIP string `json:"peer_ip"`
}

type track struct {
	Type       int     `json:"codec_type"` // 0 video, 1 audio
	Codec      string  `json:"codec_id_name"`
	Width      int     `json:"width"`
	Height     int     `json:"height"`
	FrameRate  float64 `json:"fps"`
	SampleRate int     `json:"sample_rate"`
	Channels   int     `json:"channels"`
}

func (s source) name() media.Stream {
	return media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream}
}

// isRelay says whether the server fetches or reads the stream itself.
func (s source) isRelay() bool {
	const pull, ffmpegPull, file, device = 4, 5, 6, 7
	switch s.OriginType {
	case pull, ffmpegPull, file, device:
		return true
	}
	return false
}

func (c Client) sources(ctx context.Context, n media.Node) ([]source, error) {
	var all []source
	err := c.list(ctx, n, "getMediaList", nil, &all)
	return all, err
}

// Streams lists what is on the node right now, once for all of its schemas. It
// fails with BadGateway when the node does not answer, answers with an error, or
// lists more than it could carry; a list is never cut short.
func (c Client) Streams(ctx context.Context, n media.Node) ([]media.LiveStream, error) {
	all, err := c.sources(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	var list []media.LiveStream
	place := map[media.Stream]int{}
	for _, s := range all {
		i, known := place[s.name()]
		if !known {
			i, place[s.name()] = len(list), len(list)
			list = append(list, s.live())
		}
		list[i].BytesIn = max(list[i].BytesIn, s.TotalBytes)
		list[i].RecvKbps = max(list[i].RecvKbps, int(s.BytesSpeed*8/1000))
	}
	if len(list) > maxStreams {
		return nil, hook.Unavailable(fmt.Errorf("more than %d streams", maxStreams))
	}
	return list, nil
}

func (s source) live() media.LiveStream {
	live := media.LiveStream{
		Stream:  s.name(),
		Clients: s.AllReaders + 1,
		Uptime:  time.Duration(s.Seconds) * time.Second,
		Relay:   s.isRelay(),
	}
	if s.OriginSock != nil && !live.Relay {
		live.PublisherID = s.OriginSock.ID
	}
	for _, t := range s.Tracks {
		switch t.Type {
		case 0:
			live.Video = media.Video{Codec: t.Codec, Width: t.Width, Height: t.Height, FrameRate: media.FrameRate(t.FrameRate)}
		case 1:
			live.Audio = media.Audio{Codec: codec(t.Codec), SampleRate: t.SampleRate, Channel: t.Channels}
		}
	}
	return live
}

func codec(name string) string {
	if name == "mpeg4-generic" {
		return "AAC"
	}
	return name
}
