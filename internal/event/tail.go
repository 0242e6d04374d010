package event

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Tail hands events out as they happen, whichever process makes them. It reads the
// end of the log a few times a second for all who follow, and not at all while
// nobody does.
//
//	the log up to where it was ---Follower reads--> Next
//	what comes after         ---Tail, a buffer--> Next
type Tail struct {
	DB  pg.DB
	Log *slog.Logger
	// Most is how many may follow.
	Most int
	// Every is the pause between two looks; zero: a fifth of a second.
	Every time.Duration

	q db.Queries

	mu        sync.Mutex
	closed    bool
	number    int64 // up to which all has been handed out
	followers map[*Follower]struct{}
	woken     chan struct{}
}

const (
	tailEvery = 200 * time.Millisecond
	// tailPage is how many events are read at once.
	tailPage = 500
	// buffered events wait for a follower that is slower than they happen.
	buffered = 256
	// maxBacklog is how many events a follower may have missed.
	maxBacklog = 10_000
)

// Why a follower hears no more.
var (
	// ErrGone: what follows is older than the log, or of another database.
	ErrGone = errs.New(errs.Conflict, "gone", "what was missed is not in the log any more")
	// ErrTooMany: more than ten thousand events were missed.
	ErrTooMany = errs.New(errs.Conflict, "too_many", "too much was missed")
	// ErrSlow: more happened than the follower took.
	ErrSlow = errs.New(errs.Conflict, "slow", "events come faster than they are read")
	// ErrDraining: the process ends.
	ErrDraining = &errs.Error{Kind: errs.Unavailable, Reason: "draining", Message: "the server is shutting down", RetryAfter: time.Second}

	errFull = &errs.Error{Kind: errs.Unavailable, Reason: "too_many_followers", Message: "too many clients follow events", RetryAfter: 10 * time.Second}
)

// Follower gets the events of a filter. It belongs to one goroutine.
type Follower struct {
	tail   *Tail
	filter compiled
	// after is the number of the last event that is over for the follower; up to
	// joined it reads the log itself.
	after, joined int64
	backlog       []Event
	read          int

	live chan Event
	why  error // for closing live
}

// Follow begins right after a number, or, where that is negative, now. The follower
// is to be closed. Errors: Invalid, Conflict (ErrGone), Unavailable.
func (t *Tail) Follow(ctx context.Context, f Filter, after int64) (*Follower, error) {
	c, err := f.compile()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	settled, err := t.q.EventsSettled(ctx, t.DB)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	if after < 0 {
		after = settled
	} else if err := t.stillThere(ctx, after, settled); err != nil {
		return nil, err
	}
	return t.join(&Follower{tail: t, filter: c, after: after, live: make(chan Event, buffered)}, settled)
}

// stillThere says whether what follows a number can be told.
func (t *Tail) stillThere(ctx context.Context, after, settled int64) error {
	bounds, err := t.q.EventsBounds(ctx, t.DB)
	switch {
	case err != nil:
		return pg.Err(err, nil)
	case after > bounds.Last, after < bounds.Oldest-1, bounds.Oldest == 0 && after < settled:
		return ErrGone
	}
	return nil
}

func (t *Tail) join(f *Follower, settled int64) (*Follower, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, ErrDraining
	case len(t.followers) >= t.Most:
		return nil, errFull
	case len(t.followers) == 0: // nobody has looked for a while
		t.number = max(t.number, settled)
		t.followers = map[*Follower]struct{}{}
		nudge(t.wake())
	}
	f.joined = t.number
	t.followers[f] = struct{}{}
	return f, nil
}

// wake is told when there is somebody to look for. Under the lock.
func (t *Tail) wake() chan struct{} {
	if t.woken == nil {
		t.woken = make(chan struct{}, 1)
	}
	return t.woken
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// After is the number from which on the follower has not been told yet.
func (f *Follower) After() int64 { return f.after }

// Next waits for the next event. It returns the error of ctx when that ends, after
// which it can be called again, ErrTooMany, ErrSlow or ErrDraining when there will
// be no more, or Unavailable, after which it can be called again, too.
func (f *Follower) Next(ctx context.Context) (Event, error) {
	for f.after < f.joined || len(f.backlog) > 0 {
		if len(f.backlog) == 0 {
			if err := f.more(ctx); err != nil {
				return Event{}, err
			}
			continue
		}
		e := f.backlog[0]
		f.backlog = f.backlog[1:]
		f.after = e.Number
		return e, nil
	}
	for {
		select {
		case e, open := <-f.live:
			if !open {
				return Event{}, f.why
			}
			if e.Number > f.after { // or it was there before we asked
				f.after = e.Number
				return e, nil
			}
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// more reads the next part of what was missed.
func (f *Follower) more(ctx context.Context) error {
	if f.read >= maxBacklog {
		return ErrTooMany
	}
	page, err := f.tail.page(ctx, f.filter, f.after, f.joined)
	if err != nil {
		return err
	}
	f.backlog, f.read = page, f.read+len(page)
	if len(page) == 0 {
		f.after = f.joined
	}
	return nil
}

// Close ends the follower. It may be called twice.
func (f *Follower) Close() {
	f.tail.mu.Lock()
	defer f.tail.mu.Unlock()
	f.tail.drop(f, nil)
}

// drop tells a follower why, if it is there. Under the lock.
func (t *Tail) drop(f *Follower, why error) {
	if _, there := t.followers[f]; there {
		delete(t.followers, f)
		f.why = why
		close(f.live)
	}
}

// Followers is how many follow now.
func (t *Tail) Followers() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.followers)
}

// Run hands out until ctx ends, and then tells all followers.
func (t *Tail) Run(ctx context.Context) {
	defer t.Close()
	every := t.Every
	if every == 0 {
		every = tailEvery
	}
	t.mu.Lock()
	woken := t.wake()
	t.mu.Unlock()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for failing := false; ; {
		next := tick.C
		if t.Followers() == 0 {
			next = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-next:
		}
		err := t.look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			t.Log.WarnContext(ctx, "events cannot be followed", "error", err)
		}
		failing = err != nil
	}
}

// Close ends all followers and lets nobody follow any more, so that a server that
// shuts down need not wait for them.
func (t *Tail) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for f := range t.followers {
		t.drop(f, ErrDraining)
	}
}

// look hands out what has happened since the last look.
func (t *Tail) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	settled, err := t.q.EventsSettled(ctx, t.DB)
	for err == nil {
		t.mu.Lock()
		from := t.number
		t.mu.Unlock()
		if from >= settled {
			return nil
		}
		var page []Event
		if page, err = t.page(ctx, compiled{types: []string{}}, from, settled); err == nil {
			to := settled
			if len(page) == tailPage {
				to = page[len(page)-1].Number
			}
			t.handOut(page, to)
		}
	}
	return err
}

// handOut gives events to those who want them. Who has no place for one more is
// dropped, so that nobody waits for the slowest.
func (t *Tail) handOut(page []Event, to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.followers {
		for i := range page {
			if page[i].Number <= f.joined || !f.filter.wants(&page[i]) {
				continue
			}
			select {
			case f.live <- page[i]:
				continue
			default:
			}
			t.drop(f, ErrSlow)
			break
		}
	}
	t.number = max(t.number, to)
}

func (t *Tail) page(ctx context.Context, c compiled, after, settled int64) ([]Event, error) {
	one, some := c.one()
	rows, err := t.q.EventsAfter(ctx, t.DB, db.EventsAfterParams{After: after, Settled: settled, Type: one, Types: some, Subject: c.subject,
		Since: longAgo, Until: farOff, RowLimit: tailPage})
	return fromRows(rows), pg.Err(err, nil)
}
