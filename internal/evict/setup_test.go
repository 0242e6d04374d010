package evict

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

const (
	edge  = "edge"  // a node that names its processes
	edge2 = "edge2" // another one
	count = "count" // a node that counts its connections
	plain = "plain" // a node of a kind that cannot be told anything

	address  = "192.0.2.7"
	pushHost = "push.example.com"
)

// hand is of a clock. It moves by a microsecond each time it is read, and as fast as real time
// where a test lets it.
type hand struct{ ahead, reads atomic.Int64 }

var began = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func (c *hand) now() time.Time {
	return began.Add(time.Duration(c.ahead.Load()) + time.Duration(c.reads.Add(1))*time.Microsecond)
}

func (c *hand) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// bench is evictions among the real services, on a database of their own.
type bench struct {
	*Service
	pool     *pgxpool.Pool
	clock    *hand
	accounts *account.Service
	access   *access.Service
	rooms    *room.Service
	nodes    *node.Service
	ledger   *ledger.Ledger
	servers  map[string]*server
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{pool: dbtest.Pool(t), clock: &hand{}, servers: map[string]*server{}}
	b.build(t)
	for _, name := range []string{edge, edge2, count, plain} {
		b.servers[name] = &server{bench: b, name: name, clients: map[string]media.LiveClient{}, census: true}
	}
	b.servers[plain].census = false
	b.Service = b.another(t)
	return b
}

func (b *bench) build(t *testing.T) {
	t.Helper()
	log := dbtest.Log(t)
	var err error
	b.accounts, err = account.New(t.Context(), account.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: log,
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	owners := &owners{}
	b.access = access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader, Log: log, App: "live", Owners: owners,
		Accounts: b.accounts, PublishHost: pushHost, PlayHost: "pull.example.com", Policy: access.DenyByDefault})
	b.nodes = node.New(node.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader})
	b.rooms = room.New(room.Config{DB: b.pool, Now: b.clock.now, Rand: rand.Reader, Log: log, Signer: b.access, Nodes: b.nodes,
		Groups: builtin.Families(&builtin.Provider{Now: b.clock.now, Rand: rand.Reader}),
		Links: room.LinkConfig{PushDomain: pushHost, PullDomain: "pull.example.com", HTTPPullDomain: "pull.example.com", App: "live", HTTPScheme: "http",
			TTL: time.Hour, RTCAppID: "rtcapp", RTCAppKey: "key"}})
	owners.Service = b.rooms
	b.ledger = ledger.New(ledger.Config{DB: b.pool, Now: b.clock.now, Log: log, Access: b.access, Rooms: b.rooms, Nodes: b.nodes, Timeout: 20 * time.Second})
	b.goOn(t, b.ledger.Run)
	for name, kind := range map[string]string{edge: node.KindSRS, edge2: node.KindSRS, count: node.KindNginxRTMP, plain: node.KindMediaMTX} {
		if _, err := b.nodes.Create(t.Context(), name, node.Settings{Kind: kind, ControlURL: "http://192.0.2.1/"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.access.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.reload(t)
}

func (b *bench) reload(t *testing.T) {
	t.Helper()
	for _, f := range []pg.Follower{b.accounts, b.access, b.nodes} {
		if err := f.Reload(t.Context(), b.pool); err != nil {
			t.Fatal(err)
		}
	}
}

type owners struct{ *room.Service }

// goOn runs something until the test ends or the returned function is called.
func (b *bench) goOn(t *testing.T, run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

// another returns the evictions of one more process on the same database.
func (b *bench) another(t *testing.T) *Service {
	return New(Config{DB: b.pool, Now: b.clock.now, Jitter: func() float64 { return 1 }, Log: dbtest.Log(t), Nodes: b.nodes, Ledger: b.ledger,
		Accounts: b.accounts, Bans: b.access, Controls: media.Controls{
			node.KindSRS:       {Kicker: fleet(b.servers), Census: fleet(b.servers)},
			node.KindNginxRTMP: {Kicker: fleet(b.servers), Census: fleet(b.servers)},
			node.KindMediaMTX:  {},
		}})
}

// settled lets time pass, and work be done, until no eviction is left.
func (b *bench) settled(t *testing.T, by ...*Service) {
	t.Helper()
	if len(by) == 0 {
		by = []*Service{b.Service}
	}
	for range 400 {
		for _, s := range by {
			s.turn(t.Context())
			s.runners.Wait()
		}
		if b.count(t, "SELECT count(*) FROM evictions WHERE state = 'wanted'") == 0 {
			return
		}
		b.clock.advance(200 * time.Millisecond)
	}
	t.Fatal("evictions are left")
}

func (b *bench) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantOpen checks whose sessions are open.
func (b *bench) wantOpen(t *testing.T, want ...media.Event) {
	t.Helper()
	var ids []string
	for _, e := range want {
		ids = append(ids, e.Node+" "+e.ClientID)
	}
	rows, err := b.pool.Query(t.Context(), "SELECT node || ' ' || client_id FROM sessions WHERE ended_at IS NULL ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var open []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		open = append(open, id)
	}
	slices.Sort(ids)
	if !slices.Equal(open, ids) {
		t.Fatalf("open are %v, want %v", open, ids)
	}
}

var numbers atomic.Int64

// comes makes a client of a node, which asks at the door.
func (b *bench) comes(t *testing.T, on string, scene media.Scene, stream, query string) media.Event {
	t.Helper()
	e := b.event(on, scene, stream, query)
	v, err := b.ledger.Handle(t.Context(), e)
	if err != nil || !v.Allow {
		t.Fatalf("%s of %s: %+v, %v", scene, stream, v, err)
	}
	b.servers[on].accept(e)
	return e
}

func (b *bench) event(on string, scene media.Scene, stream, query string) media.Event {
	n := numbers.Add(1)
	e := media.Event{Action: media.Publishing, Node: on, ClientID: fmt.Sprint(n), Query: query, Address: address, Protocol: "rtmp",
		Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: stream}}
	if scene == media.Play {
		e.Action = media.Playing
	}
	if on == count {
		e.Serial = n
	} else {
		e.ServerID = "vid/pid-1"
	}
	return e
}

// refused checks that somebody would not be let in.
func (b *bench) refused(t *testing.T, scene media.Scene, stream, query string, want media.Reason) {
	t.Helper()
	v, err := b.ledger.Handle(t.Context(), b.event(edge, scene, stream, query))
	if err != nil || v.Allow || v.Reason != want {
		t.Fatalf("%s of %s again: %+v, %v, want %s", scene, stream, v, err, want)
	}
}

// server is a media server's process. It obeys unless it was told not to.
type server struct {
	bench *bench
	name  string

	mu      sync.Mutex
	clients map[string]media.LiveClient
	kicks   []string // of whom it was asked to cut off
	lose    int      // kicks that it acknowledges and forgets
	down    bool
	cannot  bool
	silent  bool // ends are not told
	census  bool // it can list its clients
	hang    chan struct{}
}

func (s *server) accept(e media.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[e.ClientID] = media.LiveClient{Scene: e.Scene(), ServerID: e.ServerID, Serial: e.Serial,
		Client: media.Client{ID: e.ClientID, Stream: e.Stream, Address: e.Address}}
}

func (s *server) has(e media.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.clients[e.ClientID]
	return ok
}

// set changes how the server behaves.
func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kicks)
}

var (
	errAway   = errs.New(errs.BadGateway, "media_server_unavailable", "media server unavailable")
	errCannot = errs.New(errs.Conflict, "cannot_kick", "this one has no connection")
)

func (s *server) kick(ctx context.Context, c media.Client) (bool, error) {
	if err := s.answers(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	s.kicks = append(s.kicks, c.ID)
	found, cut, cannot, silent := s.clients[c.ID], s.lose == 0, s.cannot, s.silent
	_, there := s.clients[c.ID]
	switch {
	case cannot, !there:
	case cut:
		delete(s.clients, c.ID)
	default:
		s.lose--
	}
	s.mu.Unlock()
	switch {
	case cannot:
		return false, errCannot
	case there && cut && !silent:
		s.tellEnd(found)
	}
	return there, nil
}

func (s *server) tellEnd(c media.LiveClient) {
	e := media.Event{Action: media.Stopped, Node: s.name, ServerID: c.ServerID, ClientID: c.ID, Serial: c.Serial, Stream: c.Stream}
	if c.Scene == media.Publish {
		e.Action = media.Unpublished
	}
	_, _ = s.bench.ledger.Handle(context.Background(), e)
}

func (s *server) answers(ctx context.Context) error {
	s.mu.Lock()
	hang, down := s.hang, s.down
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return errAway.With(ctx.Err())
		}
	}
	if down {
		return errAway
	}
	return nil
}

// fleet are the servers as adapters reach them.
type fleet map[string]*server

func (f fleet) Kick(ctx context.Context, n media.Node, c media.Client) (bool, error) {
	return f[n.Name].kick(ctx, c)
}

func (f fleet) Census(ctx context.Context, n media.Node) (media.Census, error) {
	s := f[n.Name]
	if err := s.answers(ctx); err != nil {
		return media.Census{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := media.Census{Publishers: s.census, Players: s.census}
	if !s.census {
		return c, nil
	}
	for _, client := range s.clients {
		c.Clients = append(c.Clients, client)
	}
	return c, nil
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

// signed is the query with which a stream is opened.
func (b *bench) signed(t *testing.T, scene media.Scene, stream string) string {
	t.Helper()
	links := b.rooms.StreamLinks("live", stream, b.clock.now().Add(time.Hour))
	link := links.Push.RTMP
	if scene == media.Play {
		link = links.Pull.RTMP
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.RawQuery
}

// both makes a publisher and a player of a stream by signed URLs.
func (b *bench) both(t *testing.T, on, stream string) (publisher, player media.Event) {
	t.Helper()
	return b.comes(t, on, media.Publish, stream, b.signed(t, media.Publish, stream)), b.comes(t, on, media.Play, stream, b.signed(t, media.Play, stream))
}

func (b *bench) eviction(t *testing.T, e media.Event) db.Eviction {
	t.Helper()
	var r db.Eviction
	err := b.pool.QueryRow(t.Context(), `SELECT e.state, e.reason, e.tries, e.error FROM evictions e JOIN sessions s ON s.id = e.session_id
		WHERE s.node = $1 AND s.client_id = $2`, e.Node, e.ClientID).Scan(&r.State, &r.Reason, &r.Tries, &r.Error)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func streamNamed(name string) media.Stream {
	return media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name}
}
