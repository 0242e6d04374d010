package pg

import (
	"context"
	"sync"
	"time"
)

// maxQueued bounds how many changes wait for being applied. More of them are
// dropped, and their tables reloaded.
const maxQueued = 10_000

// queue is what has been announced and not been applied. A row that changes ten
// times meanwhile is read once.
type queue struct {
	mu        sync.Mutex
	changes   []Change // in the order of commits
	waiting   map[Change]struct{}
	tables    map[string]bool // to reload
	confirmed time.Time       // with these changes memory is as the database was then
	reloading bool            // it is not, before that is over
	news      chan struct{}   // told without waiting, as is dirty
	dirty     chan struct{}
}

func newQueue() *queue {
	return &queue{waiting: map[Change]struct{}{}, tables: map[string]bool{}, reloading: true,
		news: make(chan struct{}, 1), dirty: make(chan struct{}, 1)}
}

// add takes a change, or the table of one that is not listed.
func (q *queue) add(c Change, listed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.changes) >= maxQueued {
		for c := range q.waiting {
			q.tables[c.Table] = true
		}
		clear(q.waiting)
		q.changes, listed = nil, false
	}
	if !listed {
		q.tables[c.Table] = true
	}
	if len(q.tables) > 0 {
		q.reloading = true
		nudge(q.dirty)
	}
	if _, there := q.waiting[c]; there || !listed {
		return
	}
	q.waiting[c] = struct{}{}
	q.changes = append(q.changes, c)
	nudge(q.news)
}

// confirm says that at a time there was nothing more than has been added.
func (q *queue) confirm(at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.reloading {
		q.confirmed = at
		nudge(q.news)
	}
}

// work is what there is to apply, and what that makes of memory.
type work struct {
	changes   []Change
	confirmed time.Time // zero: nothing is known
}

// next waits for work.
func (q *queue) next(ctx context.Context) (work, error) {
	select {
	case <-ctx.Done():
		return work{}, ctx.Err()
	case <-q.news:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := work{q.changes, q.confirmed}
	q.changes, q.confirmed = nil, time.Time{}
	clear(q.waiting)
	return w, nil
}

// bulk waits for tables to reload.
func (q *queue) bulk(ctx context.Context) (map[string]bool, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-q.dirty:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	tables := q.tables
	q.tables = map[string]bool{}
	return tables, nil
}

// reloaded ends what bulk, or the beginning, began.
func (q *queue) reloaded() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reloading = len(q.tables) > 0
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is told already
	}
}
