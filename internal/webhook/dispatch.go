package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/event"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// dispatchAtOnce bounds the events of one transaction.
const dispatchAtOnce = 200

// Dispatch hands on what is in the outbox, oldest first, and returns how many
// events that was. Several processes may do so at once: each event is handed on by
// one of them, or left to the next call. Error: Unavailable.
func (s *Service) Dispatch(ctx context.Context) (total int, err error) {
	for {
		n, err := s.dispatch(ctx)
		total += n
		if err != nil || n < dispatchAtOnce {
			return total, err
		}
	}
}

func (s *Service) dispatch(ctx context.Context) (n int, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		taken, err := s.q.EventOutboxTake(ctx, tx, dispatchAtOnce)
		if n = len(taken); err != nil || n == 0 {
			return err
		}
		slices.SortFunc(taken, func(a, b db.EventOutbox) int { return int(a.Number - b.Number) })
		endpoints, err := s.q.WebhookEndpointReceivers(ctx, tx)
		if err != nil {
			return err
		}
		var out deliveries
		for _, e := range endpoints {
			types := wanted(e.Types)
			for _, row := range taken {
				if slices.Contains(types, event.Type(row.Type)) {
					out = append(out, delivery{e.ID, event.FromRow(db.Event(row))})
				}
			}
		}
		_, err = s.enqueue(ctx, tx, out)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("dispatch events: %w", pg.Err(err, nil))
	}
	return n, nil
}

// delivery is an event for an endpoint.
type delivery struct {
	endpoint string
	event    event.Event
}

type deliveries []delivery

// enqueue makes deliveries with their jobs. The caller holds the endpoints, so
// that nobody removes them meanwhile.
func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, all deliveries) (ids []int64, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	p := db.WebhookDeliveriesInsertParams{Now: s.Now().Truncate(time.Microsecond)} // which is what the database keeps
	for _, d := range all {
		body, err := json.Marshal(d.event)
		if err != nil {
			return nil, fmt.Errorf("event %s: %w", d.event.ID, err)
		}
		p.EndpointIds, p.EventIds, p.Types = append(p.EndpointIds, d.endpoint), append(p.EventIds, d.event.ID), append(p.Types, string(d.event.Type))
		p.Subjects, p.Sequences, p.Bodies = append(p.Subjects, d.event.Subject), append(p.Sequences, d.event.Sequence), append(p.Bodies, string(body))
	}
	rows, err := s.q.WebhookDeliveriesInsert(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	jobs := make([]river.InsertManyParams, len(rows))
	for i, r := range rows {
		jobs[i] = jobOf(r.EndpointID, r.ID, p.Now)
		ids = append(ids, r.ID)
	}
	_, err = s.inserts.InsertManyTx(ctx, tx, jobs)
	return ids, err
}

// jobOf is the job of a delivery, in the queue of its endpoint.
func jobOf(endpoint string, id int64, at time.Time) river.InsertManyParams {
	return river.InsertManyParams{Args: attempt{ID: id, At: at}, InsertOpts: &river.InsertOpts{Queue: endpoint, MaxAttempts: maxJobAttempts}}
}

// OutboxAge is how long the oldest event has been waiting to be handed on, as it
// was when last looked.
func (s *Service) OutboxAge() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.oldest.IsZero() {
		return 0
	}
	return max(s.Now().Sub(s.oldest), 0)
}
