package ledger

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Two kinds of op outlive the answer to their caller, because the media server
// does not call again:
//
//   - a start that was refused although it was, or may have been, committed: the
//     client is not there, so its session is taken back;
//   - an end that could not be written in time: the client is gone all the same.
//
// They wait in memory and are written as soon as the database takes them. A
// process that dies first leaves them to what ends other ghosts: the end of the
// connection, a restart of the server, its own list.
type aftermath struct {
	mu  sync.Mutex
	ops []*op
	// next is when the committer looks again; alone is how many turns take one op
	// only, because one of them spoils the others.
	next  time.Time
	alone int
}

const (
	maxAftermath   = 1 << 14
	aftermathPause = 250 * time.Millisecond
	// settleAttempt bounds one attempt, during which nothing else is committed.
	settleAttempt = 250 * time.Millisecond
)

// takeBack has the session of a refused client removed.
func (l *Ledger) takeBack(o *op) {
	l.putAside(&op{e: o.e, id: o.id, d: o.d, now: o.now, undo: true})
}

// keep has an end, or what runs already, written later, whose caller was told
// that it was not.
func (l *Ledger) keep(o *op) {
	if o.gone == nil && !o.asks() {
		l.putAside(&op{e: o.e, id: o.id, now: o.now, late: true})
	}
}

func (l *Ledger) putAside(o *op) {
	a := &l.aftermath
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ops) == maxAftermath {
		l.lost(o, errFull)
		return
	}
	a.ops = append(a.ops, o)
}

func (l *Ledger) lost(o *op, err error) {
	l.Log.Error("session may stay open", "action", string(o.e.Action), "node", o.e.Node, "stream", o.e.Stream,
		"client_id", o.e.ClientID, "error", err)
}

// turn fires when it is time to look again; never while nothing waits.
func (a *aftermath) turn() <-chan time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ops) == 0 {
		return nil
	}
	return time.After(time.Until(a.next))
}

// take returns the ops of the next turn, none before it is time. They stay in
// line until they are settled.
func (a *aftermath) take(now time.Time) []*op {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(a.next) {
		return nil
	}
	n := min(len(a.ops), maxBatch)
	if a.alone > 0 {
		a.alone--
		n = min(n, 1)
	}
	return a.ops[:n:n]
}

// drop removes the ops of a turn, which are the first in line.
func (a *aftermath) drop(turn []*op) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops = a.ops[len(turn):]
}

// putBack sends the ops of a turn that failed to the end of the line. Those
// that may have spoilt each other come alone next time, at once; else there is
// a pause.
func (a *aftermath) putBack(turn []*op, alone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops = append(a.ops[len(turn):], turn...)
	if alone {
		a.alone = len(a.ops)
		return
	}
	a.next = time.Now().Add(aftermathPause)
}

// forgive drops what was to be taken back of clients that have been admitted
// since: the same callback, asked again.
func (a *aftermath) forgive(admitted map[identity]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops = slices.DeleteFunc(a.ops, func(o *op) bool { return o.undo && admitted[o.id] })
}

func (a *aftermath) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ops) == 0
}

// settleSome writes what waits, as far as one attempt goes.
func (l *Ledger) settleSome(ctx context.Context) {
	turn := l.aftermath.take(time.Now())
	if len(turn) == 0 {
		return
	}
	err := l.try(ctx, turn, settleAttempt)
	switch {
	case err == nil:
		l.aftermath.drop(turn)
	case errs.KindOf(err) == errs.Unavailable && (len(turn) == 1 || !isSpoilt(err)):
		l.aftermath.putBack(turn, false)
	case len(turn) > 1:
		l.aftermath.putBack(turn, true)
	default:
		l.aftermath.drop(turn)
		l.lost(turn[0], err)
	}
}

// settleAll writes what waits before the process ends, for as long as an event
// may take.
func (l *Ledger) settleAll(ctx context.Context) {
	over := time.After(l.Timeout)
	for !l.aftermath.empty() {
		select {
		case <-l.aftermath.turn():
			l.settleSome(ctx)
		case <-over:
			l.aftermath.mu.Lock()
			defer l.aftermath.mu.Unlock()
			for _, o := range l.aftermath.ops {
				l.lost(o, errFull)
			}
			return
		}
	}
}
