package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/event"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Delivery is one event on its way to one endpoint, or there.
type Delivery struct {
	ID       int64
	EventID  string
	Type     event.Type
	Subject  string
	Sequence int64
	State    string
	Attempts []Attempt // the last ones, the newest last
	// NextAt is when a pending one is attempted next, if that is not at once.
	NextAt     *time.Time
	CreatedAt  time.Time
	FinishedAt *time.Time
}

// Filter says which deliveries are meant, and which page of them. An empty text or
// zero time means any.
type Filter struct {
	State, Type, EventID string
	Since, Until         time.Time // when they were made, both included
	After                string    // the cursor of the page before
	Limit                int
}

var (
	longAgo   = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	farOff    = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	errCursor = errs.InvalidField("cursor", "cursor is not the next_cursor of a page")
)

// Deliveries returns one page of an endpoint's deliveries, the newest first, and the
// cursor of the next one, empty behind the last. Errors: Invalid, NotFound,
// Unavailable.
func (s *Service) Deliveries(ctx context.Context, id string, f Filter) (page []Delivery, next string, err error) {
	p := db.WebhookDeliveryPageParams{EndpointID: id, BeforeID: math.MaxInt64, State: f.State, Type: f.Type, EventID: f.EventID,
		Since: s.onRecord(f.Since), Until: f.Until, RowLimit: int32(f.Limit) + 1} // one more tells whether another page follows
	if f.Until.IsZero() {
		p.Until = farOff
	}
	if f.After != "" {
		if p.BeforeID, err = strconv.ParseInt(f.After, 36, 64); err != nil {
			return nil, "", errCursor.With(err)
		}
	}
	if _, err := s.Get(ctx, id); err != nil {
		return nil, "", err
	}
	rows, err := s.q.WebhookDeliveryPage(ctx, s.DB, p)
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		next = strconv.FormatInt(rows[f.Limit-1].ID, 36)
	}
	page = make([]Delivery, len(rows))
	for i, row := range rows {
		if page[i], err = deliveryFromRow(row); err != nil {
			return nil, "", err
		}
	}
	return page, next, nil
}

// onRecord is the later of a time and of when deliveries are forgotten, even while
// their day is still there.
func (s *Service) onRecord(since time.Time) time.Time {
	if oldest := s.Now().Add(-s.Keep); since.Before(oldest) {
		return oldest
	}
	return since
}

func deliveryFromRow(r db.WebhookDelivery) (Delivery, error) {
	d := Delivery{ID: r.ID, EventID: r.EventID, Type: event.Type(r.Type), Subject: r.Subject, Sequence: r.Sequence, State: r.State, NextAt: r.NextAt,
		CreatedAt: r.At, FinishedAt: r.FinishedAt}
	if err := json.Unmarshal(r.Attempts, &d.Attempts); err != nil {
		return d, fmt.Errorf("delivery %d: %w", r.ID, err)
	}
	return d, nil
}

// Retry sends a delivery again that is over, from the first attempt on: the same
// bytes under the same webhook-id. Errors: NotFound, Conflict, Unavailable.
func (s *Service) Retry(ctx context.Context, endpoint string, id int64) (d Delivery, err error) {
	err = s.withEndpoint(ctx, endpoint, func(tx pgx.Tx) error {
		old, err := s.q.WebhookDeliveryByID(ctx, tx, db.WebhookDeliveryByIDParams{ID: id, EndpointID: endpoint})
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrDeliveryNotFound
		}
		if err != nil {
			return err
		}
		row, err := s.q.WebhookDeliveryAgain(ctx, tx, db.WebhookDeliveryAgainParams{ID: id, At: old.At})
		if errors.Is(err, pgx.ErrNoRows) {
			return errPending
		}
		if err != nil {
			return err
		}
		job := jobOf(endpoint, row.ID, row.At)
		if _, err := s.inserts.InsertTx(ctx, tx, job.Args, job.InsertOpts); err != nil {
			return err
		}
		d, err = deliveryFromRow(row)
		return err
	})
	return d, err
}

// Test sends an event of the type webhook.test. Errors: NotFound, Conflict,
// Unavailable.
func (s *Service) Test(ctx context.Context, endpoint string) (d Delivery, err error) {
	id, err := s.newID("evt_", 16)
	if err != nil {
		return Delivery{}, err
	}
	data, err := json.Marshal(map[string]string{"webhook_id": endpoint, "message": "It works."})
	if err != nil {
		return Delivery{}, err
	}
	e := event.Event{ID: id, Type: TypeTest, At: s.Now().UTC().Truncate(time.Microsecond), Subject: endpoint, Sequence: 1, Data: data}
	err = s.withEndpoint(ctx, endpoint, func(tx pgx.Tx) error {
		ids, err := s.enqueue(ctx, tx, deliveries{{endpoint, e}})
		if err != nil {
			return err
		}
		row, err := s.q.WebhookDeliveryByID(ctx, tx, db.WebhookDeliveryByIDParams{ID: ids[0], EndpointID: endpoint})
		if err != nil {
			return err
		}
		d, err = deliveryFromRow(row)
		return err
	})
	return d, err
}

// withEndpoint calls fn with an endpoint that is enabled and that nobody removes
// meanwhile.
func (s *Service) withEndpoint(ctx context.Context, id string, fn func(pgx.Tx) error) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err := s.q.WebhookEndpointKeep(ctx, tx, id)
		if err != nil {
			return orNotFound(err)
		}
		if row.DisabledAt != nil {
			return errDisabled
		}
		return fn(tx)
	})
	return pg.Err(err, nil)
}

// Range says which events of the log to send again.
type Range struct {
	Since, Until time.Time // when they happened; until is not included, zero: now
	// Types narrows the filter of the endpoint down. Empty: all that it lets through.
	Types []string
	// MissingOnly leaves out what the endpoint has accepted, as far as that is on
	// record.
	MissingOnly bool
	After       string // the cursor of the part before
}

// replayAtOnce bounds the events of one call.
const replayAtOnce = 1000

// Replay sends events of the log again, oldest first, and returns how many, and the
// cursor of the rest, empty where there is none. They have the ids and bodies that
// they had before; what is on its way to the endpoint already is left out. Errors:
// Invalid, NotFound, Conflict, Unavailable.
func (s *Service) Replay(ctx context.Context, endpoint string, r Range) (n int, next string, err error) {
	after := int64(0)
	if r.After != "" {
		if after, err = strconv.ParseInt(r.After, 36, 64); err != nil {
			return 0, "", errCursor.With(err)
		}
	}
	if err := checkTypes(r.Types); err != nil {
		return 0, "", err
	}
	if r.Until.IsZero() {
		r.Until = s.Now()
	}
	if !r.Since.Before(r.Until) {
		return 0, "", errs.InvalidField("since", "since is before until")
	}
	err = s.withEndpoint(ctx, endpoint, func(tx pgx.Tx) error {
		row, err := s.q.WebhookEndpointByID(ctx, tx, endpoint)
		if err != nil {
			return err
		}
		rows, err := s.q.WebhookReplayable(ctx, tx, db.WebhookReplayableParams{EndpointID: endpoint, Since: r.Since, Until: r.Until, AfterNumber: after,
			Types: narrowed(row.Types, r.Types), MissingOnly: r.MissingOnly, RowLimit: replayAtOnce})
		if n = len(rows); err != nil || n == 0 {
			return err
		}
		all := make(deliveries, n)
		for i, row := range rows {
			all[i] = delivery{endpoint, event.FromRow(db.Event(row))}
		}
		if n == replayAtOnce {
			next = strconv.FormatInt(rows[n-1].Number, 36)
		}
		_, err = s.enqueue(ctx, tx, all)
		return err
	})
	return n, next, err
}

// narrowed are the types that both filters let through.
func narrowed(filter, asked []string) []string {
	types := texts(wanted(filter))
	if len(asked) == 0 {
		return types
	}
	both, more := []string{}, texts(wanted(asked))
	for _, t := range types {
		for _, m := range more {
			if t == m {
				both = append(both, t)
			}
		}
	}
	return both
}

// Maintain makes the days that deliveries are kept in, drops those that are older
// than they are kept, and takes jobs away whose endpoint is gone: a process died
// over them when it was deleted. Error: Unavailable.
func (s *Service) Maintain(ctx context.Context) error {
	err := pg.Daily{Table: "webhook_deliveries", Keep: s.Keep}.Maintain(ctx, s.DB, s.Now())
	return errors.Join(err, s.dropOrphans(ctx))
}

func (s *Service) dropOrphans(ctx context.Context) error {
	rows, err := s.q.WebhookEndpointList(ctx, s.DB)
	if err != nil {
		return pg.Err(err, nil)
	}
	known := map[string]bool{}
	for _, r := range rows {
		known[r.ID] = true
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		queues, err := s.inserts.QueueListTx(ctx, tx, river.NewQueueListParams().First(2*maxEndpoints))
		if err != nil {
			return err
		}
		for _, q := range queues.Queues {
			if !known[q.Name] {
				if err := s.dropJobs(ctx, tx, q.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
