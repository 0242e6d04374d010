package zlm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

var (
	errScheme = errs.InvalidField("source", "ZLMediaKit fetches rtsp, rtsps, rtmp, rtmps, http and https URLs")
	errTaken  = errs.New(errs.Conflict, "cannot_pull", "the server has a stream of this name already")
)

// proxy is a pull as the API lists it.
type proxy struct {
	Key    string `json:"key"`
	URL    string `json:"url"`
	Status int    `json:"status"` // 0 plays
	Src    struct {
		Vhost  string `json:"vhost"`
		App    string `json:"app"`
		Stream string `json:"stream"`
	} `json:"src"`
	Readers int `json:"totalReaderCount"`
}

func keyOf(st media.Stream) string {
	vhost := st.Vhost
	if vhost == "" {
		vhost = media.DefaultVhost
	}
	return vhost + "/" + st.App + "/" + st.Name
}

// answerWithin is how long an answer to addStreamProxy is waited for. It comes
// when the source plays or has failed, which may take long.
const answerWithin = time.Second

// Pull adds a proxy that is tried again for ever. How it goes, Pulls tells.
// Without viewers ZLMediaKit ends it after streamNoneReaderDelayMS, unless it is
// kept alive. Errors: Invalid, Conflict cannot_pull, BadGateway.
func (c Client) Pull(ctx context.Context, n media.Node, p media.Pull) error {
	if !canFetch(p.Source) {
		return errScheme
	}
	have, err := c.proxies(ctx, n, keyOf(p.Stream))
	if err != nil {
		return hook.Unavailable(err)
	}
	for _, h := range have {
		switch {
		case h.Key != keyOf(p.Stream):
		case h.URL == p.Source:
			c.ours.set(n, h.Key, true)
			return nil
		case !c.ours.has(n, h.Key):
			return errTaken
		default:
			if err := c.Unpull(ctx, n, p.Stream); err != nil {
				return err
			}
		}
	}
	return c.add(ctx, n, p)
}

func canFetch(source string) bool {
	scheme, rest, _ := strings.Cut(source, "://")
	switch strings.ToLower(scheme) {
	case "rtsp", "rtsps", "rtmp", "rtmps", "http", "https":
		return rest != ""
	}
	return false
}

func (c Client) add(ctx context.Context, n media.Node, p media.Pull) error {
	key := keyOf(p.Stream)
	vhost, _, _ := strings.Cut(key, "/")
	args := url.Values{"vhost": {vhost}, "app": {p.Stream.App}, "stream": {p.Stream.Name}, "url": {p.Source},
		"retry_count": {"-1"}, "rtp_type": {"0"}, "timeout_sec": {"10"}, "force": {"1"}, "auto_close": {flag(!p.KeepAlive)}}
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r, err := c.call(asking, n, "addStreamProxy", args)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(asking.Err(), context.DeadlineExceeded):
	case err != nil:
		return hook.Unavailable(withoutURL(err))
	case *r.Code != codeDone: // its message may repeat the URL
		return hook.Unavailable(fmt.Errorf("addStreamProxy answered code %d", *r.Code))
	}
	c.ours.set(n, key, true)
	return nil
}

// withoutURL drops what a transport error says of the request.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// Unpull ends a pull of ours. Error: BadGateway.
func (c Client) Unpull(ctx context.Context, n media.Node, st media.Stream) error {
	key := keyOf(st)
	if !c.ours.has(n, key) {
		return nil
	}
	r, err := c.call(ctx, n, "delStreamProxy", url.Values{"key": {key}})
	switch {
	case err != nil:
		return hook.Unavailable(err)
	case *r.Code != codeDone:
		return hook.Unavailable(fmt.Errorf("delStreamProxy answered code %d", *r.Code))
	}
	c.ours.set(n, key, false)
	return nil
}

// Own says that a pull was begun by another process of ours, or by this one before
// it was started again.
func (c Client) Own(n media.Node, st media.Stream) { c.ours.set(n, keyOf(st), true) }

// Pulls lists the pulls that this process began, or found as it wanted them: to
// others, and after a restart, they are unknown until Pull asks for them again.
// Error: BadGateway.
func (c Client) Pulls(ctx context.Context, n media.Node) ([]media.PullState, error) {
	all, err := c.proxies(ctx, n, "")
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	var list []media.PullState
	for _, p := range all {
		if c.ours.has(n, p.Key) {
			list = append(list, media.PullState{Stream: media.Stream{Vhost: p.Src.Vhost, App: p.Src.App, Name: p.Src.Stream},
				Ready: p.Status == 0, Viewers: p.Readers})
		}
	}
	return list, nil
}

// OnDemand is false: ZLMediaKit asks for a stream that is missing, but does not
// know from where to fetch it.
func (c Client) OnDemand() bool { return false }

// proxies lists all pulls, or the one of a key.
func (c Client) proxies(ctx context.Context, n media.Node, key string) ([]proxy, error) {
	args := url.Values{}
	if key != "" {
		args.Set("key", key)
	}
	var all []proxy
	err := c.list(ctx, n, "listStreamProxy", args, &all)
	return all, err
}

// into reads what an answer lists.
func (r reply) into(list any) error {
	switch *r.Code {
	case codeDone:
	case codeRefused:
		return errSecret
	default:
		return fmt.Errorf("code %d", *r.Code)
	}
	if len(r.Data) == 0 {
		return nil
	}
	return json.Unmarshal(r.Data, list)
}
