// Package overview answers whoever is paged, or looks in the morning: is it
// well, what is on air, and what needs somebody.
//
// It reads what the services know already, with bounds that do not depend on how
// much there is, and answers everybody who asks within a moment alike. What the
// database does not tell in time is left out and said to be missing: the page is
// for the times when something is broken, too.
package overview

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

// The bounds of one answer.
const (
	fresh       = 2 * time.Second // how long an answer is good for
	patience    = 3 * time.Second // with the database, for all of it
	lately      = time.Hour       // what refusals are counted over
	maxNodes    = 1000            // that are looked at
	maxConcerns = 20              // of one kind
	staleAfter  = 10 * time.Second
)

// Config lists where an overview comes from.
type Config struct {
	Now func() time.Time
	// Ready says why the process should get no requests; nil if it should.
	Ready func(context.Context) error
	// Staleness is how old what is known of rules, tokens and accounts may be.
	Staleness func() time.Duration
	OnAir     onAir
	Rooms     rooms
	Nodes     nodes
	Webhooks  webhooks
	Keys      keys
	Refusals  refusals
}

type onAir interface {
	Figures(ctx context.Context) (ledger.Figures, error)
}

type rooms interface {
	List(ctx context.Context, num, size int, status *room.Status) (room.Page, error)
}

type nodes interface {
	Page(ctx context.Context, after string, limit int) ([]node.Status, error)
}

type webhooks interface {
	Page(ctx context.Context, after string, limit int) ([]webhook.Endpoint, error)
}

type keys interface {
	Retirable(ctx context.Context, limit int) ([]access.Retirable, error)
}

type refusals interface {
	Count(ctx context.Context, since time.Time) (refusal.Counts, error)
}

// Overview is one answer. Sections that could not be read are nil.
type Overview struct {
	At        time.Time
	Ready     bool
	Staleness time.Duration
	OnAir     *OnAir
	Nodes     *Nodes
	Webhooks  *Webhooks
	Refusals  *refusal.Counts
	Concerns  []Concern // the worst first
}

// OnAir is what runs now.
type OnAir struct {
	Streams, Viewers int64
	// LiveRooms and Rooms are counted as far as the list of rooms counts them.
	LiveRooms, Rooms int
}

// Nodes are media servers by what came of asking them.
type Nodes struct {
	Total, Up, Unreachable, Unknown int
	Seen                            bool // one has called back, ever
}

// Webhooks are endpoints by how they do.
type Webhooks struct{ Total, Failing, Disabled int }

// Severity says how soon somebody should look.
type Severity string

// The severities, the worst first.
const (
	Critical Severity = "critical" // nobody gets in, or nobody knows
	Warning  Severity = "warning"  // something is broken
	Advice   Severity = "advice"   // something can be done
)

// Concern is something that needs somebody. Code is stable.
type Concern struct {
	Code     string
	Severity Severity
	Subject  string     // the name or id of what it is about; empty: the whole
	Label    string     // what people call it, where that differs
	Since    *time.Time // nil: unknown
	Detail   string     // a stable word or a text that is safe to show
}

// Service answers.
type Service struct {
	Config

	mu   sync.Mutex // held while one is made: who comes meanwhile waits for it
	last *Overview
}

// Get returns an overview that is at most two seconds old. It never fails.
func (s *Service) Get(ctx context.Context) Overview {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	if s.last == nil || now.Sub(s.last.At) >= fresh || now.Before(s.last.At) {
		// Whoever asked may leave; the answer is for the others too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		made := s.read(ctx, now)
		s.last = &made
	}
	return *s.last
}

func (s *Service) read(ctx context.Context, now time.Time) Overview {
	b := &builder{Service: s, ctx: ctx, out: Overview{At: now, Ready: true, Staleness: s.Staleness(), Concerns: []Concern{}}}
	b.readiness()
	for _, section := range []func() error{b.onAir, b.nodes, b.webhooks, b.refusals, b.keys} {
		if err := section(); err != nil {
			b.find(Concern{Code: "database_unavailable", Severity: Critical})
			break // the others would only wait for the same
		}
	}
	b.sort()
	return b.out
}

// builder is one overview on its way.
type builder struct {
	*Service
	ctx context.Context
	out Overview
}

func (b *builder) find(c Concern) { b.out.Concerns = append(b.out.Concerns, c) }

func (b *builder) readiness() {
	if err := b.Ready(b.ctx); err != nil {
		b.out.Ready = false
		reason := errs.As(err).Reason
		b.find(Concern{Code: "not_ready", Severity: Critical, Detail: reason})
	}
	if b.out.Staleness > staleAfter {
		since := b.out.At.Add(-b.out.Staleness)
		b.find(Concern{Code: "view_stale", Severity: Warning, Since: &since})
	}
}

// sort puts the worst first and leaves the rest in its order.
func (b *builder) sort() {
	order := []Severity{Critical, Warning, Advice}
	slices.SortStableFunc(b.out.Concerns, func(x, y Concern) int {
		return slices.Index(order, x.Severity) - slices.Index(order, y.Severity)
	})
}
