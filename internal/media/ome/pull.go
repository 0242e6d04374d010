package ome

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

var (
	errScheme = errs.InvalidField("source", "OvenMediaEngine fetches rtsp, rtsps and ovt URLs")
	errTaken  = errs.New(errs.Conflict, "cannot_pull", "the server has a stream of this name already")
	errNoApp  = errs.New(errs.Conflict, "cannot_pull", "the server has no application of this name that can fetch")
)

// ours are the pulls that this process began, and from where: the API tells
// neither.
type ours struct{ known *lru.Cache[string, string] } // node and path -> source

// oursKept is more than is fetched at a time. Streams go by themselves when nobody
// watches them, and viewers choose their names: without a bound they would add up.
const oursKept = 1 << 14

// NewPuller returns what fetches streams from elsewhere.
func NewPuller(c Client) *Puller {
	known, err := lru.New[string, string](oursKept)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Puller{Client: c, ours: ours{known}}
}

// Puller is the Client and the pulls that it began.
type Puller struct {
	Client
	ours ours
}

func (o ours) get(n media.Node, st media.Stream) (source string, ok bool) {
	return o.known.Get(n.Name + st.Path())
}

// set remembers a source, or forgets it where that is empty.
func (o ours) set(n media.Node, st media.Stream, source string) {
	if source == "" {
		o.known.Remove(n.Name + st.Path())
		return
	}
	o.known.Add(n.Name+st.Path(), source)
}

// fromElsewhere stands for the source of a pull that another process began.
const fromElsewhere = "?"

// Own says that a pull was begun by another process of ours, or by this one before
// it was started again.
func (p *Puller) Own(n media.Node, st media.Stream) {
	if _, known := p.ours.get(n, st); !known {
		p.ours.set(n, st, fromElsewhere)
	}
}

// creation is what a pull is created with.
type creation struct {
	Name       string     `json:"name"`
	URLs       []string   `json:"urls"`
	Properties properties `json:"properties"`
}

type properties struct {
	Persistent bool  `json:"persistent"`
	NoInput    int64 `json:"noInputFailoverTimeoutMs"`
	Unused     int64 `json:"unusedStreamDeletionTimeoutMs"`
}

// answerWithin is how long an answer is waited for: it comes when the source
// plays or has failed.
const answerWithin = time.Second

// Pull creates a stream that is fetched from a source. How it goes, Pulls tells.
// Errors: Invalid, Conflict cannot_pull, BadGateway.
func (p *Puller) Pull(ctx context.Context, n media.Node, want media.Pull) error {
	if !canFetch(want.Source) {
		return errScheme
	}
	if source, known := p.ours.get(n, want.Stream); known && source != want.Source && source != fromElsewhere {
		if err := p.Unpull(ctx, n, want.Stream); err != nil {
			return err
		}
	}
	err := p.create(ctx, n, want)
	switch {
	case isStatus(err, http.StatusConflict):
		return p.adopt(ctx, n, want)
	case isStatus(err, http.StatusNotFound), isStatus(err, http.StatusForbidden):
		return errNoApp
	case err != nil:
		return hook.Unavailable(withoutURL(err))
	}
	p.ours.set(n, want.Stream, want.Source)
	return nil
}

func (p *Puller) create(ctx context.Context, n media.Node, want media.Pull) error {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	idle := want.IdleAfter
	if idle <= 0 {
		idle = time.Minute
	}
	err := p.call(asking, n, http.MethodPost, "/apps/"+url.PathEscape(want.Stream.App)+"/streams", creation{Name: want.Stream.Name, URLs: []string{want.Source},
		Properties: properties{Persistent: want.KeepAlive, NoInput: 10_000, Unused: idle.Milliseconds()}}, nil)
	if err != nil && ctx.Err() == nil && errors.Is(asking.Err(), context.DeadlineExceeded) {
		return nil
	}
	return err
}

// adopt takes a stream that is there for ours if it is fetched from somewhere:
// from where the API does not tell, but nobody else is asked to fetch it.
func (p *Puller) adopt(ctx context.Context, n media.Node, want media.Pull) error {
	live := media.LiveStream{Stream: want.Stream}
	there, err := p.detail(ctx, n, &live)
	switch {
	case err != nil:
		return hook.Unavailable(err)
	case !there:
		return hook.Unavailable(errors.New("the stream is gone since a moment ago"))
	case !live.Relay:
		return errTaken
	}
	p.ours.set(n, want.Stream, want.Source)
	return nil
}

func canFetch(source string) bool {
	scheme, rest, _ := strings.Cut(source, "://")
	switch strings.ToLower(scheme) {
	case "rtsp", "rtsps", "ovt":
		return rest != ""
	}
	return false
}

// withoutURL drops what a transport error says of the request.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Unpull ends a pull of ours. Error: BadGateway.
func (p *Puller) Unpull(ctx context.Context, n media.Node, st media.Stream) error {
	if _, known := p.ours.get(n, st); !known {
		return nil
	}
	err := p.call(ctx, n, http.MethodDelete, streamPath(st), nil, nil)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return hook.Unavailable(err)
	}
	p.ours.set(n, st, "")
	return nil
}

// Pulls lists the pulls that this process began, or found as Pull wanted them.
// Error: BadGateway.
func (p *Puller) Pulls(ctx context.Context, n media.Node) ([]media.PullState, error) {
	streams, err := p.Streams(ctx, n)
	if err != nil {
		return nil, err
	}
	var list []media.PullState
	for _, s := range streams {
		if _, known := p.ours.get(n, s.Stream); known && s.Relay {
			list = append(list, media.PullState{Stream: s.Stream, Ready: true, Viewers: s.Clients - 1})
		}
	}
	return list, nil
}

// OnDemand is false: only what <Origins> of the configuration names begins with
// its first viewer.
func (p *Puller) OnDemand() bool { return false }
