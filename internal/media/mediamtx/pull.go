package mediamtx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// pulled is the part of a path's configuration that makes it a pull.
type pulled struct {
	Source       string `json:"source"`
	OnDemand     bool   `json:"sourceOnDemand"`
	StartTimeout string `json:"sourceOnDemandStartTimeout"`
	CloseAfter   string `json:"sourceOnDemandCloseAfter"`
	Transport    string `json:"rtspTransport,omitempty"`
}

const (
	// startTimeout is how long a first viewer waits for the source: MediaMTX's
	// own default and a bit that marks the pulls that are ours. Its configuration
	// has no place for a note, and what an operator wrote is not ours to change.
	startTimeout = "10.001s"
	defaultIdle  = 10 * time.Second
)

var (
	errScheme   = errs.InvalidField("source", "MediaMTX fetches rtsp, rtsps, rtmp, rtmps, srt, http, https, whep and wheps URLs")
	errName     = errs.InvalidField("stream", "MediaMTX takes letters, digits and _ - . in a path")
	errTaken    = errs.New(errs.Conflict, "cannot_pull", "the server's own configuration has this path")
	errNotTaken = errs.New(errs.Conflict, "cannot_pull", "MediaMTX does not take this source")
)

func pulledOf(p media.Pull) (pulled, error) {
	// A dollar sign would begin a variable.
	conf := pulled{Source: strings.ReplaceAll(p.Source, "$", "%24"), OnDemand: !p.KeepAlive,
		StartTimeout: startTimeout, CloseAfter: defaultIdle.String()}
	u, err := url.Parse(conf.Source)
	if err != nil || u.Host == "" {
		return pulled{}, errScheme
	}
	if p.IdleAfter > 0 {
		conf.CloseAfter = p.IdleAfter.String()
	}
	switch u.Scheme {
	case "rtsp", "rtsps":
		conf.Transport = "tcp" // UDP does not pass most of the networks in between
	case "rtmp", "rtmps", "srt", "http", "https", "whep", "wheps":
	default:
		return pulled{}, errScheme
	}
	return conf, nil
}

// Pull adds a path with a source, or changes the one that is there where it
// differs: a change begins the pull anew. Errors: Invalid, Conflict cannot_pull,
// BadGateway.
func (c Client) Pull(ctx context.Context, n media.Node, p media.Pull) error {
	if !validPath(pathOf(p.Stream)) {
		return errName
	}
	want, err := pulledOf(p)
	if err != nil {
		return err
	}
	have, err := c.pulled(ctx, n, p.Stream)
	switch {
	case errors.Is(err, errNoSuch):
		return c.configure(ctx, n, http.MethodPost, "add", p.Stream, want)
	case err != nil:
		return hook.Unavailable(err)
	case !have.ours():
		return errTaken
	case have.same(want):
		return nil
	}
	return c.configure(ctx, n, http.MethodPatch, "patch", p.Stream, want)
}

// pulled returns the configuration of a path, or errNoSuch.
func (c Client) pulled(ctx context.Context, n media.Node, st media.Stream) (pulled, error) {
	var have pulled
	err := c.call(ctx, n, http.MethodGet, "config/paths/get/"+pathOf(st), nil, &have)
	return have, err
}

func (c Client) configure(ctx context.Context, n media.Node, method, verb string, st media.Stream, conf pulled) error {
	err := c.call(ctx, n, method, "config/paths/"+verb+"/"+pathOf(st), conf, nil)
	var refusal *said
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal) && refusal.status == http.StatusBadRequest:
		return errNotTaken // without what it says, which repeats the URL
	}
	return hook.Unavailable(plain(err))
}

// plain drops what the server says, which may repeat a source with its
// credentials.
func plain(err error) error {
	if refusal := (*said)(nil); errors.As(err, &refusal) {
		return fmt.Errorf("answered %d", refusal.status)
	}
	return err
}

func (p pulled) ours() bool { return sameDuration(p.StartTimeout, startTimeout) }

func (p pulled) same(want pulled) bool {
	if want.Transport != "" && p.Transport != want.Transport {
		return false
	}
	return p.Source == want.Source && p.OnDemand == want.OnDemand && sameDuration(p.CloseAfter, want.CloseAfter)
}

// sameDuration compares by value: MediaMTX writes "36h" as "1d12h0m0s".
func sameDuration(a, b string) bool {
	x, err := duration(a)
	if err != nil {
		return false
	}
	y, err := duration(b)
	return err == nil && x == y
}

func duration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseInt(days, 10, 16)
	if err != nil || rest == "" {
		return time.Duration(n) * 24 * time.Hour, err
	}
	d, err := time.ParseDuration(rest)
	return time.Duration(n)*24*time.Hour + d, err
}

// Unpull deletes the path of a pull and so ends it. What the server's own
// configuration has under the name stays. Error: BadGateway.
func (c Client) Unpull(ctx context.Context, n media.Node, st media.Stream) error {
	if !validPath(pathOf(st)) {
		return nil
	}
	have, err := c.pulled(ctx, n, st)
	if err == nil && have.ours() {
		err = c.call(ctx, n, http.MethodDelete, "config/paths/delete/"+pathOf(st), nil, nil)
	}
	if err != nil && !errors.Is(err, errNoSuch) {
		return hook.Unavailable(plain(err))
	}
	return nil
}

// Pulls lists the paths that Pull configured. Error: BadGateway.
func (c Client) Pulls(ctx context.Context, n media.Node) ([]media.PullState, error) {
	confs, err := list[confPath](ctx, c, n, "config/paths")
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	paths, err := c.paths(ctx, n)
	if err != nil {
		return nil, hook.Unavailable(err)
	}
	running := make(map[string]path, len(paths))
	for _, p := range paths {
		running[p.Name] = p
	}
	var pulls []media.PullState
	for _, conf := range confs {
		if conf.ours() {
			p := running[conf.Name]
			pulls = append(pulls, media.PullState{Stream: streamAt(conf.Name), Ready: p.live(), Viewers: len(p.Readers)})
		}
	}
	return pulls, nil
}

type confPath struct {
	Name string `json:"name"`
	pulled
}

// OnDemand says that MediaMTX begins and ends pulls with their viewers itself.
func (c Client) OnDemand() bool { return true }

// validPath is what MediaMTX takes for the name of a path. In the API anything
// else would mean something else: "~" in front is a pattern.
func validPath(name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return strings.IndexFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("_-./", r)
	}) < 0
}
