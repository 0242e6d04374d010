// Package evict ends sessions on their media servers, for good: a kick is sent,
// verified and repeated until the server no longer has the connection.
//
// What is to be done is in two tables, so that it outlives whoever does it, and
// several processes share it:
//
//	revocations   what admitted somebody and is void now, written in the very
//	              transaction that made it void; swept for the sessions that it
//	              admitted, several times (sweep.go)
//	evictions     sessions that must end, whoever asked; worked off node by node
//	              (work.go), each verified by the node's own list (look.go)
//
// Callers who want to know what became of it kick at once (kick.go); what they
// could not bring about stays in the table.
package evict

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/clock"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// nodes are the media servers that are configured now.
type nodes interface {
	Get(name string) (media.Node, bool)
}

// ender ends sessions whose node does not have them any more.
type ender interface {
	EndGone(ctx context.Context, ids []int64, reason string) error
}

// accounts tell what an account may do now.
type accounts interface {
	Standing(ctx context.Context, username string) (account.Standing, error)
}

// bans tell whether a stream is forbidden now.
type bans interface {
	Banned(now time.Time, host string, st media.Stream) bool
}

// Config lists what a Service depends on.
type Config struct {
	DB       pg.DB
	Now      func() time.Time
	Clock    *clock.Watch   // tells when Now was set; nil: never
	Jitter   func() float64 // from 0 to 1, so that many who wait do not come back together
	Log      *slog.Logger
	Nodes    nodes
	Controls media.Controls
	Ledger   ender
	Accounts accounts
	Bans     bans
}

// Service evicts. Kicks work in any process; the tables are worked off by those
// that Run.
type Service struct {
	Config
	q       *db.Queries
	outages *outage.Log
	wake    chan struct{}

	mu      sync.Mutex
	busy    map[string]bool // nodes that somebody here works on
	runners sync.WaitGroup
}

// New returns a Service.
func New(c Config) *Service {
	return &Service{Config: c, q: db.New(), outages: outage.New(c.Log, c.Now), wake: make(chan struct{}, 1), busy: map[string]bool{}}
}

// The bounds of the work.
const (
	// nodesAtOnce is how many nodes one process works on. One that hangs holds its
	// place for as long as one attempt takes, and is then left alone for a while.
	nodesAtOnce = 32
	kicksAtOnce = 8 // on one node
	batch       = 64
	// attemptTime bounds one turn on a node. The lease is longer, so that nobody
	// else takes up what is being tried, and short enough for those who must wait
	// for it because its holder was killed.
	attemptTime = 5 * time.Second
	lease       = 7 * time.Second
	// lookAgain is how often the tables are looked at when nothing is due and
	// nobody says that something is.
	lookAgain = 2 * time.Second
	lookSoon  = 20 * time.Millisecond
	// horizon is longer than any pause. What is due after it was put off when the
	// clock was ahead, and is due now.
	horizon   = 2 * pauseImpossible
	dbTimeout = 3 * time.Second
)

// Run works off both tables until ctx ends.
func (s *Service) Run(ctx context.Context) {
	defer s.runners.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.turn(ctx))
	}
}

// turn takes up what is due and returns when to look again. Who is to be cut off
// already does not wait for sweeping that fails.
func (s *Service) turn(ctx context.Context) time.Duration {
	s.outages.Note(ctx, waiting, "sweeps", pg.Err(s.sweepFor(ctx, dbTimeout), nil))
	next, err := s.startDue(ctx)
	s.outages.Note(ctx, waiting, "kicks", pg.Err(err, nil))
	if err != nil {
		return lookAgain
	}
	return next
}

var waiting = outage.Words{Begins: "evictions wait for the database", Ends: "evictions wait for the database no more"}

// startDue has the nodes worked on where somebody is to be cut off now, and
// returns how long nothing else is due.
func (s *Service) startDue(ctx context.Context) (time.Duration, error) {
	query, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	now := s.Now()
	due, err := s.q.EvictionNodes(query, s.DB, db.EvictionNodesParams{Now: now, Horizon: now.Add(horizon)})
	if err != nil {
		return 0, err
	}
	for _, node := range due {
		s.start(ctx, node)
	}
	now = s.Now()
	next, err := s.q.EvictionNext(query, s.DB, now.Add(lookAgain))
	return min(max(next.Sub(now), lookSoon), lookAgain), err
}

// start has a node worked on, unless that is being done or too many are.
func (s *Service) start(ctx context.Context, node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[node] || len(s.busy) >= nodesAtOnce {
		return
	}
	s.busy[node] = true
	s.runners.Go(func() {
		s.workOn(ctx, node)
		s.mu.Lock()
		delete(s.busy, node)
		s.mu.Unlock()
		s.Wake()
	})
}

// Wake has the tables looked at now.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // somebody has said so already
	}
}

// Tables names what announces new work, and nodes, which may be told now.
func (s *Service) Tables() []string { return []string{"evictions", "revocations", "nodes"} }

// Reload looks at everything.
func (s *Service) Reload(context.Context, pg.DB) error {
	s.Wake()
	return nil
}

// Apply looks at what is new.
func (s *Service) Apply(ctx context.Context, d pg.DB, changes ...pg.Change) error {
	defer s.Wake()
	for _, c := range changes {
		if c.Table != "nodes" {
			continue
		}
		if err := s.q.EvictionsReopen(ctx, d, db.EvictionsReopenParams{Node: c.Key, Now: s.Now()}); err != nil {
			return pg.Err(err, nil)
		}
	}
	return nil
}
