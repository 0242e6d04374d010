package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/attribute"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/tracing"
)

// The states of a delivery.
//
//	pending --accepted--> delivered --asked for--+
//	   ^  \--given up---> failed ----asked for---+
//	   +-----------------------------------------+
const (
	pending   = "pending"
	delivered = "delivered"
	failed    = "failed"
)

const (
	// maxAttemptsKept are the attempts of a delivery on record.
	maxAttemptsKept = 20
	// noteTimeout is for writing down what an attempt came to, also while the
	// process stops.
	noteTimeout = 5 * time.Second
)

// deliver makes the attempt that is due. It returns river.JobSnooze with the time
// until the next one, nil when the delivery is over, and an error when the attempt
// could not be made or not be noted: it is then made again.
func (s *Service) deliver(ctx context.Context, id int64, at time.Time) error {
	ctx, span := tracing.Begin(ctx, s.Tracer, "deliver webhook")
	defer span.End()
	d, err := s.q.WebhookDeliveryToSend(ctx, s.DB, db.WebhookDeliveryToSendParams{ID: id, At: at})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // nobody waits for it any more
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	if d.State != pending {
		return nil // it was noted by a process that died before it said so
	}
	if d.DisabledAt != nil {
		return river.JobSnooze(disabledPause) // its queue is about to be left alone
	}
	if wait := later(d.NextAt, d.HeldUntil).Sub(s.Now()); wait > 0 {
		return river.JobSnooze(wait)
	}
	span.SetAttributes(attribute.String("stagedoor.webhook", d.EndpointID), attribute.String("stagedoor.event.type", d.Type), attribute.String("stagedoor.event.id", d.EventID))
	a, err := s.send(ctx, d)
	if err == nil && a.Error != "" && ctx.Err() != nil {
		err = context.Cause(ctx) // the process stops: the attempt does not count
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return s.note(ctx, d, a)
}

// disabledPause is for a job that was fetched just when its endpoint was disabled.
const disabledPause = time.Minute

// later is the latest of some times, or the zero time.
func later(times ...*time.Time) (latest time.Time) {
	for _, t := range times {
		if t != nil && t.After(latest) {
			latest = *t
		}
	}
	return latest
}

// note writes down what an attempt came to, and what follows for its endpoint.
func (s *Service) note(ctx context.Context, d db.WebhookDeliveryToSendRow, a Attempt) error {
	now := s.Now()
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	p := db.WebhookDeliveryNoteParams{ID: d.ID, At: d.At, Tries: d.Tries + 1, Most: maxAttemptsKept, Attempt: text, State: delivered, FinishedAt: &now}
	wait, again := pause(int(p.Tries), a.asked)
	switch {
	case a.Error == "":
		again = false
	case a.Status == http.StatusGone || !again:
		p.State, again = failed, false
	default:
		next := now.Add(wait)
		p.State, p.FinishedAt, p.NextAt = pending, nil, &next
	}
	var turned bool
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if _, err := s.q.WebhookDeliveryNote(ctx, tx, p); err != nil {
			return err
		}
		turned, err = s.noteEndpoint(ctx, tx, d, a, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the attempt: %w", pg.Err(err, nil))
	}
	if turned {
		s.tell(ctx, d, a, now)
	}
	s.Observe(resultOf(p.State), a.Took)
	if p.State == failed {
		if err := s.giveUp(ctx, d, a); err != nil {
			return err
		}
	}
	if again {
		return river.JobSnooze(wait)
	}
	return nil
}

// Results are what Observe is told: that an attempt was accepted, that it will be
// made again, or that the delivery is given up.
var Results = []string{delivered, retried, failed}

const retried = "retried"

func resultOf(state string) string {
	if state == pending {
		return retried
	}
	return state
}

// noteEndpoint remembers how an endpoint does, where that has changed. Of several
// attempts at a time one is told that it has.
func (s *Service) noteEndpoint(ctx context.Context, tx pgx.Tx, d db.WebhookDeliveryToSendRow, a Attempt, now time.Time) (turned bool, err error) {
	var n int64
	switch {
	case a.Error == "" && d.FailingSince == nil:
		return false, nil
	case a.Error == "":
		n, err = s.q.WebhookEndpointWell(ctx, tx, d.EndpointID)
		return n > 0, err
	case d.FailingSince == nil:
		if n, err = s.q.WebhookEndpointFailing(ctx, tx, db.WebhookEndpointFailingParams{ID: d.EndpointID, Now: &now}); err != nil {
			return false, err
		}
	}
	if overloaded(a.Status) {
		until := now.Add(max(a.asked, shortHold))
		err = s.q.WebhookEndpointHold(ctx, tx, db.WebhookEndpointHoldParams{ID: d.EndpointID, HeldUntil: &until})
	}
	return n > 0, err
}

// tell logs that an endpoint has begun to fail, or that it takes events again.
func (s *Service) tell(ctx context.Context, d db.WebhookDeliveryToSendRow, a Attempt, now time.Time) {
	if a.Error != "" {
		s.Log.WarnContext(ctx, "webhook does not take events", "webhook", d.EndpointID, "event", d.EventID, "status", a.Status, "error", a.Error)
		return
	}
	s.Log.InfoContext(ctx, "webhook takes events again", "webhook", d.EndpointID, "after", outage.Span(now.Sub(*d.FailingSince)))
}

// giveUp disables the endpoint of a delivery that has failed, if it said so itself
// or if nothing has arrived there for days.
func (s *Service) giveUp(ctx context.Context, d db.WebhookDeliveryToSendRow, a Attempt) error {
	reason := Failing
	switch {
	case a.Status == http.StatusGone:
		reason = Gone
	case d.FailingSince == nil || s.Now().Sub(*d.FailingSince) < failingAfter:
		s.Log.WarnContext(ctx, "webhook delivery given up", "webhook", d.EndpointID, "event", d.EventID, "type", d.Type, "status", a.Status, "error", a.Error)
		return nil
	}
	var n int64
	err := s.change(ctx, func(tx pgx.Tx) (err error) {
		now := s.Now()
		n, err = s.q.WebhookEndpointDisable(ctx, tx, db.WebhookEndpointDisableParams{ID: d.EndpointID, Now: &now, Reason: string(reason)})
		return err
	})
	if err == nil && n > 0 {
		s.Log.WarnContext(ctx, "webhook disabled", "webhook", d.EndpointID, "reason", reason, "event", d.EventID, "status", a.Status, "error", a.Error)
	}
	return err
}
