package nms

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const maxSessions = 100_000

type session struct {
	ID          string  `json:"id"`
	IP          string  `json:"ip"` // empty for recorders and pushes to elsewhere
	IsPublisher bool    `json:"isPublisher"`
	Protocol    string  `json:"protocol"`
	InBytes     float64 `json:"inBytes"`
	OutBytes    float64 `json:"outBytes"`
	CreateTime  float64 `json:"createTime"`
}

// Census lists every connection of the node. The server does not tell what its
// players play: their stream is empty, and they are known by their ids, which no
// other process of the server ever gives. So a restart needs no identity of the
// server: who was there before is not on the list, and is older than its
// process. It fails as Streams does.
func (c *Client) Census(ctx context.Context, n media.Node) (media.Census, error) {
	var reply struct {
		Sessions []session `json:"sessions"`
	}
	at, err := c.get(ctx, n, "/sessions", &reply)
	if err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	if len(reply.Sessions) > maxSessions {
		return media.Census{}, hook.Unavailable(fmt.Errorf("more than %d sessions", maxSessions))
	}
	// Asked for afterwards, so that a publisher among the sessions that is on no
	// stream has left, or is not let in.
	_, streams, err := c.streams(ctx, n)
	if err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	relays, err := c.relays(ctx, n)
	if err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	age, err := c.age(ctx, n)
	if err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	return media.Census{Clients: join(reply.Sessions, streams, relays, at), Publishers: true, Players: true, Age: age}, nil
}

// age is how long the server has run.
func (c *Client) age(ctx context.Context, n media.Node) (time.Duration, error) {
	var reply struct {
		Server struct {
			Uptime float64 `json:"uptime"` // seconds
		} `json:"server"`
	}
	_, err := c.get(ctx, n, "/stats", &reply)
	return time.Duration(count(reply.Server.Uptime*1000)) * time.Millisecond, err
}

func join(sessions []session, streams []stream, relays map[string]bool, at time.Time) []media.LiveClient {
	publishes := make(map[string]media.Stream, len(streams))
	for _, s := range streams {
		if s.onAir() {
			publishes[s.Publisher.ID] = s.stream()
		}
	}
	clients := make([]media.LiveClient, 0, len(sessions))
	for _, s := range sessions {
		st, publishing := publishes[s.ID]
		switch {
		case s.IP == "":
			continue
		case publishing:
			clients = append(clients, s.live(media.Publish, st, relays[s.ID], at))
		case !s.IsPublisher:
			clients = append(clients, s.live(media.Play, media.Stream{}, relays[s.ID], at))
		}
	}
	return clients
}

func (s session) live(scene media.Scene, st media.Stream, relay bool, at time.Time) media.LiveClient {
	return media.LiveClient{
		Client:  media.Client{ID: s.ID, Stream: st, Address: address(s.IP), Protocol: protocol(s.Protocol)},
		Scene:   scene,
		Relay:   relay || s.Protocol == "rtsp",
		Uptime:  uptime(at, s.CreateTime),
		BytesIn: count(s.InBytes), BytesOut: count(s.OutBytes),
	}
}
