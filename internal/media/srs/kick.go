package srs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// What the API says of a client that it does not know, and of one without a
// connection that could be cut, which are the viewers of HLS.
const (
	codeNoClient     = 2049
	codeNoConnection = 400
)

var (
	errNoControl    = errs.New(errs.Conflict, "cannot_kick", "the node has no control URL, so nobody can be cut off there")
	errNoConnection = errs.New(errs.Conflict, "cannot_kick", "a viewer of HLS has no connection that SRS could cut")
)

// Kick closes a client's connection; callbacks tell its end. Errors: Conflict
// cannot_kick, BadGateway.
func (c Client) Kick(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	if n.ControlURL == "" {
		return false, errNoControl
	}
	if who.ID == "" { // the path without an id is that of all clients
		return false, hook.Unavailable(errors.New("a client without id"))
	}
	var reply code
	if err := c.call(ctx, http.MethodDelete, n, "/api/v1/clients/"+url.PathEscape(who.ID), &reply); err != nil {
		return false, hook.Unavailable(err)
	}
	switch {
	case reply.Code == nil:
		return false, hook.Unavailable(errors.New("an answer without code"))
	case *reply.Code == 0:
		return true, nil
	case *reply.Code == codeNoClient:
		return false, nil
	case *reply.Code == codeNoConnection:
		return false, errNoConnection
	}
	return false, hook.Unavailable(fmt.Errorf("code %d", *reply.Code))
}
