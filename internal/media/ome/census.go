package ome

import (
	"context"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Census lists the publishers. The API tells which streams there are, and no
// connection: who publishes one has no id. Players are not listed at all. Error:
// BadGateway.
func (c Client) Census(ctx context.Context, n media.Node) (media.Census, error) {
	streams, err := c.Streams(ctx, n)
	if err != nil {
		return media.Census{}, err
	}
	census := media.Census{Publishers: true}
	for _, s := range streams {
		census.Clients = append(census.Clients, media.LiveClient{Client: media.Client{Stream: s.Stream}, Scene: media.Publish, Relay: s.Relay,
			Uptime: s.Uptime, BytesIn: s.BytesIn})
	}
	return census, nil
}
