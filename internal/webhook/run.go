package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const (
	endpointsTable = "webhook_endpoints"
	outboxTable    = "event_outbox"
)

// Tables names the tables whose changes matter.
func (s *Service) Tables() []string { return []string{endpointsTable, outboxTable} }

// Reload reads which endpoints there are.
func (s *Service) Reload(ctx context.Context, d pg.DB) error {
	signal(s.outbox)
	return s.readEndpoints(ctx, d)
}

// Apply hears that events wait, and reads the endpoints again where they changed.
func (s *Service) Apply(ctx context.Context, d pg.DB, changes ...pg.Change) error {
	again := false
	for _, c := range changes {
		switch c.Table {
		case outboxTable:
			signal(s.outbox)
		case endpointsTable:
			again = true
		}
	}
	if !again {
		return nil
	}
	return s.readEndpoints(ctx, d)
}

func (s *Service) readEndpoints(ctx context.Context, d pg.DB) error {
	s.reading.Lock() // of two readers the later one also writes later
	defer s.reading.Unlock()
	rows, err := s.q.WebhookEndpointList(ctx, d)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.endpoints = rows
	s.mu.Unlock()
	signal(s.changed)
	return nil
}

// signal tells somebody who looks for himself, without waiting.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

const (
	// sweep is how often the outbox is looked at unasked: for what a process took
	// that then died.
	sweep = 5 * time.Second
	// longest is how long the queues may be left as they are.
	longest = time.Minute
	// busy is when to try again what could not be done.
	busy = time.Second
)

// Run hands events on and delivers them until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { s.runQueue(ctx) })
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-s.outbox:
		case <-tick.C:
		}
	}
}

var waiting = outage.Words{Begins: "events wait for webhooks", Ends: "events are handed to webhooks again"}

// look empties the outbox, where somebody is to get what is in it.
func (s *Service) look(ctx context.Context) {
	if s.idle() {
		return
	}
	_, err := s.Dispatch(ctx)
	s.outages.Note(ctx, waiting, "", err)
	at, err := s.q.EventOutboxOldest(ctx, s.DB)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest = at
}

// idle reports whether there is no endpoint, and so nothing in the outbox.
func (s *Service) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.endpoints) == 0 && s.oldest.IsZero()
}

// runQueue serves the endpoints that are enabled and have not asked for a pause.
func (s *Service) runQueue(ctx context.Context) {
	q := &queue{s: s}
	defer q.stop(ctx)
	for {
		ids, next := s.served(s.Now())
		if err := q.serve(ctx, ids); err != nil {
			s.Log.DebugContext(ctx, "webhook queues are not as they should be yet", "error", err)
			next = busy
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-s.changed:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// served lists the endpoints to serve now, and for how long at most that holds.
func (s *Service) served(now time.Time) (ids []string, next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = longest
	for _, e := range s.endpoints {
		switch {
		case e.DisabledAt != nil:
		case e.HeldUntil != nil && e.HeldUntil.After(now):
			next = min(next, e.HeldUntil.Sub(now))
		default:
			ids = append(ids, e.ID)
		}
	}
	return ids, next
}
