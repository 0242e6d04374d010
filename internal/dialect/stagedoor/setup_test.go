package stagedoor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/event"
	"github.com/stagedoor-live/stagedoor/internal/evict"
	"github.com/stagedoor-live/stagedoor/internal/explain"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/overview"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
	"github.com/stagedoor-live/stagedoor/internal/relay"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/route"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

var home = netip.MustParseAddr("192.0.2.7")

const password = "correct horse battery staple"

// bench is the dialect on a database of its own.
type bench struct {
	server   dialecttest.Server
	pool     *pgxpool.Pool
	clock    *clock
	accounts *account.Service
	nodes    *node.Service
	routes   *route.Service
	relays   *relay.Service
	access   *access.Service
	refusals *refusal.Log
	webhooks *webhook.Service
	rooms    *room.Service
	live     *event.Tail
	streams  *ledger.Ledger
	spec     *spectest.Validator

	overviews *overview.Service
	notReady  error

	admin, alice string // access tokens
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{pool: dbtest.Pool(t), clock: newClock()}
	log := dialecttest.NewLog(t)
	var err error
	b.accounts, err = account.New(t.Context(), account.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: log.Logger(),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	b.nodes = node.New(node.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader})
	b.routes = route.New(route.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: log.Logger()})
	b.relays = relay.New(relay.Config{DB: b.pool, Now: b.clock.now, Log: log.Logger(), Routes: b.routes, Nodes: b.nodes, Controls: someControls})
	b.access = access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader, Log: log.Logger(), Accounts: b.accounts, Owners: nobody{}, App: "live",
		PublishHost: "push.example.com", PlayHost: "pull.example.com", Policy: access.DenyByDefault})
	b.refusals = refusal.New(refusal.Config{DB: b.pool, Now: b.clock.now, Log: log.Logger(), Keep: time.Hour})
	b.rooms = room.New(room.Config{DB: b.pool, Now: b.clock.now, Rand: rand.Reader, Log: log.Logger(), Signer: b.access, Nodes: b.nodes,
		Groups: im.Families{New: &builtin.Provider{Now: b.clock.now, Rand: rand.Reader}},
		Links: room.LinkConfig{PushDomain: "push.example.com", PullDomain: "pull.example.com", HTTPPullDomain: "pull.example.com", App: "live", HTTPScheme: "https",
			TTL: time.Hour, RTCAppID: "rtc", RTCAppKey: "key"}})
	b.live = &event.Tail{DB: b.pool, Log: log.Logger(), Most: 3, Every: 10 * time.Millisecond}
	go b.live.Run(t.Context())
	events := &event.Log{DB: b.pool, Now: b.clock.now, Keep: time.Hour}
	b.webhooks, err = webhook.New(t.Context(), webhook.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: log.Logger(), Timeout: time.Second, Keep: 168 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	b.streams = ledger.New(ledger.Config{DB: b.pool, Now: b.clock.now, Log: log.Logger(), Access: b.access, Nodes: b.nodes})
	kicks := evict.New(evict.Config{DB: b.pool, Now: b.clock.now, Jitter: func() float64 { return 1 }, Log: log.Logger(), Nodes: b.nodes, Controls: someControls,
		Ledger: b.streams, Accounts: b.accounts, Bans: b.access})
	explainer := explain.New(explain.Config{Access: b.access, Streams: b.streams, Now: b.clock.now, PublishHost: "push.example.com", PlayHost: "pull.example.com", App: "live"})
	rt := httpx.NewRouter()
	rt.HandleFunc("GET /api/v1/broken", func(http.ResponseWriter, *http.Request) { panic("nil pointer in /srv/stagedoor") })
	b.overviews = &overview.Service{Config: overview.Config{Now: b.clock.now, Ready: b.ready, Staleness: func() time.Duration { return 0 }, OnAir: b.streams, Rooms: b.rooms,
		Nodes: b.nodes, Webhooks: b.webhooks, Keys: b.access, Refusals: b.refusals}}
	(&Server{Accounts: b.accounts, Overview: b.overviews, Nodes: b.nodes, Controls: someControls, Relays: b.relays, Explain: explainer, Refusals: b.refusals, Webhooks: b.webhooks, Rooms: b.rooms,
		Streams: b.streams, Kicks: kicks, Access: b.access, Configure: configure,
		Events: events, Live: b.live, Beat: 20 * time.Millisecond}).Register(rt)
	srv := httptest.NewServer(httpx.Config{Log: log.Logger(), Now: b.clock.now, Rand: rand.Reader}.Wrap(rt))
	t.Cleanup(srv.Close)
	b.spec = spectest.New(t)
	client := srv.Client()
	client.Transport = b.spec.Transport(client.Transport)
	b.server = dialecttest.Server{URL: srv.URL, Client: client, Pool: b.pool, Log: log, Secrets: []string{password}}
	b.admin = b.addAccount(t, account.NewAccount{Username: "admin", Admin: true, PermissionLevel: 1})
	b.alice = b.addAccount(t, account.NewAccount{Username: "alice", Email: "alice@example.com", FullName: "Alice Example"})
	return b
}

// nobody owns no stream.
type nobody struct{}

func (nobody) StreamOwner(context.Context, string, string) (string, error) { return "", nil }

// ready says what the process of the test is told to say.
func (b *bench) ready(context.Context) error { return b.notReady }

// defaultRules are those that the first start makes.
func (b *bench) defaultRules(t *testing.T) {
	t.Helper()
	if err := b.access.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.access.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
}

// addAccount creates an account with the password and returns an access token.
func (b *bench) addAccount(t *testing.T, n account.NewAccount) string {
	t.Helper()
	system := account.System()
	n.Password = password
	if _, err := b.accounts.Register(t.Context(), &system, n); err != nil {
		t.Fatal(err)
	}
	token, err := b.login(t, n.Username, password)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (b *bench) login(t *testing.T, username, password string) (string, error) {
	t.Helper()
	token, err := b.accounts.Login(t.Context(), username, password, home, 0)
	return token.Value, err
}

func ask(method, path, token string) dialecttest.Request {
	r := dialecttest.Request{Method: method, Path: path}
	if token != "" {
		r.Header = map[string]string{"Authorization": "Bearer " + token}
	}
	return r
}

func patch(username, token, body string) dialecttest.Request {
	r := dialecttest.JSON("/api/v1/accounts/"+username, token, body)
	r.Method = http.MethodPatch
	return r
}

// send makes a request that the spec knows; bad makes one that breaks it.
func (b *bench) send(t *testing.T, r dialecttest.Request) reply {
	t.Helper()
	return reply{dialecttest.SendContext(t.Context(), t, b.server, r)}
}

func (b *bench) bad(t *testing.T, r dialecttest.Request) reply {
	t.Helper()
	return reply{dialecttest.Send(t, b.server, r)}
}

type reply struct{ dialecttest.Answer }

// want fails the test unless the answer has the status and, for a refusal, the
// code.
func (r reply) want(t *testing.T, status int, code string) reply {
	t.Helper()
	var e gen.Error
	if code != "" {
		if err := json.Unmarshal(r.Body, &e); err != nil {
			t.Fatalf("%v in %s", err, r.Body)
		}
	}
	if r.Status != status || e.Code != code {
		t.Fatalf("got %d %s\nwant %d %s", r.Status, r.Body, status, code)
	}
	return r
}

func decode[T any](t *testing.T, r reply) (v T) {
	t.Helper()
	r.want(t, http.StatusOK, "")
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return v
}

// requestID and checkEnvelope are for the conformance suite.
func requestID(a dialecttest.Answer) (said, want string) {
	var e gen.Error
	_ = json.Unmarshal(a.Body, &e) // a fault leaves it empty
	return e.RequestID, a.Header.Get("X-Request-Id")
}

func checkEnvelope(t *testing.T, a dialecttest.Answer) {
	t.Helper()
	var e gen.Error
	if err := json.Unmarshal(a.Body, &e); err != nil || e.Message == "" {
		t.Errorf("no message: %s", a.Body)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.Header)
	}
}

// clock stands still until it is moved.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }
