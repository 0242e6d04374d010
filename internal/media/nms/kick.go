package nms

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

var errNoControl = errs.New(errs.Conflict, "cannot_kick",
	"the node has no control URL, so nobody can be cut off there once he is in")

// Kick closes a session. The server says yes as soon as it has begun to close
// the connection, and hears the client until that closes it too. Errors:
// Conflict cannot_kick, BadGateway.
func (c *Client) Kick(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	if n.ControlURL == "" {
		return false, errNoControl
	}
	if !sessionID.MatchString(who.ID) {
		return false, hook.Unavailable(errors.New("not a session of this server"))
	}
	_, _, err := c.call(ctx, http.MethodDelete, n, "/sessions/"+url.PathEscape(who.ID))
	switch {
	case errors.Is(err, errNotFound):
		return false, nil
	case err != nil:
		return false, hook.Unavailable(err)
	}
	return true, nil
}
