package ome

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	maxReply   = 4 << 20 // bytes
	maxStreams = 10_000
	// maxDetails is how many streams are asked for their tracks in one list; the
	// others are listed by name.
	maxDetails = 100
)

// Client uses the API of a node (/v1) at its ControlURL, which may end in
// /v1/vhosts/NAME where the virtual host is not called "default": a node is one
// virtual host. User name and password are what the AccessToken has before and
// behind its first colon; one without a colon is the password alone.
type Client struct {
	HTTP *http.Client
	Now  func() time.Time
}

// said is an answer that is not one of success. What it says may repeat a URL
// with a password, so only the status is kept.
type said struct{ status int }

func (s *said) Error() string { return "answered " + strconv.Itoa(s.status) }
func (s *said) Unwrap() error { return media.Answered(s.status) }

// base returns the URL of the virtual host.
func base(n media.Node) string {
	url := strings.TrimRight(n.ControlURL, "/")
	if strings.Contains(url, "/v1/vhosts/") {
		return url
	}
	return strings.TrimSuffix(url, "/v1") + "/v1/vhosts/default"
}

// call asks path below the virtual host and reads the response into reply, which
// may be nil.
func (c Client) call(ctx context.Context, n media.Node, method, path string, body, reply any) error {
	return c.callAt(ctx, n, method, base(n)+path, body, reply)
}

func (c Client) callAt(ctx context.Context, n media.Node, method, address string, body, reply any) error {
	if n.ControlURL == "" {
		return errors.New("the node has no control URL")
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, sent)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	authorize(req, n)
	resp, text, err := hook.Ask(c.HTTP, req, maxReply)
	switch {
	case err != nil:
		return err
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &said{resp.StatusCode}
	}
	return read(text, reply)
}

// read takes what an answer carries. Old versions answer a list of statuses.
func read(text []byte, reply any) error {
	if reply == nil {
		return nil
	}
	var envelope struct {
		Status   int             `json:"statusCode"`
		Response json.RawMessage `json:"response"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if envelope.Status != http.StatusOK || envelope.Response == nil {
		return errors.New("the answer is none of this API")
	}
	return json.Unmarshal(envelope.Response, reply)
}

// authorize sends the AccessToken, which need not look like a user and password.
func authorize(req *http.Request, n media.Node) {
	token := n.Password
	if n.Username != "" {
		token = n.Username + ":" + n.Password
	}
	if token != "" {
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(token)))
	}
}

func isStatus(err error, status int) bool {
	var s *said
	return errors.As(err, &s) && s.status == status
}

// streamPath is where a stream is managed.
func streamPath(st media.Stream) string {
	return "/apps/" + url.PathEscape(st.App) + "/streams/" + url.PathEscape(st.Name)
}

// details are what the API tells of one stream.
type details struct {
	Input struct {
		Created time.Time `json:"createdTime"`
		Source  string    `json:"sourceType"`
		Tracks  []track   `json:"tracks"`
	} `json:"input"`
}

type track struct {
	Type  string `json:"type"`
	Video struct {
		Codec     string      `json:"codec"`
		Width     int         `json:"width"`
		Height    int         `json:"height"`
		FrameRate json.Number `json:"framerate"` // the bit rate beside it is a text
	} `json:"video"`
	Audio struct {
		Codec      string `json:"codec"`
		SampleRate int    `json:"samplerate"`
		Channel    int    `json:"channel"`
	} `json:"audio"`
}

// statistics are counted since the stream began.
type statistics struct {
	In          int64          `json:"totalBytesIn"`
	Out         int64          `json:"totalBytesOut"`
	InNow       int64          `json:"lastThroughputIn"` // bits per second
	OutNow      int64          `json:"lastThroughputOut"`
	Connections map[string]int `json:"connections"`
}

// names lists all streams of the virtual host.
func (c Client) names(ctx context.Context, n media.Node) ([]media.Stream, error) {
	var apps []string
	if err := c.call(ctx, n, http.MethodGet, "/apps", nil, &apps); err != nil {
		return nil, err
	}
	var all []media.Stream
	for _, app := range apps {
		var names []string
		err := c.call(ctx, n, http.MethodGet, "/apps/"+url.PathEscape(app)+"/streams", nil, &names)
		if isStatus(err, http.StatusNotFound) { // the application is gone since a moment ago
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			all = append(all, media.Stream{Vhost: media.DefaultVhost, App: app, Name: name})
		}
		if len(all) > maxStreams {
			return nil, fmt.Errorf("more than %d streams", maxStreams)
		}
	}
	return all, nil
}

// Streams lists what is on the virtual host right now. Of the first hundred it
// tells tracks and bytes too. Error: BadGateway; a list is never cut short.
func (c Client) Streams(ctx context.Context, n media.Node) ([]media.LiveStream, error) {
	names, err := c.names(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	list := make([]media.LiveStream, 0, len(names))
	for i, st := range names {
		live := media.LiveStream{Stream: st, Clients: 1}
		if i < maxDetails {
			there, err := c.detail(ctx, n, &live)
			if err != nil {
				return nil, hook.Unavailable(err)
			}
			if !there {
				continue
			}
		}
		list = append(list, live)
	}
	return list, nil
}

// detail fills in what is known of a stream, and says whether it is still there.
func (c Client) detail(ctx context.Context, n media.Node, live *media.LiveStream) (bool, error) {
	var d details
	err := c.call(ctx, n, http.MethodGet, streamPath(live.Stream), nil, &d)
	if isStatus(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	live.Relay = isRelay(d.Input.Source)
	if !d.Input.Created.IsZero() {
		live.Uptime = max(0, c.Now().Sub(d.Input.Created))
	}
	for _, t := range d.Input.Tracks {
		switch t.Type {
		case "Video":
			live.Video = media.Video{Codec: t.Video.Codec, Width: t.Video.Width, Height: t.Video.Height}
			rate, _ := t.Video.FrameRate.Float64() // zero where it is not told
			live.Video.FrameRate = media.FrameRate(rate)
		case "Audio":
			live.Audio = media.Audio{Codec: t.Audio.Codec, SampleRate: t.Audio.SampleRate, Channel: t.Audio.Channel}
		}
	}
	var s statistics
	stats := strings.Replace(base(n), "/v1/vhosts/", "/v1/stats/current/vhosts/", 1) + streamPath(live.Stream)
	if err := c.callAt(ctx, n, http.MethodGet, stats, nil, &s); err != nil {
		return true, nil // figures are worth nothing alone
	}
	live.BytesIn, live.BytesOut, live.RecvKbps, live.SendKbps = s.In, s.Out, int(s.InNow/1000), int(s.OutNow/1000)
	for _, players := range s.Connections {
		live.Clients += players
	}
	return true, nil
}

// isRelay says whether the server fetches the stream itself, or makes it.
func isRelay(source string) bool {
	switch source {
	case "Ovt", "RtspPull", "RtmpPull", "File", "Scheduled", "Multiplex", "Transcoder":
		return true
	}
	return false
}
