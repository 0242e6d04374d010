package nms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	maxReply   = 16 << 20 // bytes; a session takes about 170, a stream 450
	maxStreams = 10_000
)

// Client uses the HTTP API, which the server has where auth.jwt is configured,
// at a node's ControlURL. It waits as long as its HTTP client does, which should
// have a timeout of about two seconds. It keeps the tokens of its logins, so
// there should be one for all nodes.
type Client struct {
	HTTP   *http.Client
	logins logins
}

// Streams lists what is being published on the node right now. It fails with
// BadGateway when the node does not answer, answers with an error, or lists
// more than it could carry; a list is never cut short.
func (c *Client) Streams(ctx context.Context, n media.Node) ([]media.LiveStream, error) {
	at, streams, err := c.streams(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	relays, err := c.relays(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	list := make([]media.LiveStream, 0, len(streams))
	for _, s := range streams {
		if s.onAir() {
			live := s.live(at)
			live.Relay = relays[s.Publisher.ID]
			list = append(list, live)
		}
	}
	return list, nil
}

func (c *Client) streams(ctx context.Context, n media.Node) (at time.Time, list []stream, err error) {
	var reply struct {
		Streams []stream `json:"streams"`
	}
	if at, err = c.get(ctx, n, "/streams", &reply); err != nil {
		return at, nil, err
	}
	if len(reply.Streams) > maxStreams {
		return at, nil, fmt.Errorf("more than %d streams", maxStreams)
	}
	return at, reply.Streams, nil
}

// relays are the ids of the server's own pulls and pushes. Version 4.2
// has none.
func (c *Client) relays(ctx context.Context, n media.Node) (map[string]bool, error) {
	var tasks []struct {
		ID string `json:"id"`
	}
	_, err := c.get(ctx, n, "/relay", &tasks)
	if err != nil && !errors.Is(err, errNotFound) {
		return nil, err
	}
	ids := make(map[string]bool, len(tasks))
	for _, t := range tasks {
		ids[t.ID] = true
	}
	return ids, nil
}

// IsRelay says whether a session is one of the server's own pulls. Where the
// node cannot be asked it is taken for a client's.
func (c *Client) IsRelay(ctx context.Context, n media.Node, id string) bool {
	if n.ControlURL == "" {
		return false
	}
	ids, err := c.relays(ctx, n)
	return err == nil && ids[id]
}

// envelope is around every answer of the API.
type envelope[T any] struct {
	Success bool `json:"success"`
	Data    T    `json:"data"`
}

var errNotFound = errors.New("not found")

// get reads one page of the API and returns the server's time.
func (c *Client) get(ctx context.Context, n media.Node, path string, into any) (time.Time, error) {
	resp, text, err := c.call(ctx, http.MethodGet, n, path)
	if err != nil {
		return time.Time{}, err
	}
	reply := envelope[any]{Data: into}
	if err := json.Unmarshal(text, &reply); err != nil {
		return time.Time{}, fmt.Errorf("read %s: %w", path, err)
	}
	if !reply.Success {
		return time.Time{}, fmt.Errorf("%s answered without success", path)
	}
	at, _ := http.ParseTime(resp.Header.Get("Date")) // zero where there is none
	return at, nil
}

// call makes a request with the node's token, and once more with a new one
// where that is refused: tokens end, and with some configurations every restart
// of the server ends all.
func (c *Client) call(ctx context.Context, method string, n media.Node, path string) (resp *http.Response, text []byte, err error) {
	if n.ControlURL == "" {
		return nil, nil, errors.New("the node has no control URL")
	}
	token := ""
	for range 2 {
		if token, err = c.token(ctx, n, token); err != nil {
			return nil, nil, err
		}
		req, err := c.request(ctx, method, n, path, nil)
		if err != nil {
			return nil, nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if resp, text, err = hook.Ask(c.HTTP, req, maxReply); err != nil {
			return nil, nil, err
		}
		if resp.StatusCode != http.StatusUnauthorized {
			break
		}
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp, text, nil
	case http.StatusNotFound:
		return nil, nil, errNotFound
	}
	return nil, nil, fmt.Errorf("%s: %w", path, media.Answered(resp.StatusCode))
}

func (c *Client) request(ctx context.Context, method string, n media.Node, path string, body io.Reader) (*http.Request, error) {
	base, err := url.Parse(n.ControlURL)
	if err != nil {
		return nil, errors.New("the control URL is none")
	}
	return http.NewRequestWithContext(ctx, method, strings.TrimRight(base.String(), "/")+"/api/v1"+path, body)
}

type stream struct {
	App       string `json:"app"`
	Name      string `json:"name"`
	Status    string `json:"status"` // not in 4.2; the publisher of a stream that is "reconnecting" is gone
	Publisher *struct {
		ID         string  `json:"id"`
		CreateTime float64 `json:"createTime"`
		VideoCodec float64 `json:"videoCodec"`
		Width      float64 `json:"videoWidth"`
		Height     float64 `json:"videoHeight"`
		FrameRate  float64 `json:"videoFramerate"`
		AudioCodec float64 `json:"audioCodec"`
		Channels   float64 `json:"audioChannels"`
		SampleRate float64 `json:"audioSamplerate"`
		InBytes    float64 `json:"inBytes"`
	} `json:"publisher"`
	Subscribers int     `json:"subscribers"` // the recorder is one
	OutBytes    float64 `json:"outBytes"`
	InBps       float64 `json:"inBps"` // bytes per second
	OutBps      float64 `json:"outBps"`
	Recording   bool    `json:"recording"`
}

func (s stream) onAir() bool {
	return s.Publisher != nil && (s.Status == "" || s.Status == "publishing")
}

func (s stream) stream() media.Stream {
	return media.Stream{Vhost: media.DefaultVhost, App: s.App, Name: s.Name}
}

func (s stream) live(at time.Time) media.LiveStream {
	p := s.Publisher
	live := media.LiveStream{
		Stream:      s.stream(),
		Clients:     s.Subscribers + 1,
		RecvKbps:    int(count(s.InBps) * 8 / 1000),
		SendKbps:    int(count(s.OutBps) * 8 / 1000),
		BytesIn:     count(p.InBytes),
		BytesOut:    count(s.OutBytes),
		Video:       media.Video{Codec: videoCodec(p.VideoCodec), Width: int(count(p.Width)), Height: int(count(p.Height)), FrameRate: media.FrameRate(p.FrameRate)},
		Audio:       media.Audio{Codec: audioCodec(p.AudioCodec), SampleRate: int(count(p.SampleRate)), Channel: int(count(p.Channels))},
		Uptime:      uptime(at, p.CreateTime),
		PublisherID: p.ID,
	}
	if s.Recording {
		live.Clients--
	}
	return live
}

// uptime is by the server's clock, which it tells in whole seconds.
func uptime(at time.Time, created float64) time.Duration {
	began := clock(created)
	if at.IsZero() || began.IsZero() {
		return 0
	}
	return max(0, at.Sub(began))
}

// videoCodec names a codec of FLV; the newer ones are four letters as a number.
func videoCodec(id float64) string {
	switch uint32(count(id)) {
	case 7, 'a'<<24 | 'v'<<16 | 'c'<<8 | '1':
		return "H264"
	case 12, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1':
		return "HEVC"
	case 'a'<<24 | 'v'<<16 | '0'<<8 | '1':
		return "AV1"
	case 'v'<<24 | 'p'<<16 | '0'<<8 | '9':
		return "VP9"
	}
	return ""
}

func audioCodec(id float64) string {
	switch uint32(count(id)) {
	case 2:
		return "MP3"
	case 10, 'm'<<24 | 'p'<<16 | '4'<<8 | 'a':
		return "AAC"
	case 'O'<<24 | 'p'<<16 | 'u'<<8 | 's':
		return "Opus"
	}
	return ""
}
