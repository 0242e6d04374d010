// Package explain answers people who ask why a URL is refused: it reads the URL
// as a media server would, has the decision explained, and adds what only the
// record of running streams knows.
package explain

import (
	"cmp"
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/mediaurl"
)

// decider explains decisions.
type decider interface {
	Explain(ctx context.Context, now time.Time, e media.Event, nearby ...media.Stream) access.Explanation
}

// streams is the record of what runs.
type streams interface {
	OnAir(ctx context.Context, app string, limit int) ([]media.Stream, error)
	Rival(ctx context.Context, e media.Event, d access.Decision) (rival ledger.Session, busy, yields bool, err error)
}

// Config lists what a Service depends on.
type Config struct {
	Access  decider
	Streams streams
	Now     func() time.Time
	// PublishHost and PlayHost are the hosts that we hand out in URLs, App the
	// application of URLs that name none.
	PublishHost, PlayHost, App string
}

// Service explains.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Question is what somebody asks.
type Question struct {
	URL     string
	Scene   media.Scene // empty: what the URL is most likely for
	Address string      // of the client; empty: unknown
	At      time.Time   // zero: now
}

// Answer is an explanation of a URL.
type Answer struct {
	access.Explanation
	Protocol string
	Guess    finding.Guess // why this scene, where nobody said it
}

// URL explains what would happen to somebody who comes with a URL. Who publishes
// the stream now is looked at if the question is about now. Errors: Invalid,
// Unavailable.
func (s *Service) URL(ctx context.Context, q Question) (Answer, error) {
	read, err := mediaurl.Parse(q.URL, mediaurl.Options{Scene: q.Scene, Address: q.Address, PublishHost: s.PublishHost, PlayHost: s.PlayHost, App: s.App})
	if err != nil {
		return Answer{}, err
	}
	now := q.At
	if now.IsZero() {
		now = s.Now()
	}
	nearby, err := s.Streams.OnAir(ctx, read.Event.Stream.App, looked)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Explanation: s.Access.Explain(ctx, now, read.Event, nearby...), Protocol: read.Event.Protocol, Guess: read.Guess}
	if a.Allowed && a.Scene == media.Publish && q.At.IsZero() {
		if err := s.rival(ctx, read.Event, &a); err != nil {
			return Answer{}, err
		}
	}
	for _, f := range read.Notes {
		if a.Allowed {
			f = f.WithoutChange()
		}
		a.Findings = append(a.Findings, f)
	}
	return a, nil
}

// looked is how many running streams a signature is compared with.
const looked = 300

// rival adds who publishes the stream already.
func (s *Service) rival(ctx context.Context, e media.Event, a *Answer) error {
	r, busy, yields, err := s.Streams.Rival(ctx, e, access.Decision{Allow: true, Credential: a.Credential, Takeover: a.Takeover})
	if err != nil || !busy {
		return err
	}
	args := finding.Args{"client": r.ClientID, "address": r.Address, "node": r.Node, "stream": a.Stream.String(), "since": r.StartedAt,
		"policy": string(cmp.Or(a.Takeover.Policy, access.TakeoverReject))}
	if yields {
		a.Add(finding.New("would_take_over", "", args))
		return nil
	}
	a.Allowed, a.Reason = false, media.AlreadyPublishing
	a.Add(finding.New("somebody_publishes", "stop_other_publisher", args))
	return nil
}
