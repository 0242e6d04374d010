package srs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	pageSize   = 1000    // streams per request; SRS takes anything from 10 up
	maxStreams = 10_000  // more than one SRS process can carry
	maxReply   = 4 << 20 // bytes; a stream takes about 600
)

// Client reads the HTTP API of SRS. It waits as long as its HTTP client does,
// which should have a timeout of about two seconds.
type Client struct {
	HTTP *http.Client
}

// Streams lists what is being published on the node right now. It fails with
// BadGateway when the node does not answer, answers with an error, or lists
// more than it could carry; a list is never cut short.
func (c Client) Streams(ctx context.Context, n media.Node) ([]media.LiveStream, error) {
	if n.ControlURL == "" {
		return nil, hook.Unavailable(errors.New("the node has no control URL"))
	}
	streams, err := c.active(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	vhosts, err := c.vhostsFor(ctx, n, streams)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	list := make([]media.LiveStream, 0, len(streams))
	for _, s := range streams {
		list = append(list, s.live(vhosts))
	}
	return list, nil
}

// active reads all pages and keeps the streams that have a publisher: ended
// ones stay in the list while anybody still watches. Streams that come and go
// between two pages shift the others, hence the check for ones already seen;
// SRS 3 does not page and gives everything each time.
func (c Client) active(ctx context.Context, n media.Node) ([]stream, error) {
	var list []stream
	seen := make(map[string]bool)
	for start := 0; start <= maxStreams; start += pageSize {
		var page streamsPage
		query := url.Values{"start": {strconv.Itoa(start)}, "count": {strconv.Itoa(pageSize)}}
		if err := c.get(ctx, n, "/api/v1/streams/?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		before := len(seen)
		for _, s := range page.Streams {
			if s.Publish.Active && !seen[s.ID] {
				s.serverID = page.serverID(s)
				list = append(list, s)
			}
			seen[s.ID] = true
		}
		if len(page.Streams) < pageSize || len(seen) == before {
			return list, nil
		}
	}
	return nil, fmt.Errorf("more than %d streams", maxStreams)
}

// vhostsFor returns the names of vhosts by id, which only the versions before 5
// need: they list streams without url.
func (c Client) vhostsFor(ctx context.Context, n media.Node, streams []stream) (map[string]string, error) {
	for _, s := range streams {
		if s.URL == "" {
			return c.vhosts(ctx, n)
		}
	}
	return nil, nil
}

func (c Client) vhosts(ctx context.Context, n media.Node) (map[string]string, error) {
	var reply vhostsReply
	if err := c.get(ctx, n, "/api/v1/vhosts/", &reply); err != nil {
		return nil, err
	}
	names := make(map[string]string, len(reply.Vhosts))
	for _, v := range reply.Vhosts {
		names[v.ID] = v.Name
	}
	return names, nil
}

// get reads one page of the API into reply. The slash at the end of a path
// matters: without it SRS redirects.
func (c Client) get(ctx context.Context, n media.Node, path string, reply coded) error {
	if err := c.call(ctx, http.MethodGet, n, path, reply); err != nil {
		return err
	}
	if code := reply.result(); code == nil || *code != 0 {
		return fmt.Errorf("%s answered without code 0", path)
	}
	return nil
}

func (c Client) call(ctx context.Context, method string, n media.Node, path string, reply coded) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(n.ControlURL, "/")+path, nil)
	if err != nil {
		return err
	}
	if n.Username != "" {
		req.SetBasicAuth(n.Username, n.Password)
	}
	resp, body, err := hook.Ask(c.HTTP, req, maxReply)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", req.URL.Path, media.Answered(resp.StatusCode))
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("read %s: %w", req.URL.Path, err)
	}
	return nil
}

// coded is a reply of the API: HTTP status 200 says nothing, the code does.
type coded interface{ result() *int }

type code struct {
	Code *int `json:"code"`
}

func (c code) result() *int { return c.Code }

type streamsPage struct {
	code
	Server  string   `json:"server"`
	Service string   `json:"service"`
	Streams []stream `json:"streams"`
}

// serverID returns what the callbacks of the same process say. Version 4 sends
// an id in some releases only and its API does not tell which, so there it is
// empty.
func (p streamsPage) serverID(s stream) string {
	if p.Service == "" && s.URL == "" {
		return ""
	}
	return processID(p.Server, p.Service)
}

type vhostsReply struct {
	code
	Vhosts []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"vhosts"`
}

type stream struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Vhost   string `json:"vhost"` // the id of the vhost
	App     string `json:"app"`
	URL     string `json:"url"` // as stream_url of the callbacks, from 5.0
	Clients int    `json:"clients"`
	Recv    int64  `json:"recv_bytes"`
	Send    int64  `json:"send_bytes"`
	Kbps    struct {
		Recv int `json:"recv_30s"`
		Send int `json:"send_30s"`
	} `json:"kbps"`
	Publish struct {
		Active bool   `json:"active"`
		CID    string `json:"cid"`
	} `json:"publish"`
	// Video and Audio are null until the first packets, and for good where the
	// stream has only one of them.
	Video struct {
		Codec   string `json:"codec"`
		Profile string `json:"profile"`
		Level   string `json:"level"`
		Width   int    `json:"width"`
		Height  int    `json:"height"`
	} `json:"video"`
	Audio struct {
		Codec      string `json:"codec"`
		Profile    string `json:"profile"`
		SampleRate int    `json:"sample_rate"`
		Channel    int    `json:"channel"`
	} `json:"audio"`

	serverID string
}

func (s stream) live(vhosts map[string]string) media.LiveStream {
	return media.LiveStream{
		Stream:      s.stream(vhosts),
		Clients:     s.Clients,
		RecvKbps:    s.Kbps.Recv,
		SendKbps:    s.Kbps.Send,
		BytesIn:     s.Recv,
		BytesOut:    s.Send,
		Video:       media.Video{Codec: s.Video.Codec, Profile: s.Video.Profile, Level: s.Video.Level, Width: s.Video.Width, Height: s.Video.Height},
		Audio:       media.Audio(s.Audio),
		PublisherID: s.Publish.CID,
		ServerID:    s.serverID,
	}
}

// stream names the stream as its callbacks do, so that both can be compared.
func (s stream) stream(vhosts map[string]string) media.Stream {
	if s.URL == "" {
		return streamNamed(vhosts[s.Vhost], s.App, s.Name)
	}
	vhost, _, _ := strings.Cut(s.URL, "/")
	if vhost == "" {
		vhost = media.DefaultVhost
	}
	return streamAt(vhost, s.URL)
}
