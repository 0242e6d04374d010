package ome

import (
	"context"
	"net/http"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

var (
	errNoControl = errs.New(errs.Conflict, "cannot_kick", "the node has no control URL, so nobody can be cut off there")
	errNoViewers = errs.New(errs.Conflict, "cannot_kick", "OvenMediaEngine cannot cut off a viewer: one leaves when its lifetime is over")
)

// Kick ends the stream of a publisher and with it its connection; a player
// cannot be cut off. Errors: Conflict cannot_kick, BadGateway.
//
// The API names no connections: if another publisher has taken the stream over
// since, it is that one who has to come again.
func (c Client) Kick(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	switch {
	case n.ControlURL == "":
		return false, errNoControl
	case !publishes(who.ID):
		return false, errNoViewers
	}
	err := c.call(ctx, n, http.MethodDelete, streamPath(who.Stream), nil, nil)
	if isStatus(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, hook.Unavailable(err)
	}
	return true, nil
}
