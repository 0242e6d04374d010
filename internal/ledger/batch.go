package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Commits are shared: while one is under way, the events that arrive wait and
// go together into the next. An idle ledger commits a lone event at once, a
// busy one hundreds (see gather).
const (
	queueLength = 4096
	maxBatch    = 512
	// gatherWindow is how long a batch may wait for more to come along.
	gatherWindow = 2 * time.Millisecond
	retryPause   = 50 * time.Millisecond
	// stuckPatience bounds an attempt with an op that has waited for somebody
	// else's lock before: the others shall not wait for it as long again.
	stuckPatience = 100 * time.Millisecond
)

// op is one change on its way into a commit.
type op struct {
	e    media.Event
	id   identity // of what e is about
	d    access.Decision
	gone []int64 // end these sessions instead of handling e
	now  time.Time

	reason string // why those are gone

	deadline time.Time
	span     trace.Span // of the wait; nil where nothing is traced
	done     chan struct{}
	// settled is taken by whoever is first: the committer that answers, or the
	// waiter that gives up. Who comes second knows what the other did.
	settled atomic.Bool

	verdict media.Verdict
	err     error
	holder  *db.OpenSession // AlreadyPublishing: who does; nil for who lost its place
	victim  int64           // the session whose place was taken, if one was

	// What only the committer uses.
	answered    bool // the waiter was told of the commit
	maybe       bool // an attempt may have been committed
	stuck       bool // an attempt waited for a lock in vain
	late        bool // written after its caller was refused; see aftermath.go
	undo        bool // take back what e opened; see aftermath.go
	onlyProcess bool // earlier processes of the server have nothing open any more
}

// about is the op of one event.
func about(e media.Event, d access.Decision, now time.Time) *op {
	return &op{e: e, id: identify(e), d: d, now: now}
}

// starts says whether this op is about a client that publishes or plays.
func (o *op) starts() bool { return o.gone == nil && o.e.Action.Asks() }

// asks says whether a client is waiting at the door for this op.
func (o *op) asks() bool { return o.starts() && !o.e.Fact }

// refused says whether the client of this op is on record only until it is cut off.
func (o *op) refused() bool { return o.starts() && o.e.Fact && !o.d.Allow }

// record puts an op into the next commit and waits until it is durable, for no
// longer than an event may take.
func (l *Ledger) record(ctx context.Context, o *op) (media.Verdict, error) {
	o.done = make(chan struct{})
	o.deadline = time.Now().Add(l.Timeout)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(o.deadline) {
		o.deadline = sooner
	}
	over := timers.Get().(*time.Timer)
	defer timers.Put(over)
	over.Reset(time.Until(o.deadline))
	defer over.Stop()
	defer o.traceWait(ctx).End()
	if !l.enqueue(o) {
		l.keep(o)
		return media.Verdict{}, errUnavailable.With(errFull)
	}
	select {
	case <-o.done:
		return o.verdict, o.err
	case <-over.C:
	case <-ctx.Done():
	}
	if o.settled.CompareAndSwap(false, true) {
		return media.Verdict{}, errUnavailable.With(cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	<-o.done
	return o.verdict, o.err
}

// timers are used again: a context with a time limit for each callback cost more
// than to decide on it.
var timers = sync.Pool{New: func() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}}

var errFull = errors.New("the queue is full or closed")

// enqueue refuses when the queue is full or the ledger closes: an honest
// refusal at once is better than one after the media server's timeout.
func (l *Ledger) enqueue(o *op) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closing {
		return false
	}
	select {
	case l.queue <- o:
		return true
	default:
		return false
	}
}

// Waiting is how many events wait for the next commit.
func (l *Ledger) Waiting() int { return len(l.queue) }

// Run commits until ctx ends, then what is still queued.
func (l *Ledger) Run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.closing = true
		close(l.queue)
	})
	defer stop()
	ctx = context.WithoutCancel(ctx)
	for {
		select {
		case first, ok := <-l.queue:
			if !ok {
				l.settleAll(ctx)
				return
			}
			l.commit(ctx, l.gather(first))
		case <-l.aftermath.turn():
		}
		l.settleSome(ctx)
	}
}

// gather returns the next batch. A commit costs nearly the same for one event as
// for many, so in a crowd it waits a moment until most of as many are there as
// came along of late. Who comes alone does not wait.
func (l *Ledger) gather(first *op) []*op {
	batch := l.drain(append(make([]*op, 0, l.crowd+1), first))
	if enough := l.crowd - l.crowd/8; len(batch) < enough {
		batch = l.await(batch, enough)
	}
	l.crowd = max(len(batch), l.crowd-l.crowd/8)
	if l.crowd < leastCrowd {
		l.crowd = 0
	}
	return batch
}

// leastCrowd events at a time are none that are worth waiting for.
const leastCrowd = 8

// drain adds to a batch those who are there already.
func (l *Ledger) drain(batch []*op) []*op {
	for len(batch) < maxBatch {
		select {
		case o, ok := <-l.queue:
			if !ok {
				return batch
			}
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// await adds to a batch those who come within the window, until there are enough.
func (l *Ledger) await(batch []*op, enough int) []*op {
	over := time.NewTimer(gatherWindow)
	defer over.Stop()
	for len(batch) < enough {
		select {
		case o, ok := <-l.queue:
			if !ok {
				return batch
			}
			batch = append(batch, o)
		case <-over.C:
			return batch
		}
	}
	return l.drain(batch)
}

// commit makes a batch durable. While the database is away it tries again
// until the last op's time is over. An op that spoils the batch or waits for
// somebody else's lock is set apart; where nobody knows which that is, each half
// goes alone.
func (l *Ledger) commit(ctx context.Context, batch []*op) {
	for {
		batch = l.expire(batch, time.Now())
		if len(batch) == 0 {
			return
		}
		began := time.Now()
		err := l.try(ctx, batch, l.patience(batch))
		bad := culprit(err)
		switch {
		case err == nil:
			if l.Committed != nil {
				l.Committed(len(batch), time.Since(began))
			}
			l.finish(batch)
			return
		case errs.KindOf(err) == errs.Unavailable && !isSpoilt(err):
			time.Sleep(retryPause)
		case len(batch) == 1:
			l.fallBehind(batch[0], err)
			return
		case bad != nil:
			l.fallBehind(bad, err)
			batch = slices.DeleteFunc(batch, func(o *op) bool { return o == bad })
		default:
			half := len(batch) / 2
			l.commit(ctx, batch[:half:half])
			batch = batch[half:]
		}
	}
}

// opError is an error of one op among others.
type opError struct {
	o   *op
	err error
}

func (e *opError) Error() string { return e.err.Error() }
func (e *opError) Unwrap() error { return e.err }

// culprit is the op that made a batch fail, or nil where nobody knows.
func culprit(err error) *op {
	var e *opError
	if errors.As(err, &e) {
		return e.o
	}
	return nil
}

// fallBehind refuses an op that cannot be stored. One that only waits for
// somebody else's lock lets the others pass and tries again after them. An end
// that the database failed is kept, as in an outage.
func (l *Ledger) fallBehind(o *op, err error) {
	o.stuck = errors.Is(err, errStuck)
	if !o.stuck || !l.enqueue(o) {
		l.refuse(o, err)
	}
}

// expire refuses the ops whose time is over and returns the others. Deadlines
// are the runtime's, so this is real time and not the domain's clock. Who asked
// and has gone away need not be written at all.
func (l *Ledger) expire(batch []*op, now time.Time) []*op {
	alive := batch[:0]
	for _, o := range batch {
		if now.Before(o.deadline) && !(o.asks() && o.settled.Load()) {
			alive = append(alive, o)
			continue
		}
		l.refuse(o, errUnavailable.With(context.DeadlineExceeded))
	}
	return alive
}

// refuse answers an op that is not known to be committed.
func (l *Ledger) refuse(o *op, err error) {
	if o.settled.CompareAndSwap(false, true) {
		o.err = err
	}
	close(o.done)
	switch {
	case o.asks() && o.maybe:
		l.takeBack(o)
	case errs.KindOf(err) == errs.Unavailable:
		l.keep(o)
	}
}

// patience is how long one attempt may take. It ends well before the ops do, so
// that a lock that somebody holds on one stream does not refuse all others.
func (l *Ledger) patience(batch []*op) time.Duration {
	for _, o := range batch {
		if o.stuck {
			return stuckPatience
		}
	}
	return l.Timeout / 4
}

// An attempt that reached the database may have failed for what one op of it needs.
var (
	// errStuck marks one that waited there in vain, which is somebody else's lock
	// or a server that hangs.
	errStuck = errors.New("waited in vain")
	// errSick marks one that PostgreSQL failed by its own fault (class XX): a
	// broken page or index, or something that is gone by the next attempt.
	errSick = errors.New("internal trouble of the database")
)

// isSpoilt tells whether the other ops of an attempt may succeed without one.
func isSpoilt(err error) bool { return errors.Is(err, errStuck) || errors.Is(err, errSick) }

// try writes a batch in one transaction. After a commit whose answer was lost
// nobody knows what happened: such a batch is written again, and comes to the
// same.
func (l *Ledger) try(ctx context.Context, batch []*op, patience time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ctx, span := traceBatch(ctx, batch)
	defer func() { endBatch(span, err) }()
	again := slices.ContainsFunc(batch, func(o *op) bool { return o.maybe })
	err = l.write(ctx, batch, again)
	if !again && isOnRecord(err) {
		err = l.write(ctx, batch, true)
	}
	return sickOr(pg.Err(err, nil))
}

// write does what try says. Players who are there for the first time, by far the
// most, need one statement and no transaction around it.
func (l *Ledger) write(ctx context.Context, batch []*op, again bool) error {
	if !again && onlyNewPlayers(batch) {
		for _, o := range batch {
			o.verdict, o.victim, o.maybe = media.Verdict{Allow: true, Reason: o.d.Reason}, 0, true
		}
		return stuckOr(l.addStarts(ctx, players(batch)))
	}
	return pg.InTx(ctx, l.DB, func(tx pgx.Tx) error {
		if err := l.apply(ctx, tx, batch, again); err != nil {
			return stuckOr(err)
		}
		for _, o := range batch {
			o.maybe = true
		}
		return nil
	})
}

func onlyNewPlayers(batch []*op) bool {
	return !slices.ContainsFunc(batch, func(o *op) bool { return stepOf(o) != starting || numbered(o) })
}

func stuckOr(err error) error {
	const lockNotAvailable, queryCanceled = "55P03", "57014"
	var pgErr *pgconn.PgError
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &pgErr) && (pgErr.Code == lockNotAvailable || pgErr.Code == queryCanceled) {
		return errUnavailable.With(fmt.Errorf("%w: %w", errStuck, err))
	}
	return err
}

func sickOr(err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && strings.HasPrefix(pgErr.Code, "XX") {
		return errUnavailable.With(fmt.Errorf("%w: %w", errSick, err))
	}
	return err
}

// finish answers a committed batch. A session that was opened for somebody who
// no longer waits was refused by silence, so it is taken back, unless the same
// callback came twice and one of them was answered.
func (l *Ledger) finish(batch []*op) {
	var unheard []*op
	for _, o := range batch {
		o.answered = o.settled.CompareAndSwap(false, true)
	}
	l.counters.note(batch) // before anybody hears of it and looks
	for _, o := range batch {
		close(o.done)
		l.noteProcess(o)
		if !o.answered && o.asks() && o.verdict.Allow {
			unheard = append(unheard, o)
		}
	}
	if len(unheard) == 0 && l.aftermath.empty() {
		return
	}
	admitted := admitted(batch)
	l.aftermath.forgive(admitted)
	for _, o := range unheard {
		if !admitted[o.id] {
			l.takeBack(o)
		}
	}
}

// admitted returns whose start was answered with yes.
func admitted(batch []*op) map[identity]bool {
	keys := map[identity]bool{}
	for _, o := range batch {
		if o.answered && o.asks() && o.verdict.Allow {
			keys[o.id] = true
		}
	}
	return keys
}
