package mediamtx

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

var (
	errNoControl = errs.New(errs.Conflict, "cannot_kick", "the node has no control URL, so nobody can be cut off there")
	errOldAPI    = errs.New(errs.Conflict, "cannot_kick", "this version of MediaMTX cannot cut off viewers of this protocol")
)

// Kick closes a client's connection or session; hooks tell its end. A viewer of
// HLS is refused at its next request. Errors: Conflict cannot_kick, BadGateway.
func (c Client) Kick(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	if n.ControlURL == "" {
		return false, errNoControl
	}
	return c.anywhere(ctx, n, who, http.MethodPost, "kick")
}

// anywhere does something with a client, in whichever collection it is.
func (c Client) anywhere(ctx context.Context, n media.Node, who media.Client, method, verb string) (found bool, err error) {
	if who.ID == "" {
		return false, hook.Unavailable(errors.New("a client without id"))
	}
	known := false
	for _, place := range placesOf(who.Protocol) {
		err := c.call(ctx, n, method, place+"/"+verb+"/"+url.PathEscape(who.ID), nil, nil)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, errNoSuch), malformedID(err):
			known = true
		case !errors.Is(err, errNoPlace):
			return false, hook.Unavailable(err)
		}
	}
	if !known {
		return false, c.unknownPlace(ctx, n)
	}
	return false, nil
}

// malformedID recognises the answer to an id that MediaMTX cannot have given.
func malformedID(err error) bool {
	var e *said
	return errors.As(err, &e) && e.status == http.StatusBadRequest && e.text != ""
}

// unknownPlace finds out whether the API is there at all.
func (c Client) unknownPlace(ctx context.Context, n media.Node) error {
	if err := c.call(ctx, n, http.MethodGet, "config/global/get", nil, nil); err != nil {
		return hook.Unavailable(err)
	}
	return errOldAPI
}

func placesOf(protocol string) []string {
	if places, ok := collections[protocol]; ok {
		return places
	}
	var all []string
	for _, p := range protocols {
		all = append(all, collections[p]...)
	}
	return all
}
