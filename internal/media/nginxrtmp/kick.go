package nginxrtmp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

var errNoControl = errs.New(errs.Conflict, "cannot_kick",
	"the node's rtmp_control is not served beside its statistics, at /control, so nobody can be cut off there")

// Kick drops a client through rtmp_control, which must be served as "control"
// beside the statistics page. The module sees the clients of the worker process
// that answers. It counts from one after each start, so the number of a session
// whose end nobody heard may be somebody else's by now: the address has to be
// the same too. Errors: Conflict cannot_kick, BadGateway.
func (c Client) Kick(ctx context.Context, n media.Node, who media.Client) (bool, error) {
	page, err := url.Parse(n.ControlURL)
	if n.ControlURL == "" || err != nil {
		return false, errNoControl
	}
	// Filters that are missing or no numbers match everybody, so none may be.
	id, err := strconv.ParseUint(who.ID, 10, 31)
	if err != nil || id == 0 || who.Stream.App == "" {
		return false, hook.Unavailable(errors.New("not a client of this module"))
	}
	drop := page.JoinPath("../control/drop/client")
	drop.RawQuery = "app=" + filter(who.Stream.App) + "&clientid=" + strconv.FormatUint(id, 10)
	if who.Address != "" {
		drop.RawQuery += "&addr=" + filter(who.Address)
	}
	status, body, err := c.get(ctx, n, drop.String())
	switch {
	case err != nil:
		return false, hook.Unavailable(err)
	case status == http.StatusNotFound || status == http.StatusForbidden:
		return false, errNoControl
	case status != http.StatusOK:
		return false, hook.Unavailable(fmt.Errorf("control answered %d", status))
	}
	dropped, err := strconv.Atoi(strings.TrimSpace(string(body)))
	if err != nil {
		return false, hook.Unavailable(fmt.Errorf("control does not answer with a number: %w", err))
	}
	return dropped > 0, nil
}

// filter writes a value for the module, which compares it as it is sent. What
// would end the value is escaped all the same, and then matches nobody.
func filter(value string) string {
	return strings.NewReplacer("%2F", "/", "%3A", ":").Replace(url.QueryEscape(value))
}
