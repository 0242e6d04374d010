package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// session is the life of one connection of the Feed. Three loops share it: one
// reads announcements, so that they pile up here and not in the server, one
// applies them, as many at once as there are, and one reloads.
type session struct {
	*Feed
	conn *pgx.Conn
	// base is the number that was asked for before reloading, number that of the
	// last announcement since.
	base, number int64
	// claim is what the last heartbeat said that has not arrived yet.
	claim claim
	queue *queue
	began time.Time
}

// claim says which number the database had at a time.
type claim struct {
	number int64
	at     time.Time
}

// listen makes a connection a session.
func (f *Feed) listen(ctx context.Context, conn *pgx.Conn) (*session, error) {
	if _, err := conn.Exec(ctx, "LISTEN "+feedChannel); err != nil {
		return nil, err
	}
	s := &session{Feed: f, conn: conn, queue: newQueue(), began: time.Now()}
	last, err := f.q.FeedNumber(ctx, conn)
	s.base, s.number = last.Number, last.Number
	return s, err
}

// run returns what failed first.
func (s *session) run(ctx context.Context, cause Cause, whole func()) error {
	loops, ctx := errgroup.WithContext(ctx)
	loops.Go(func() error { return s.read(ctx) })
	loops.Go(func() error { return s.apply(ctx) })
	loops.Go(func() error { return s.load(ctx, cause, whole) })
	return loops.Wait()
}

// read takes announcements off the connection, and asks now and then whether
// there should have been more.
func (s *session) read(ctx context.Context) error {
	next := time.Now().Add(s.beat)
	for {
		wait, cancel := context.WithDeadline(ctx, next)
		notification, err := s.conn.WaitForNotification(wait)
		cancel()
		if err == nil {
			err = s.take(notification.Payload)
		} else if ctx.Err() == nil && !s.conn.IsClosed() && errors.Is(err, context.DeadlineExceeded) {
			err, next = s.ask(ctx), time.Now().Add(s.beat)
		}
		if err != nil {
			return err
		}
		s.settle()
	}
}

// take queues what one announcement says. What is loaded already is not news,
// and what carries no number is not ours, unless it only says that something is
// new: who hears of that looks for himself, and looks anyway after a reload.
func (s *session) take(payload string) error {
	if table, news := strings.CutPrefix(payload, "new:"); news {
		if slices.ContainsFunc(s.followers, func(f subscriber) bool { return f.wants(table) }) {
			s.queue.add(Change{Table: table}, true)
		}
		return nil
	}
	first, lines, _ := strings.Cut(payload, "\n")
	number, err := strconv.ParseInt(first, 10, 64)
	switch {
	case err != nil, number <= s.base && s.number == s.base:
		return nil
	case number > s.number+1:
		return &interruption{CauseGap, fmt.Errorf("announcement %d follows %d", number, s.number)}
	case number <= s.number:
		return &interruption{CauseWentBack, fmt.Errorf("announcement %d follows %d", number, s.number)}
	}
	s.number = number
	for line := range strings.SplitSeq(lines, "\n") {
		table, key, listed := strings.Cut(line, ":")
		if slices.ContainsFunc(s.followers, func(f subscriber) bool { return f.wants(table) }) {
			s.queue.add(Change{Table: table, Key: key}, listed)
		}
	}
	return nil
}

// ask is the heartbeat. Silence proves nothing: a connection that a firewall
// forgot is silent for ever, and so is one whose announcements get lost.
func (s *session) ask(ctx context.Context) error {
	at := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	last, err := s.q.FeedNumber(ctx, s.conn)
	if err == nil {
		err = sameRole(s.conn, last.ReadOnly) // or changes are announced elsewhere now
	}
	switch {
	case err != nil:
		return err
	case last.Number < s.number:
		return &interruption{CauseWentBack, fmt.Errorf("the last announcement is %d, and %d was there before", last.Number, s.number)}
	case s.claim.at.IsZero():
		s.claim = claim{last.Number, at}
	case at.Sub(s.claim.at) > s.patience:
		return &interruption{CauseGap, fmt.Errorf("announcement %d did not arrive", s.claim.number)}
	}
	return nil
}

// settle passes a heartbeat on when all that it knew of has arrived.
func (s *session) settle() {
	if !s.claim.at.IsZero() && s.number >= s.claim.number {
		s.queue.confirm(s.claim.at)
		s.claim = claim{}
	}
}

// apply hands changes to followers.
func (s *session) apply(ctx context.Context) error {
	for {
		w, err := s.queue.next(ctx)
		if err != nil {
			return err
		}
		for _, f := range s.followers {
			mine := slices.DeleteFunc(slices.Clone(w.changes), func(c Change) bool { return !f.wants(c.Table) })
			if len(mine) == 0 {
				continue
			}
			if err := f.Apply(ctx, s.pool, mine...); err != nil {
				return &interruption{CauseApplyFailed, fmt.Errorf("apply changes of %s: %w", f, err)}
			}
		}
		if !w.confirmed.IsZero() {
			s.known.Store(&w.confirmed)
		}
	}
}

// load loads everything, and then what changed in bulk.
func (s *session) load(ctx context.Context, cause Cause, whole func()) error {
	if err := s.reload(ctx, s.followers); err != nil {
		return err
	}
	s.known.Store(&s.began)
	s.ready.Store(true)
	s.Reloaded(cause)
	whole()
	for {
		tables, err := s.queue.bulk(ctx)
		if err != nil {
			return err
		}
		affected := slices.DeleteFunc(slices.Clone(s.followers), func(f subscriber) bool {
			return !slices.ContainsFunc(f.tables, func(t string) bool { return tables[t] })
		})
		if err := s.reload(ctx, affected); err != nil {
			return err
		}
		s.Reloaded(CauseBulk)
	}
}

func (s *session) reload(ctx context.Context, followers []subscriber) error {
	defer s.queue.reloaded()
	for _, f := range followers {
		if err := f.Reload(ctx, s.pool); err != nil {
			return fmt.Errorf("load %s: %w", f, err)
		}
	}
	return nil
}
