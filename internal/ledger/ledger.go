// Package ledger records what media servers report: which client publishes or
// plays which stream on which node, and the files they leave.
//
// Media servers repeat, reorder and lose callbacks, and reuse names and ids.
// So a session is keyed by (node, server process, client), never by a stream
// name alone, and every order of the same callbacks leads to the same state.
// An event that changes state is committed before it is answered; many events
// share one commit (batch.go, crowd.go, apply.go). What could not be answered in time and
// must be put right all the same is put right later (aftermath.go).
package ledger

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/paging"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// decider answers from memory.
type decider interface {
	Decide(ctx context.Context, now time.Time, e media.Event) access.Decision
	Recheck(now time.Time, e media.Event) access.Decision
}

// rooms follow their streams within the ledger's transaction.
type rooms interface {
	Lock(ctx context.Context, tx pgx.Tx, st media.Stream) (id string, ended bool, err error)
	WentLive(ctx context.Context, tx pgx.Tx, id string, now time.Time) error
	LeftAir(ctx context.Context, tx pgx.Tx, id string, now time.Time) error
}

// nodes are the media servers that are configured now.
type nodes interface {
	Get(name string) (media.Node, bool)
	Known() []media.Node
}

// Config lists what a Ledger depends on.
type Config struct {
	DB     pg.DB
	Now    func() time.Time
	Log    *slog.Logger
	Access decider
	Rooms  rooms
	Nodes  nodes
	// Controls are what nodes can be asked and told, by kind.
	Controls media.Controls
	// Timeout is how long an event may take, its wait for the commit included.
	// It should be shorter than any media server waits.
	Timeout time.Duration
	// Keep is how long ended sessions stay on record.
	Keep time.Duration
	// Observe is told every verdict; for counting. It must not block.
	Observe func(media.Event, media.Verdict)
	// Committed is told of every commit: how many events shared it, and how long
	// it took. It must not block.
	Committed func(events int, took time.Duration)
	// Refused is told every refusal, failures of ours among them, with what the
	// client brought along as far as that is known. It must not block.
	Refused func(context.Context, media.Event, media.Reason, access.Credential)
}

// Ledger records and answers events.
type Ledger struct {
	Config
	q       *db.Queries
	outages *outage.Log
	queue   chan *op
	crowd   int       // how many events came along of late; only Run uses it
	copier  pg.Copier // of the batch that Run writes

	mu      sync.RWMutex
	closing bool

	aftermath aftermath
	seen      sightings
	// processes is which process of a server published last. Only the committer
	// uses it.
	processes map[string]string

	stats    statsCache
	patient  time.Duration // how long a node is waited for that is asked
	counters counters
	began    time.Time

	livePlaces   *paging.Places[string] // paths
	closedPlaces *paging.Places[closedPlace]
}

// New returns a Ledger; it answers once Run runs.
func New(c Config) *Ledger {
	return &Ledger{Config: c, q: db.New(), outages: outage.New(c.Log, c.Now), queue: make(chan *op, queueLength), processes: map[string]string{}, began: c.Now(), patient: statsTimeout,
		livePlaces: paging.New[string](), closedPlaces: paging.New[closedPlace]()}
}

var errUnavailable = errs.New(errs.Unavailable, string(media.TemporarilyUnavailable), "try again in a moment")

// Handle answers one event of an authenticated node. A refusal is a verdict;
// an error means that we could not tell or could not record it, and the caller
// refuses then. Errors: Unavailable, Internal.
func (l *Ledger) Handle(ctx context.Context, e media.Event) (media.Verdict, error) {
	tidy(&e)
	v, brought, err := l.handle(ctx, &e)
	if err != nil {
		v = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	l.report(ctx, &e, v, brought, err)
	return v, err
}

func (l *Ledger) handle(ctx context.Context, e *media.Event) (v media.Verdict, brought access.Credential, err error) {
	// The server's own pulls and pushes are let through and not recorded:
	// denying one cuts off players that were already admitted.
	if e.Relay {
		return media.Verdict{Allow: true, Reason: media.ServerRelay}, brought, nil
	}
	now := moment(*e, l.Now())
	if e.Tentative {
		d := l.Access.Decide(ctx, now, *e)
		if d.Reason == media.TemporarilyUnavailable {
			return v, d.Credential, errUnavailable
		}
		return media.Verdict{Allow: d.Allow, Reason: d.Reason}, d.Credential, nil
	}
	switch e.Action {
	case media.Updated:
		d := l.recheck(ctx, *e, now)
		if d.Allow {
			l.seen.note(*e, now)
		}
		return media.Verdict{Allow: d.Allow || d.Reason == media.TemporarilyUnavailable, Reason: d.Reason}, d.Credential, nil
	case media.Publishing, media.Playing, media.Unpublished, media.Stopped, media.Disconnected, media.Recorded, media.Restarted:
		return l.durable(ctx, e, now)
	}
	return media.Verdict{Allow: true, Reason: media.Allowed}, brought, nil
}

// durable answers an event once it is committed. Only this waits for the database,
// so only this needs a time limit: deciding has its own, where it looks anything up.
func (l *Ledger) durable(ctx context.Context, e *media.Event, now time.Time) (v media.Verdict, brought access.Credential, err error) {
	if e.Action != media.Publishing && e.Action != media.Playing {
		v, err = l.record(ctx, about(*e, access.Decision{}, now))
		return v, brought, err
	}
	if e.Action == media.Publishing { // which may take several steps
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.Timeout)
		defer cancel()
	}
	d := l.Access.Decide(ctx, now, *e)
	v, err = l.admit(ctx, *e, d, now)
	return v, d.Credential, err
}

// admit records a client as it was decided, unless the stream has a publisher.
// Who is refused and runs all the same is on record with that.
func (l *Ledger) admit(ctx context.Context, e media.Event, d access.Decision, now time.Time) (media.Verdict, error) {
	if !d.Allow && (!e.Fact || d.Reason == media.TemporarilyUnavailable) {
		return media.Verdict{Reason: d.Reason}, nil
	}
	o := about(e, d, now)
	v, err := l.record(ctx, o)
	if err == nil && v.Reason == media.AlreadyPublishing && e.Fact {
		awaitEnd(ctx)
		o = about(e, d, now)
		v, err = l.record(ctx, o)
	}
	if err == nil && v.Reason == media.AlreadyPublishing && o.holder != nil && l.holderGone(ctx, *o.holder, now) {
		// The publisher on record is a ghost: end it, then ask once more.
		if _, err := l.record(ctx, ending([]int64{o.holder.ID}, GoneFromNode, now)); err != nil {
			return media.Verdict{}, err
		}
		v, err = l.record(ctx, about(e, d, now))
	}
	if err == nil && o.victim != 0 { // without an error nobody else has the op any more
		l.Log.InfoContext(ctx, "publisher taken over", "node", e.Node, "stream", e.Stream, "client_id", e.ClientID, "client_address", e.Address,
			"policy", string(d.Takeover.Policy), "replaced_session", o.victim)
	}
	if err != nil || v.Allow || !e.Fact || !d.Allow {
		return v, err
	}
	return l.record(ctx, about(e, access.Decision{Reason: v.Reason}, now))
}

// endArrives is how long the end of one publisher may be on its way when the
// start of the next is here: a server that does not wait for answers sends both
// in one moment, in any order.
const endArrives = 300 * time.Millisecond

func awaitEnd(ctx context.Context) {
	select {
	case <-time.After(endArrives):
	case <-ctx.Done():
	}
}

// recheck decides about a session that is running, whether it is on record or
// not: an update may overtake its own start. A refusal ends the session, so a
// token that memory does not know is looked up first, as it may be newer than
// memory, and where nobody can tell the session goes on.
func (l *Ledger) recheck(ctx context.Context, e media.Event, now time.Time) access.Decision {
	d := l.Access.Recheck(now, e)
	if d.Reason == media.TokenUnknown {
		d = l.Access.Decide(ctx, now, e)
	}
	return d
}

// report counts a verdict, passes a refusal on and writes one line for it; a
// failure is logged by the adapter that gets the error. The client's query never
// appears: it holds credentials.
func (l *Ledger) report(ctx context.Context, e *media.Event, v media.Verdict, brought access.Credential, err error) {
	if l.Observe != nil {
		l.Observe(*e, v)
	}
	traceVerdict(ctx, e, v)
	if l.Refused != nil && !v.Allow && e.Action.Asks() {
		l.Refused(ctx, *e, v.Reason, brought)
	}
	if v.Allow || err != nil {
		return
	}
	l.Log.InfoContext(ctx, "refused", "action", string(e.Action), "node", e.Node, "stream", e.Stream, "client_id", e.ClientID,
		"client_address", e.Address, "reason", string(v.Reason))
}

// Maintain makes the days in which ended sessions are kept and drops those that
// are older than they are kept. It is called before Run, and every few hours.
// Error: Unavailable.
func (l *Ledger) Maintain(ctx context.Context) error {
	now := l.Now()
	return errors.Join(pg.Daily{Table: "ended_sessions", Keep: l.Keep}.Maintain(ctx, l.DB, now),
		pg.Daily{Table: "stream_samples", Keep: samplesKept}.Maintain(ctx, l.DB, now))
}

// Purge forgets ends that waited in vain for their start: those of refused
// clients. Error: Unavailable.
func (l *Ledger) Purge(ctx context.Context) error {
	_, err := l.q.EarlyEndsPurge(ctx, l.DB, l.Now().Add(-2*remembered))
	return pg.Err(err, nil)
}

const (
	// forgetStreams and forgetViewers bound one statement each of ForgetStreams.
	forgetStreams, forgetViewers = 500, 10_000
)

// ForgetStreams forgets who has played streams that nobody has come to for as long
// as ended sessions are kept, and how often that was, unless they are rooms'. Who
// comes again is counted as somebody new. Error: Unavailable.
func (l *Ledger) ForgetStreams(ctx context.Context) error {
	before := l.Now().Add(-l.Keep)
	for {
		old, err := l.q.StreamsForgettable(ctx, l.DB, db.StreamsForgettableParams{Before: before, RowLimit: forgetStreams})
		if err != nil {
			return pg.Err(err, nil)
		}
		for _, st := range old {
			if err := l.forgetStream(ctx, st.App, st.Stream, before); err != nil {
				return pg.Err(err, nil)
			}
		}
		if len(old) < forgetStreams {
			return nil
		}
	}
}

func (l *Ledger) forgetStream(ctx context.Context, app, stream string, before time.Time) error {
	for n := int64(forgetViewers); n == forgetViewers; {
		var err error
		n, err = l.q.StreamViewersForget(ctx, l.DB, db.StreamViewersForgetParams{App: app, Stream: stream, RowLimit: forgetViewers})
		if err != nil {
			return err
		}
	}
	return l.q.StreamForget(ctx, l.DB, db.StreamForgetParams{App: app, Stream: stream, Before: before})
}
