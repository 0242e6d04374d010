package srs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	maxClients = 50_000
	// pageOverlap is how many may leave while one page of clients is read.
	pageOverlap = 100
	censusTries = 3
	maxAlive    = 10 * 365 * 24 * 3600 // seconds; who says more does not know
)

// Census lists all connections of the node, viewers of HLS among them where the
// version has sessions for them. It fails as Streams does.
func (c Client) Census(ctx context.Context, n media.Node) (media.Census, error) {
	if n.ControlURL == "" {
		return media.Census{}, hook.Unavailable(errors.New("the node has no control URL"))
	}
	for range censusTries {
		census, whole, err := c.clients(ctx, n)
		if err != nil {
			return media.Census{}, hook.Unavailable(err)
		}
		if whole {
			return census, nil
		}
	}
	return media.Census{}, hook.Unavailable(errors.New("clients come and go faster than they can be listed"))
}

// clients reads all pages. Who leaves moves the others to the front, so each page
// has to begin with the end of the one before: otherwise somebody may have been
// passed over, and the list is not whole.
func (c Client) clients(ctx context.Context, n media.Node) (census media.Census, whole bool, err error) {
	census, last := media.Census{Publishers: true, Players: true}, ""
	seen := map[string]bool{}
	for start := 0; start <= maxClients; start += pageSize - pageOverlap {
		var page clientsPage
		query := url.Values{"start": {strconv.Itoa(start)}, "count": {strconv.Itoa(pageSize)}}
		if err := c.get(ctx, n, "/api/v1/clients/?"+query.Encode(), &page); err != nil {
			return census, false, err
		}
		if start > 0 && (!page.has(last) || page.process() != census.Process) {
			return census, false, nil
		}
		census.ServerID, census.Process = page.serverID(), page.process()
		for _, client := range page.Clients {
			if !seen[client.ID.value] {
				census.Clients = append(census.Clients, client.live())
			}
			seen[client.ID.value] = true
			last = client.ID.value
		}
		if len(page.Clients) != pageSize { // version 3 gives everything at once
			return census, true, nil
		}
	}
	return census, false, fmt.Errorf("more than %d clients", maxClients)
}

type clientsPage struct {
	code
	Server  text            `json:"server"`
	Service text            `json:"service"`
	PID     text            `json:"pid"`
	Clients []clientOnAList `json:"clients"`
}

// serverID returns what the callbacks of the same process say, where the API
// tells that too: see streamsPage.
func (p clientsPage) serverID() string {
	if p.Service.value == "" {
		return ""
	}
	return processID(p.Server.value, p.Service.value)
}

func (p clientsPage) process() string {
	return strings.Trim(processID(p.Server.value, p.Service.value)+" "+p.PID.value, " ")
}

func (p clientsPage) has(id string) bool {
	return slices.ContainsFunc(p.Clients, func(c clientOnAList) bool { return c.ID.value == id })
}

type clientOnAList struct {
	ID      text    `json:"id"` // a number in version 3
	IP      string  `json:"ip"`
	URL     string  `json:"url"` // as stream_url of the callbacks
	Type    string  `json:"type"`
	Publish bool    `json:"publish"`
	Alive   float64 `json:"alive"` // seconds
	Send    int64   `json:"send_bytes"`
	Recv    int64   `json:"recv_bytes"`
}

func (c clientOnAList) live() media.LiveClient {
	vhost, _, _ := strings.Cut(c.URL, "/")
	if vhost == "" {
		vhost = media.DefaultVhost
	}
	live := media.LiveClient{Scene: media.Play, Uptime: time.Duration(1000*min(max(c.Alive, 0), maxAlive)+0.5) * time.Millisecond, BytesIn: c.Recv, BytesOut: c.Send,
		Client: media.Client{ID: c.ID.value, Stream: streamAt(vhost, c.URL), Address: c.IP, Protocol: protocolOfType(c.Type)}}
	if c.Publish {
		live.Scene = media.Publish
	}
	if c.ID.kind == number {
		live.Serial = c.ID.count()
	}
	return live
}

func protocolOfType(name string) string {
	kind, _, _ := strings.Cut(name, "-")
	switch kind {
	case "hls", "srt":
		return kind
	case "rtc":
		return "webrtc"
	case "flv":
		return "http-flv"
	}
	return "rtmp"
}
