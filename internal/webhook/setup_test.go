package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const patience = time.Minute

var loopback = outbound.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}

// bench is a service on a database of its own, with a clock that stands still.
type bench struct {
	*Service
	pool *pgxpool.Pool
	mu   sync.Mutex
	time time.Time
}

func setup(t *testing.T, guard outbound.Guard) *bench {
	t.Helper()
	b := &bench{pool: dbtest.Pool(t), time: time.Now().UTC().Truncate(time.Second)}
	var err error
	b.Service, err = New(t.Context(), Config{DB: b.pool, Box: dbtest.Box(), Now: b.now, Log: dbtest.Log(t), Guard: guard,
		Timeout: time.Minute, Grace: 5 * time.Second, Keep: 1000 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time = b.time.Add(d)
}

// receiver is somebody else's server. What it answers is told by status, header
// and body, and can be changed.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	got    []message
}

type message struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answer: func(http.ResponseWriter, *http.Request) {}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got = append(r.got, message{req.Header, string(body)})
		answer := r.answer
		r.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

func (r *receiver) says(status int, header ...string) {
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	})
}

func (r *receiver) messages() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]message{}, r.got...)
}

// verified returns the ids of what arrived, each proven by the public library.
func (r *receiver) verified(t *testing.T, secret string) (ids []string) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.messages() {
		if err := wh.Verify([]byte(m.body), m.header); err != nil {
			t.Errorf("%s: %v", m.body, err)
		}
		ids = append(ids, m.header.Get("Webhook-Id"))
	}
	return ids
}

func (b *bench) endpoint(t *testing.T, url string, types ...string) (Endpoint, string) {
	t.Helper()
	e, secret, err := b.Create(t.Context(), Settings{URL: url, Types: types})
	if err != nil {
		t.Fatal(err)
	}
	return e, secret
}

// happen has an event written as the change of a row would.
func happen(t *testing.T, pool *pgxpool.Pool, typ string) (id string) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO event_drafts (notes) SELECT jsonb_build_array(event_note($1, 'room1', now(), '{"room": {"id": "room1"}}'))`, typ)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), "SELECT write_events()"); err != nil { // not at the commit, to learn its id
			return err
		}
		return tx.QueryRow(t.Context(), "SELECT id FROM events WHERE number = currval('event_numbers')").Scan(&id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bench) dispatched(t *testing.T) {
	t.Helper()
	if _, err := b.Dispatch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// list returns all deliveries of an endpoint, the newest first.
func (b *bench) list(t *testing.T, id string) []Delivery {
	t.Helper()
	list, _, err := b.Deliveries(t.Context(), id, Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// attempt works on a delivery as its job does, and returns for how long the job
// sleeps then; zero when it is over.
func (b *bench) attempt(t *testing.T, d Delivery) time.Duration {
	t.Helper()
	var snooze *river.JobSnoozeError
	switch err := b.deliver(t.Context(), d.ID, d.CreatedAt); {
	case errors.As(err, &snooze):
		return snooze.Duration
	case err != nil:
		t.Fatal(err)
	}
	return 0
}

// one is a single event for an endpoint at a receiver.
func (b *bench) one(t *testing.T, r *receiver) (Endpoint, string, Delivery) {
	t.Helper()
	e, secret := b.endpoint(t, r.URL)
	happen(t, b.pool, "room.started")
	b.dispatched(t)
	return e, secret, b.list(t, e.ID)[0]
}

// running has a service follow the feed and deliver until the test ends, or stop
// is called.
func (b *bench) running(t *testing.T) (stop func()) {
	t.Helper()
	return run(t, b.Service)
}

func run(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	feed := pg.NewFeed(s.DB, s.Log, s)
	ctx, cancel := contextOf(t)
	if err := feed.Start(ctx); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { s.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		<-feed.Done()
	})
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never happens that %s", what)
		}
	}
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(fmt.Errorf("%w in %s", err, text))
	}
	return v
}

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context())) // cleanups end it
}
