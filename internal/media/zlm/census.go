package zlm

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// maxPlayerLists is how many streams are asked for their players in one census.
// Players of the others are listed by their connection, without a stream.
const maxPlayerLists = 100

// Census lists all connections. Players of HLS have none that stays: they are
// not listed. Error: BadGateway.
func (c Client) Census(ctx context.Context, n media.Node) (media.Census, error) {
	census := media.Census{Publishers: true, Players: true, Unlisted: []string{"hls"}}
	id, err := c.serverID(ctx, n)
	if err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	census.ServerID = id
	// Connections come first: who is on the list of a stream and was not on that
	// of connections has only just come.
	var sessions []sock
	if err := c.list(ctx, n, "getAllSession", nil, &sessions); err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	all, err := c.sources(ctx, n)
	if err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	named := map[string]bool{}
	if err := c.addStreams(ctx, n, all, &census, named); err != nil {
		return media.Census{}, hook.Unavailable(err)
	}
	for _, s := range sessions {
		if !named[s.ID] {
			census.Clients = append(census.Clients, media.LiveClient{Client: media.Client{ID: s.ID, Address: s.PeerIP}})
		}
	}
	return census, nil
}

// serverID is the identity that hooks of this server have.
func (c Client) serverID(ctx context.Context, n media.Node) (string, error) {
	var config []map[string]string
	if err := c.list(ctx, n, "getServerConfig", nil, &config); err != nil {
		return "", err
	}
	for _, settings := range config {
		if id := settings["general.mediaServerId"]; id != "" {
			return serverID(id), nil
		}
	}
	return "", nil
}

// addStreams adds who publishes and who plays, and notes their connections.
func (c Client) addStreams(ctx context.Context, n media.Node, all []source, census *media.Census, named map[string]bool) error {
	lists := 0
	for _, s := range all {
		if s.OriginSock != nil && !named[s.OriginSock.ID] {
			named[s.OriginSock.ID] = true
			census.Clients = append(census.Clients, s.publisher())
		}
		if s.Readers == 0 || isHLS(s.Schema) || lists == maxPlayerLists {
			continue
		}
		lists++
		players, err := c.players(ctx, n, s)
		if err != nil {
			return err
		}
		for _, p := range players {
			named[p.ID] = true
			census.Clients = append(census.Clients, p)
		}
	}
	return nil
}

func (s source) publisher() media.LiveClient {
	protocol, _, _ := strings.Cut(s.OriginURL, "://")
	return media.LiveClient{Client: media.Client{ID: s.OriginSock.ID, Stream: s.name(), Address: s.OriginSock.PeerIP, Protocol: protocol},
		Scene: media.Publish, Query: s.Params, QueryTold: true, Relay: s.isRelay(), Uptime: time.Duration(s.Seconds) * time.Second, BytesIn: s.TotalBytes}
}

func (c Client) players(ctx context.Context, n media.Node, s source) ([]media.LiveClient, error) {
	r, err := c.call(ctx, n, "getMediaPlayerList", url.Values{"schema": {s.Schema}, "vhost": {s.Vhost}, "app": {s.App}, "stream": {s.Stream}})
	if err != nil {
		return nil, err
	}
	if *r.Code == codeNoStream { // it ended meanwhile
		return nil, nil
	}
	var list []struct {
		sock
		Type string `json:"typeid"`
	}
	if err := r.into(&list); err != nil {
		return nil, err
	}
	var out []media.LiveClient
	for _, p := range list {
		if p.ID == "" {
			continue
		}
		out = append(out, media.LiveClient{Scene: media.Play,
			Client: media.Client{ID: p.ID, Stream: s.name(), Address: p.PeerIP, Protocol: played(s.Schema, p.Type)}})
	}
	return out, nil
}

// played is the protocol of a player, as hooks tell it.
func played(schema, session string) string {
	if schema == "rtmp" && strings.Contains(session, "Http") {
		return "http-flv"
	}
	name, _ := payload{Schema: schema}.protocol()
	return name
}
