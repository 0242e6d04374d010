// Package reconcile makes the ledger agree with what media servers themselves
// say: every few seconds it asks each node for all of its connections, ends the
// sessions that the node does not have, learns those that nobody told us of, and
// has the ones evicted that should not be there.
//
//	           asked every period
//	            +------------+
//	            v            | answers: compare, repair
//	unknown --> up ----------+
//	            |  ^
//	no answer   v  | answers again
//	         unreachable ---lease over---> its sessions end
//
// A node that does not answer is unknown and not empty: its sessions stay. One
// whose process was started anew is empty of what came before. One process of
// Stagedoor looks after a node at a time; when two do for a moment, both come to
// the same (see pg.Leader).
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/clock"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// The states of a node, as they are on record.
const (
	Up          = "up"
	Unreachable = "unreachable" // it did not answer
	Unknown     = "unknown"     // it cannot be asked
)

// The kinds of repair that are counted.
const (
	Ended   = "ended"   // a session that its node does not have
	Learned = "learned" // a client that nobody told us of
	Refused = "refused" // one of those that should not be there
	Expired = "expired" // a session that nobody could tell of for too long
	Orphan  = "orphan"  // a session of a node that is not configured any more
)

// Kinds lists them all.
func Kinds() []string { return []string{Ended, Learned, Refused, Expired, Orphan} }

// book is the ledger.
type book interface {
	OpenOn(ctx context.Context, node string, after int64, limit int) ([]ledger.Session, error)
	NodesOnRecord(ctx context.Context) ([]string, error)
	EndGone(ctx context.Context, ids []int64, reason string) error
	Learn(ctx context.Context, f ledger.Found) (media.Verdict, error)
	NoteCarried(ctx context.Context, all []ledger.Carried) error
	NoteSamples(ctx context.Context, node string, at time.Time, all []ledger.Sample) error
}

type leader interface {
	Hold(ctx context.Context, name string) bool
}

type nodes interface {
	Get(name string) (media.Node, bool)
	Known() []media.Node
}

// Config lists what a Reconciler depends on.
type Config struct {
	DB       pg.DB
	Now      func() time.Time
	Log      *slog.Logger
	Ledger   book
	Leader   leader
	Nodes    nodes
	Controls media.Controls
	// Clock tells when Now was set; nil: never.
	Clock *clock.Watch
	// Period is the pause between two looks at a node, Lease how long a session
	// may stay of which nobody can tell.
	Period, Lease time.Duration
	// Repaired is told each kind of repair, and how many. It must not block.
	Repaired func(kind string, n int)
}

// Reconciler repairs the ledger while Run runs.
type Reconciler struct {
	Config
	q       *db.Queries
	outages *outage.Log

	mu     sync.Mutex
	busy   map[string]bool
	memory map[string]*memory
}

// New returns a Reconciler that is not running.
func New(c Config) *Reconciler {
	if c.Repaired == nil {
		c.Repaired = func(string, int) {}
	}
	return &Reconciler{Config: c, q: db.New(), outages: outage.New(c.Log, c.Now), busy: map[string]bool{}, memory: map[string]*memory{}}
}

// The bounds of looking at nodes.
const (
	nodesAtOnce   = 32
	censusTimeout = 5 * time.Second
	visitTimeout  = 2 * time.Minute // the repairs included
	openPage      = 20_000
	learnAtOnce   = 500
)

// Run looks at all nodes every period until ctx ends. A node that takes its time
// is waited for by nobody.
func (r *Reconciler) Run(ctx context.Context) {
	ticker := time.NewTicker(r.Period)
	defer ticker.Stop()
	var visits sync.WaitGroup
	defer visits.Wait()
	places := make(chan struct{}, nodesAtOnce)
	for {
		for _, n := range r.Nodes.Known() {
			r.begin(ctx, &visits, places, n.Name, func(ctx context.Context) { r.visit(ctx, n) })
		}
		r.begin(ctx, &visits, places, "", r.orphans)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// begin starts one visit, unless the last one to the same node still goes on.
func (r *Reconciler) begin(ctx context.Context, visits *sync.WaitGroup, places chan struct{}, name string, visit func(context.Context)) {
	if !r.enter(name) {
		return
	}
	visits.Go(func() {
		defer r.leave(name)
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(ctx, visitTimeout)
		defer cancel()
		visit(ctx)
	})
}

func (r *Reconciler) enter(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[name] {
		return false
	}
	r.busy[name] = true
	return true
}

func (r *Reconciler) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, name)
}

// remember returns what is kept of a node between two visits.
func (r *Reconciler) remember(name string) *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.memory[name]
	if m == nil {
		m = newMemory()
		r.memory[name] = m
	}
	return m
}

func (r *Reconciler) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.memory, name)
}

var (
	notReconciled = outage.Words{Begins: "node not reconciled", Ends: "node reconciled again"}
	orphansStay   = outage.Words{Begins: "sessions of deleted nodes not ended", Ends: "sessions of deleted nodes are ended again"}
)

// visit looks at one node, if that is ours to do.
func (r *Reconciler) visit(ctx context.Context, n media.Node) {
	if !r.Leader.Hold(ctx, "reconcile "+n.Name) {
		r.forget(n.Name)
		return
	}
	r.outages.Note(ctx, notReconciled, n.Name, r.Once(ctx, n), "node", n.Name)
}

// Once compares the ledger with one node and repairs it. An error means that
// the ledger could not be read or repaired; what is left is done the next time.
func (r *Reconciler) Once(ctx context.Context, n media.Node) error {
	m := r.remember(n.Name)
	taker := r.Controls[n.Kind].Census
	if taker == nil || n.ControlURL == "" {
		return r.withoutCensus(ctx, n, m)
	}
	// The ledger first: who is on it by now and not on the list that is taken
	// afterwards is gone. Who is on the list and was not on the ledger is looked
	// up there again before it counts as missed.
	before, err := r.open(ctx, n.Name)
	if err != nil {
		return err
	}
	m.setClock(r.Clock.SetAt())
	asked := r.Now()
	asking, cancel := context.WithTimeout(ctx, censusTimeout)
	defer cancel()
	census, err := taker.Census(asking, n)
	if err != nil {
		return r.unanswered(ctx, n, m, before, err)
	}
	return r.repair(ctx, n, m, before, m.compare(asked, before, census))
}

// open reads all open sessions of a node.
func (r *Reconciler) open(ctx context.Context, node string) (all []ledger.Session, err error) {
	for after := int64(0); ; after = all[len(all)-1].ID {
		page, err := r.Ledger.OpenOn(ctx, node, after, openPage)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < openPage {
			return all, nil
		}
	}
}

// repair carries out what a comparison found. Health is written last, so that
// who reads "up" reads a ledger that agrees.
func (r *Reconciler) repair(ctx context.Context, n media.Node, m *memory, before []ledger.Session, f findings) error {
	for reason, ids := range f.gone {
		if err := r.end(ctx, n.Name, ids, reason, Ended); err != nil {
			return err
		}
	}
	if err := r.end(ctx, n.Name, r.expired(f.untold), ledger.LeaseExpired, Expired); err != nil {
		return err
	}
	for i, found := range f.missed {
		if i == learnAtOnce {
			break // the others come with the next visit
		}
		if err := r.learn(ctx, n, found); err != nil {
			return err
		}
	}
	if err := r.Ledger.NoteCarried(ctx, f.carried); err != nil {
		return err
	}
	if err := r.Ledger.NoteSamples(ctx, n.Name, r.Now(), f.samples); err != nil {
		return err
	}
	h, _, err := r.note(ctx, db.NodeHealthNoteParams{Node: n.Name, State: Up, ServerID: f.identity, Error: f.warning,
		Streams: int32(f.publishers), Clients: int32(f.clients)})
	if err == nil && h.Was == Unreachable {
		r.Log.InfoContext(ctx, "node answers again", "node", n.Name, "away", outage.Span(h.ChangedAt.Sub(h.WasSince)))
	}
	clear(m.troubles)
	return err
}

func (r *Reconciler) end(ctx context.Context, node string, ids []int64, reason, kind string) error {
	if len(ids) == 0 {
		return nil
	}
	if err := r.Ledger.EndGone(ctx, ids, reason); err != nil {
		return err
	}
	r.Repaired(kind, len(ids))
	r.Log.InfoContext(ctx, "sessions ended", "node", node, "count", len(ids), "reason", reason)
	return nil
}

func (r *Reconciler) learn(ctx context.Context, n media.Node, found ledger.Found) error {
	found.Node = n.Name
	v, err := r.Ledger.Learn(ctx, found)
	switch {
	case err != nil:
		return err
	case v.Reason == media.Duplicate:
		return nil
	case v.Allow:
		r.Repaired(Learned, 1)
	default:
		r.Repaired(Refused, 1)
	}
	r.Log.InfoContext(ctx, "client learned", "node", n.Name, "scene", string(found.Scene()), "stream", found.Stream, "client_id", found.ClientID,
		"allowed", v.Allow, "reason", string(v.Reason))
	return nil
}

// note writes down how a node does, unless it has been deleted meanwhile.
func (r *Reconciler) note(ctx context.Context, p db.NodeHealthNoteParams) (h db.NodeHealthNoteRow, there bool, err error) {
	p.Now = r.Now()
	h, err = r.q.NodeHealthNote(ctx, r.DB, p)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, false, nil
	}
	return h, err == nil, pg.Err(err, nil)
}

// unanswered leaves the sessions of a node as they are, until it has been away
// for as long as a lease. What is kept of the error says what to look at.
func (r *Reconciler) unanswered(ctx context.Context, n media.Node, m *memory, before []ledger.Session, cause error) error {
	m.silent()
	trouble := media.Trouble(cause)
	health, there, err := r.note(ctx, db.NodeHealthNoteParams{Node: n.Name, State: Unreachable, Error: trouble})
	if err != nil || !there {
		return err
	}
	if !m.troubles[trouble] { // each once, until it answers
		m.troubles[trouble] = true
		r.Log.WarnContext(ctx, "node does not answer", "node", n.Name, "since", health.ChangedAt, "trouble", trouble, "error", cause)
	}
	if r.Now().Sub(health.ChangedAt) < r.Lease {
		return nil
	}
	return r.end(ctx, n.Name, r.expired(before), ledger.LeaseExpired, Expired)
}

// leaseEvery is how often the sessions of a node that cannot be asked are looked
// at: there may be many, and their lease is long.
const leaseEvery = time.Minute

// withoutCensus ends what nobody has told of for too long.
func (r *Reconciler) withoutCensus(ctx context.Context, n media.Node, m *memory) error {
	if now := r.Now(); now.Sub(m.leasedAt) < min(leaseEvery, r.Lease) {
		return nil
	} else {
		m.leasedAt = now
	}
	before, err := r.open(ctx, n.Name)
	if err != nil {
		return err
	}
	if err := r.end(ctx, n.Name, r.expired(before), ledger.LeaseExpired, Expired); err != nil {
		return err
	}
	_, _, err = r.note(ctx, db.NodeHealthNoteParams{Node: n.Name, State: Unknown})
	return err
}

func (r *Reconciler) expired(open []ledger.Session) (ids []int64) {
	limit := r.Now().Add(-r.Lease)
	for _, s := range open {
		if s.StartedAt.Before(limit) && s.SeenAt.Before(limit) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// orphans ends the sessions of nodes that are not configured any more. A node
// that was configured a moment ago may not be known here yet.
func (r *Reconciler) orphans(ctx context.Context) {
	if !r.Leader.Hold(ctx, "reconcile") {
		return
	}
	r.outages.Note(ctx, orphansStay, "", r.EndOrphans(ctx))
}

// EndOrphans ends the sessions of nodes that are not configured any more.
// Error: Unavailable.
func (r *Reconciler) EndOrphans(ctx context.Context) error {
	names, err := r.Ledger.NodesOnRecord(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, known := r.Nodes.Get(name); known {
			continue
		}
		open, err := r.open(ctx, name)
		if err != nil {
			return err
		}
		var ids []int64
		for _, s := range open {
			if r.Now().Sub(s.StartedAt).Abs() >= grace {
				ids = append(ids, s.ID)
			}
		}
		if err := r.end(ctx, name, ids, ledger.NodeDeleted, Orphan); err != nil {
			return err
		}
	}
	return nil
}
