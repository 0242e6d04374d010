package reconcile_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/reconcile"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

const (
	lease = 24 * time.Hour
	// later is long enough for nobody to have only just come.
	later = time.Minute
)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { return c.advance(time.Microsecond) }

func (c *clock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// always leads: what several processes do about it is tested on its own.
type always struct{}

func (always) Hold(context.Context, string) bool { return true }

// bench is a ledger and a reconciler among the real services.
type bench struct {
	*reconcile.Reconciler
	pool   *pgxpool.Pool
	clock  *clock
	access *access.Service
	rooms  *room.Service
	nodes  *node.Service
	ledger *ledger.Ledger

	mu      sync.Mutex
	repairs map[string]int
}

func setup(t *testing.T, policy access.Policy) *bench {
	t.Helper()
	return setupOn(t, dbtest.Pool(t), policy, always{}, time.Hour)
}

func setupOn(t *testing.T, pool *pgxpool.Pool, policy access.Policy, leader interface {
	Hold(context.Context, string) bool
}, period time.Duration) *bench {
	t.Helper()
	log := dbtest.Log(t)
	b := &bench{pool: pool, clock: &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}, repairs: map[string]int{}}
	b.access = access.New(access.Config{DB: pool, Box: dbtest.Box(), Now: b.clock.Now, Rand: rand.Reader, Log: log, App: "live",
		Owners: nobody{}, PublishHost: "push.example.com", PlayHost: "pull.example.com", Policy: policy})
	b.nodes = node.New(node.Config{DB: pool, Box: dbtest.Box(), Now: b.clock.Now, Rand: rand.Reader})
	b.rooms = room.New(room.Config{DB: pool, Now: b.clock.Now, Rand: rand.Reader, Log: log, Signer: b.access, Nodes: b.nodes,
		Groups: builtin.Families(&builtin.Provider{Now: b.clock.Now, Rand: rand.Reader}),
		Links: room.LinkConfig{PushDomain: "push.example.com", PullDomain: "pull.example.com", HTTPPullDomain: "pull.example.com",
			App: "live", HTTPScheme: "http", TTL: time.Hour, RTCAppID: "app", RTCAppKey: "key"}})
	client := &http.Client{Timeout: time.Minute}
	controls := media.Controls{
		node.KindSRS:       {Lister: srs.Client{HTTP: client}, Census: srs.Client{HTTP: client}},
		node.KindNginxRTMP: {Lister: nginxrtmp.Client{HTTP: client}, Census: nginxrtmp.Client{HTTP: client}},
	}
	b.ledger = ledger.New(ledger.Config{DB: pool, Now: b.clock.Now, Log: log, Access: b.access, Rooms: b.rooms, Nodes: b.nodes,
		Controls: controls, Timeout: 30 * time.Second})
	b.Reconciler = reconcile.New(reconcile.Config{DB: pool, Now: b.clock.Now, Log: log, Ledger: b.ledger, Leader: leader, Nodes: b.nodes,
		Controls: controls, Period: period, Lease: lease, Repaired: b.count})
	start(t, b.ledger.Run)
	return b
}

// start runs something until the test ends.
func start(t *testing.T, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

type nobody struct{}

func (nobody) StreamOwner(context.Context, string, string) (string, error) { return "", nil }

func (b *bench) count(kind string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.repairs[kind] += n
}

func (b *bench) repaired(kind string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.repairs[kind]
}

// server is an SRS as far as its list of clients goes.
type server struct {
	node    media.Node
	service string // of its process

	mu      sync.Mutex
	clients []string // JSON
	answer  func(w http.ResponseWriter, r *http.Request) (handled bool)
}

// srsNode configures a node whose control API is a server of the test.
func (b *bench) srsNode(t *testing.T, name string) *server {
	t.Helper()
	s := &server{service: "p1"}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	b.configure(t, name, node.Settings{Kind: node.KindSRS, ControlURL: web.URL})
	s.node, _ = b.nodes.Get(name)
	return s
}

func (b *bench) configure(t *testing.T, name string, settings node.Settings) {
	t.Helper()
	if _, err := b.nodes.Create(t.Context(), name, settings); err != nil {
		t.Fatal(err)
	}
	if err := b.nodes.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(w, `{"code":0,"server":"vid-1","service":%q,"pid":"1","clients":[%s]}`, s.service, strings.Join(s.clients, ","))
}

// answers makes the server do something before it tells its list.
func (s *server) answers(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// lists says who is connected, each for some time.
func (s *server) lists(alive time.Duration, events ...media.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = nil
	for _, e := range events {
		kind := "rtmp-play"
		if e.Action == media.Publishing {
			kind = "fmle-publish"
		}
		s.clients = append(s.clients, fmt.Sprintf(`{"id":%q,"ip":%q,"url":%q,"type":%q,"publish":%t,"alive":%f,"recv_bytes":1000,"send_bytes":10}`,
			e.ClientID, e.Address, e.Stream.Path(), kind, e.Action == media.Publishing, alive.Seconds()))
	}
}

func (s *server) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.service, s.clients = s.service+"x", nil
}

func (s *server) event(action media.Action, id, name string) media.Event {
	return media.Event{Action: action, Node: s.node.Name, ServerID: "vid-1/" + s.service, ClientID: id, Address: "192.0.2.7", Protocol: "rtmp",
		Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name}}
}

// allow lets callbacks arrive that must not be refused.
func (b *bench) allow(t *testing.T, events ...media.Event) {
	t.Helper()
	for _, e := range events {
		if v, err := b.ledger.Handle(t.Context(), e); err != nil || !v.Allow {
			t.Fatalf("%s of %s: %+v, %v", e.Action, e.ClientID, v, err)
		}
	}
}

// once reconciles one node.
func (b *bench) once(t *testing.T, s *server) {
	t.Helper()
	if err := b.Once(t.Context(), s.node); err != nil {
		t.Fatal(err)
	}
}

// wantOpen checks who has an open session: "client" or "client!reason" for one
// that was refused, by client.
func (b *bench) wantOpen(t *testing.T, want string) {
	t.Helper()
	if got := b.text(t, `SELECT coalesce(string_agg(client_id || CASE WHEN refused = '' THEN '' ELSE '!' || refused END, ' ' ORDER BY client_id), '')
		FROM sessions WHERE ended_at IS NULL`); got != want {
		t.Fatalf("open: %q, want %q", got, want)
	}
}

func (b *bench) text(t *testing.T, sql string, args ...any) (s string) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), sql, args...).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) wantEnd(t *testing.T, client, want string) {
	t.Helper()
	if got := b.text(t, "SELECT end_reason FROM sessions WHERE client_id = $1 ORDER BY id DESC LIMIT 1", client); got != want {
		t.Errorf("%s ended by %q, want %q", client, got, want)
	}
}

func (b *bench) wantHealth(t *testing.T, s *server, want string) {
	t.Helper()
	if got := b.text(t, "SELECT state || ' ' || server_id || ' ' || streams || '/' || clients || ' ' || error FROM node_health WHERE node = $1", s.node.Name); got != want {
		t.Errorf("health is %q, want %q", got, want)
	}
}

func (b *bench) room(t *testing.T) room.Room {
	t.Helper()
	r, err := b.rooms.Create(t.Context(), "alice", room.Input{Title: "a room", Anchor: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) wantStatus(t *testing.T, id string, want room.Status) {
	t.Helper()
	r, err := b.rooms.Get(t.Context(), id)
	if err != nil || r.Status != want {
		t.Fatalf("room is in state %d (%v), want %d", r.Status, err, want)
	}
}

// eventually waits for what another goroutine is about to bring about.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker, over := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-over:
			t.Fatalf("never happened: %s", what)
		}
	}
}

func leads(t *testing.T, url string) (*pg.Leader, *pgxpool.Pool, func()) {
	t.Helper()
	pool, err := pg.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	l := pg.NewLeader(pool.Config().ConnConfig, dbtest.Log(t))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx)
	}()
	stop := func() { cancel(); <-ended }
	t.Cleanup(stop)
	return l, pool, stop
}

// token returns the publishing half of alice's live token for a stream.
func (b *bench) token(t *testing.T, stream string) string {
	t.Helper()
	o := access.Owner{Username: "alice", Level: 1}
	err := b.pool.QueryRow(t.Context(), `INSERT INTO accounts (username, password_hash, tokens_not_before, created_at, updated_at)
		VALUES ($1, '', now(), now(), now()) RETURNING id`, o.Username).Scan(&o.ID)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := b.access.CreateToken(t.Context(), o, stream, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Token
}
