package zlm

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

var (
	errNoControl    = errs.New(errs.Conflict, "cannot_kick", "the node has no control URL, so nobody can be cut off there")
	errNoConnection = errs.New(errs.Conflict, "cannot_kick", "a viewer of HLS has no connection that ZLMediaKit could cut")
)

// Kick closes a client's connection; on_flow_report tells its end. ZLMediaKit
// counts connections from one after each start, so the address has to be the
// same too. Errors: Conflict cannot_kick, BadGateway.
func (c Client) Kick(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	switch {
	case n.ControlURL == "":
		return false, errNoControl
	case who.Protocol == "hls":
		return false, errNoConnection
	case who.ID == "":
		return false, hook.Unavailable(errors.New("a client without id"))
	}
	there, err := c.connected(ctx, n, who)
	if err != nil || !there {
		return false, err
	}
	r, err := c.call(ctx, n, "kick_session", url.Values{"id": {who.ID}})
	switch {
	case err != nil:
		return false, hook.Unavailable(err)
	case *r.Code == codeDone:
		return true, nil
	case *r.Code == codeNoTarget: // gone since a moment ago
		return false, nil
	}
	return false, hook.Unavailable(fmt.Errorf("kick_session answered code %d", *r.Code))
}

// connected says whether the connection of this id is that client's.
func (c Client) connected(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	var sessions []sock
	if err := c.list(ctx, n, "getAllSession", url.Values{"peer_ip": {who.Address}}, &sessions); err != nil {
		return false, hook.Unavailable(err)
	}
	for _, s := range sessions {
		if s.ID == who.ID && (who.Address == "" || s.PeerIP == who.Address) {
			return true, nil
		}
	}
	return false, nil
}
