package liveauth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/evict"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

const password = "correct horse battery staple"

// bench is the whole dialect on a database of its own, next to our own
// operations, which end tokens.
type bench struct {
	server   dialecttest.Server
	pool     *pgxpool.Pool
	log      *dialecttest.Log
	clock    *clock
	accounts *account.Service
	access   *access.Service
	rooms    *room.Service
	ledger   *ledger.Ledger
	streams  *streamsSpy
	kicks    *evict.Service
	media    *mediaServers
	spec     *spectest.Validator

	// Access tokens: an administrator of level 1, an account of level 3 that is
	// none, and two of level 0.
	admin, carol, alice, bob string
}

func setup(t *testing.T) *bench { t.Helper(); return setupWith(t) }

func openRegistration(c *account.Config) { c.OpenRegistration = true }

func setupWith(t *testing.T, options ...func(*account.Config)) *bench {
	t.Helper()
	b := &bench{pool: dbtest.Pool(t), log: dialecttest.NewLog(t), clock: newClock(), media: &mediaServers{}}
	c := account.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: b.log.Logger(),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}}
	for _, option := range options {
		option(&c)
	}
	var err error
	if b.accounts, err = account.New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b.addServices(t)
	b.serve(t)
	b.admin = b.addAccount(t, account.NewAccount{Username: "admin", Admin: true, PermissionLevel: 1})
	b.carol = b.addAccount(t, account.NewAccount{Username: "carol", PermissionLevel: 3})
	b.alice = b.addAccount(t, account.NewAccount{Username: "alice", Email: "alice@example.com", FullName: "Alice Example"})
	b.bob = b.addAccount(t, account.NewAccount{Username: "bob"})
	return b
}

func (b *bench) addServices(t *testing.T) {
	t.Helper()
	log := b.log.Logger()
	owners := &lateOwners{}
	b.access = access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader, Log: log,
		Owners: owners, App: "live", Policy: access.DenyByDefault})
	b.rooms = room.New(room.Config{DB: b.pool, Now: b.clock.now, Rand: rand.Reader, Log: log, Signer: b.access,
		Groups: builtin.Families(&builtin.Provider{AppID: "app", AppKey: "key", AppSign: "sign", Now: b.clock.now, Rand: rand.Reader}),
		Links:  room.LinkConfig{PushDomain: "push.example.com", PullDomain: "pull.example.com", App: "live", TTL: time.Hour}})
	owners.Service = b.rooms
	controls := media.Controls{"srs": {Lister: b.media, Kicker: b.media}}
	b.ledger = ledger.New(ledger.Config{DB: b.pool, Now: b.clock.now, Log: log, Access: b.access, Rooms: b.rooms, Nodes: b.media,
		Controls: controls, Timeout: 20 * time.Second})
	b.kicks = evict.New(evict.Config{DB: b.pool, Now: b.clock.now, Jitter: func() float64 { return 1 }, Log: log, Nodes: b.media, Controls: controls,
		Ledger: b.ledger, Accounts: b.accounts, Bans: b.access})
	b.streams = &streamsSpy{streams: b.ledger}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); b.ledger.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

// lateOwners breaks the circle between rooms, which sign, and access, which
// asks whose stream it is.
type lateOwners struct{ *room.Service }

// serve puts the dialect behind the chain, and the spec's validator before it.
func (b *bench) serve(t *testing.T) {
	t.Helper()
	rt := httpx.NewRouter()
	(&stagedoor.Server{Accounts: b.accounts}).Register(rt)
	(&Server{Accounts: b.accounts, Access: b.access, Ledger: b.streams, Kicks: b.kicks, PlayURL: playURL}).Register(rt)
	srv := httptest.NewServer(httpx.Config{Log: b.log.Logger(), Now: b.clock.now, Rand: rand.Reader}.Wrap(rt))
	t.Cleanup(srv.Close)
	client := srv.Client()
	b.spec = spectest.New(t)
	client.Transport = b.spec.Transport(client.Transport)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.server = dialecttest.Server{URL: srv.URL, Client: client, Pool: b.pool, Log: b.log, Secrets: []string{password}}
}

func playURL(n media.Node, st media.Stream) string {
	return "http://" + n.Name + ".example.com/" + st.App + "/" + st.Name + ".flv"
}

// addAccount creates an account with the password and returns an access token.
func (b *bench) addAccount(t *testing.T, n account.NewAccount) string {
	t.Helper()
	system := account.System()
	n.Password = password
	if _, err := b.accounts.Register(t.Context(), &system, n); err != nil {
		t.Fatal(err)
	}
	return b.login(t, n.Username)
}

func (b *bench) login(t *testing.T, username string) string {
	t.Helper()
	token, err := b.accounts.Login(t.Context(), username, password, netip.MustParseAddr("192.0.2.7"), 0)
	if err != nil {
		t.Fatal(err)
	}
	return token.Value
}

// ask makes a request without a body.
func ask(method, path, token string) dialecttest.Request {
	r := dialecttest.Request{Method: method, Path: path}
	if token != "" {
		r.Header = map[string]string{"Authorization": "Bearer " + token}
	}
	return r
}

// grant is a login form.
func grant(username, password string) dialecttest.Request {
	return dialecttest.Form("/auth/token", "", url.Values{"username": {username}, "password": {password}}.Encode())
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

// reply is an answer that can be asked questions.
type reply struct{ dialecttest.Answer }

// want fails the test unless the status, and the body where one is given, are
// the wanted ones, and decodes the body of a success.
func (r reply) want(t *testing.T, status int, body string) reply {
	t.Helper()
	if r.Status != status || body != "" && strings.TrimSuffix(string(r.Body), "\n") != body {
		t.Fatalf("got %d %s\nwant %d %s", r.Status, r.Body, status, body)
	}
	return r
}

func decode[T any](t *testing.T, r reply) (v T) {
	t.Helper()
	if r.Status != http.StatusOK {
		t.Fatalf("status %d: %s", r.Status, r.Body)
	}
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return v
}

// createToken makes a live token.
func (b *bench) createToken(t *testing.T, token, stream string) gen.LiveToken {
	t.Helper()
	return decode[gen.LiveToken](t, b.send(t, ask("POST", "/live/create_token?stream="+url.QueryEscape(stream), token)))
}

func (b *bench) listTokens(t *testing.T, token string) []gen.LiveToken {
	t.Helper()
	return decode[[]gen.LiveToken](t, b.send(t, ask("GET", "/live/list_tokens", token)))
}

// event is a client that shows a secret at one of the doors of live/room1.
func event(a media.Action, secret string) media.Event {
	return media.Event{Action: a, Node: "srs1", ClientID: "c1", Query: "token=" + secret,
		Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}}
}

// reason is what the decision says to such a client.
func (b *bench) reason(t *testing.T, a media.Action, secret string) media.Reason {
	t.Helper()
	return b.access.Decide(t.Context(), b.clock.now(), event(a, secret)).Reason
}

// publish puts a stream on the air.
func (b *bench) publish(t *testing.T, token, app, name string) {
	t.Helper()
	pair := b.createToken(t, token, app+"/"+name)
	e := event(media.Publishing, pair.Token)
	e.ClientID, e.Stream.App, e.Stream.Name = app+"/"+name, app, name
	v, err := b.ledger.Handle(t.Context(), e)
	if err != nil || !v.Allow {
		t.Fatalf("publish %s/%s: %v, %v", app, name, v, err)
	}
}

// mediaServers is the one configured node, what it tells of its streams, and
// whom it was asked to cut off.
type mediaServers struct {
	mu     sync.Mutex
	told   []media.LiveStream
	err    error
	kicked []string
}

var node = media.Node{Name: "srs1", Kind: "srs", ControlURL: "http://192.0.2.9:1985"}

func (m *mediaServers) Get(name string) (media.Node, bool) { return node, name == node.Name }
func (m *mediaServers) Known() []media.Node                { return []media.Node{node} }

func (m *mediaServers) Streams(context.Context, media.Node) ([]media.LiveStream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.told), m.err
}

func (m *mediaServers) Kick(_ context.Context, _ media.Node, c media.Client) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kicked = append(m.kicked, c.ID)
	return m.err == nil, m.err
}

func (m *mediaServers) tell(err error, streams ...media.LiveStream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told, m.err = streams, err
}

// streamsSpy is the ledger, until it is told to fail.
type streamsSpy struct {
	streams
	err      error
	panic    string
	deadline time.Time // of the last call
}

func (s *streamsSpy) Streams(ctx context.Context) ([]ledger.LiveStream, error) {
	s.deadline, _ = ctx.Deadline()
	if s.panic != "" {
		panic(s.panic)
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.streams.Streams(ctx)
}

// clock stands still until it is moved.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// loc is one entry of a 422 answer as the contract writes it.
func entry(loc, msg, kind string) string {
	return fmt.Sprintf(`{"loc":%s,"msg":%q,"type":%q}`, loc, msg, kind)
}

func list(entries ...string) string { return `{"detail":[` + strings.Join(entries, ",") + `]}` }

func missingField(name string) string {
	return entry(`["body","`+name+`"]`, "field required", "value_error.missing")
}

// with returns a copy of a request with one more header.
func with(r dialecttest.Request, name, value string) dialecttest.Request {
	r.Header = maps.Clone(r.Header)
	if r.Header == nil {
		r.Header = map[string]string{}
	}
	r.Header[name] = value
	return r
}
