// Package webhook sends events to the endpoints of others, signed as Standard
// Webhooks 1.0.0 says.
//
//	outbox --dispatch--> a delivery and a job per endpoint --queue--> attempts
//
// Events come from the outbox, where the transactions of the changes wrote them.
// One transaction takes them out, makes a delivery for every endpoint that wants
// them, and puts a job for each into the queue of its endpoint, so that an endpoint
// that is slow delays nobody else. The delivery is the truth; the job, which is
// River's, only says when to look at it. What is lost with a process that dies is
// at most the knowledge of an attempt, which is then made again, under the same
// webhook-id.
package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// Endpoint is where events are sent to.
type Endpoint struct {
	ID          string
	URL         string
	Description string
	// Types are exact or end in ".*"; none means all that are always written.
	Types []string
	// Disabled says since when nothing is sent, and Reason why.
	Disabled *time.Time
	Reason   Reason
	// HeldUntil is the end of a pause that it asked for.
	HeldUntil *time.Time
	// FailingSince is the first failure after which nothing has arrived.
	FailingSince *time.Time
	// OldSecretUntil is until when the secret before the current one signs too.
	OldSecretUntil *time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Reason is why an endpoint is disabled.
type Reason string

// The reasons. Gone is what the endpoint itself said, with status 410; failing
// that attempts were made for days and nothing arrived.
const (
	ByOperator Reason = "operator"
	Gone       Reason = "gone"
	Failing    Reason = "failing"
)

// Config lists what a Service depends on.
type Config struct {
	DB   *pgxpool.Pool
	Box  *seal.Box
	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger
	// Guard says which addresses may be sent to. Plain http is for those only that
	// it allows by name.
	Guard outbound.Guard
	// Timeout bounds an attempt, and Grace how long attempts under way may take
	// when the process stops.
	Timeout, Grace time.Duration
	// Keep is how long deliveries stay on record.
	Keep time.Duration
	// PollOnly has the queue look for jobs each second, where a pooler stands
	// between it and news of them.
	PollOnly bool
	// Observe is told of each attempt. It must not block.
	Observe func(result string, took time.Duration)
	// Tracer makes a trace of each attempt; nil: there are none.
	Tracer trace.Tracer
}

// Service manages endpoints and delivers to them.
type Service struct {
	Config
	q       *db.Queries
	outages *outage.Log
	schema  string // of the queue
	inserts *river.Client[pgx.Tx]
	clients map[string]*http.Client // by scheme

	// outbox says, without waiting, that there may be events to hand on, and changed
	// that endpoints are not as they were.
	outbox, changed chan struct{}

	reading sync.Mutex // held from reading endpoints until they are in memory

	mu        sync.Mutex
	endpoints []db.WebhookEndpoint
	oldest    time.Time // in the outbox; zero if it is empty
}

// New returns a Service that manages; it delivers once Run runs.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Observe == nil {
		c.Observe = func(string, time.Duration) {}
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	s := &Service{Config: c, q: db.New(), outages: outage.New(c.Log, c.Now), clients: newClients(c.Guard, c.Timeout, c.Tracer),
		outbox: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
	var err error
	if s.schema, err = pg.QueueSchema(ctx, c.DB); err != nil {
		return nil, err
	}
	s.inserts, err = river.NewClient(riverpgxv5.New(nil), &river.Config{Schema: s.schema, Logger: quiet(c.Log),
		// Within this time of a notification no other is sent.
		FetchCooldown: time.Millisecond})
	return s, err
}

var (
	errNotFound = errs.New(errs.NotFound, "webhook_not_found", "no such webhook")
	// ErrDeliveryNotFound says that the endpoint has no such delivery.
	ErrDeliveryNotFound = errs.New(errs.NotFound, "delivery_not_found", "no such delivery")
	errDisabled         = errs.New(errs.Conflict, "webhook_disabled", "the webhook is disabled")
	errPending          = errs.New(errs.Conflict, "delivery_pending", "the delivery is still being attempted")
	errTooMany          = errs.New(errs.Conflict, "too_many_webhooks", "there are as many webhooks as there may be")
)

func fromRow(r db.WebhookEndpoint) Endpoint {
	return Endpoint{ID: r.ID, URL: r.URL, Description: r.Description, Types: r.Types, Disabled: r.DisabledAt, Reason: Reason(r.DisabledReason),
		HeldUntil: r.HeldUntil, FailingSince: r.FailingSince, OldSecretUntil: r.OldSecretUntil, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
}

// orNotFound is pg.Err for the row of an endpoint.
func orNotFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return errNotFound
	}
	return pg.Err(err, nil)
}
