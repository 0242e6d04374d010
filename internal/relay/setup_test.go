package relay

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

// bench is a Service with everything around it; two share a database.
type bench struct {
	*Service
	pool   *pgxpool.Pool
	clock  *clock
	routes *route.Service
	world  *world
	names  *names
}

func setup(t *testing.T) *bench {
	t.Helper()
	return setupOn(t, dbtest.Pool(t), newClock(), &world{nodes: map[string]*server{}}, &names{})
}

func setupOn(t *testing.T, pool *pgxpool.Pool, c *clock, w *world, n *names) *bench {
	t.Helper()
	b := &bench{pool: pool, clock: c, world: w, names: n}
	guard := outbound.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")}, Lookup: n.lookup}
	b.routes = route.New(route.Config{DB: pool, Box: dbtest.Box(), Now: c.now, Log: dbtest.Log(t), Guard: guard})
	b.Service = New(Config{DB: pool, Now: c.now, Log: dbtest.Log(t), Routes: b.routes, Nodes: w, Guard: guard, Leader: alone{},
		Controls: media.Controls{"waits": {Puller: puller{w, true}}, "pulls": {Puller: puller{w, false}}, "cannot": {},
			"forgets": {Puller: forgetful{puller{w, false}, map[string]bool{}}}}})
	if err := b.routes.Reload(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	return b
}

// again is another process on the same database and the same nodes.
func (b *bench) again(t *testing.T) *bench { return setupOn(t, b.pool, b.clock, b.world, b.names) }

func (b *bench) route(t *testing.T, pattern, url string, keepAlive bool) {
	t.Helper()
	if _, err := b.routes.Save(t.Context(), route.Route{Pattern: pattern, URL: url, KeepAlive: keepAlive}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) round(t *testing.T) {
	t.Helper()
	if err := b.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) demand(t *testing.T, node, path string) {
	t.Helper()
	if found, err := b.Demand(t.Context(), node, streamAt(path)); err != nil || !found {
		t.Fatalf("demand for %s: %v, %v", path, found, err)
	}
}

// state is that of the only route.
func (b *bench) state(t *testing.T) State {
	t.Helper()
	all, err := b.Page(t.Context(), "", 10)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

func (b *bench) wantState(t *testing.T, state, reason string) State {
	t.Helper()
	got := b.state(t)
	if got.State != state || got.Reason != reason {
		t.Fatalf("the route is %s (%s), want %s (%s): %+v", got.State, got.Reason, state, reason, got)
	}
	return got
}

type alone struct{}

func (alone) Hold(context.Context, string) bool { return true }

// world is all media servers.
type world struct {
	mu    sync.Mutex
	nodes map[string]*server
}

type server struct {
	kind  string
	down  bool
	pulls map[string]*fetched // by path
	told  int                 // how often it was told anything new
}

type fetched struct {
	media.Pull
	ready   bool
	viewers int
	fault   string
}

func (w *world) add(name, kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[name] = &server{kind: kind, pulls: map[string]*fetched{}}
}

// with lets a test look at a node or change it.
func (w *world) with(name string, do func(s *server)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(w.nodes[name])
}

func (w *world) pull(name, path string) (p fetched, ok bool) {
	w.with(name, func(s *server) {
		if f := s.pulls[path]; f != nil {
			p, ok = *f, true
		}
	})
	return p, ok
}

func (w *world) wantSource(t *testing.T, name, path, source string) {
	t.Helper()
	if p, _ := w.pull(name, path); p.Source != source {
		t.Errorf("%s fetches %s from %q, want %q", name, path, p.Source, source)
	}
}

func (w *world) Known() (all []media.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, s := range w.nodes {
		all = append(all, media.Node{Name: name, Kind: s.kind, ControlURL: "http://192.0.2.1"})
	}
	return all
}

var errDown = errs.New(errs.BadGateway, "media_server_unavailable", "media server unavailable").With(errors.New("connection refused"))

type puller struct {
	w     *world
	waits bool
}

func (p puller) OnDemand() bool { return p.waits }

func (p puller) at(n media.Node, do func(s *server)) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	s := p.w.nodes[n.Name]
	if s == nil || s.down {
		return errDown
	}
	do(s)
	return nil
}

func (p puller) Pull(_ context.Context, n media.Node, pull media.Pull) error {
	return p.at(n, func(s *server) {
		if old := s.pulls[pull.Stream.Path()]; old == nil || old.Pull != pull {
			s.pulls[pull.Stream.Path()] = &fetched{Pull: pull}
			s.told++
		}
	})
}

func (p puller) Unpull(_ context.Context, n media.Node, st media.Stream) error {
	return p.at(n, func(s *server) { delete(s.pulls, st.Path()) })
}

func (p puller) Pulls(_ context.Context, n media.Node) (out []media.PullState, err error) {
	err = p.at(n, func(s *server) {
		for _, f := range s.pulls {
			out = append(out, media.PullState{Stream: f.Stream, Ready: f.ready, Viewers: f.viewers, Fault: f.fault})
		}
	})
	return out, err
}

// names is a name server that can be told to lie.
type names struct {
	mu sync.Mutex
	to map[string]string
}

func (n *names) set(name, address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.to == nil {
		n.to = map[string]string{}
	}
	n.to[name] = address
}

func (n *names) lookup(_ context.Context, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a := n.to[name]; a != "" {
		return []netip.Addr{netip.MustParseAddr(a)}, nil
	}
	return nil, nil
}

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// forgetful knows only pulls that it began, or was told of.
type forgetful struct {
	puller
	own map[string]bool
}

func (p forgetful) Own(n media.Node, st media.Stream) { p.own[n.Name+st.Path()] = true }

func (p forgetful) Pull(ctx context.Context, n media.Node, pull media.Pull) error {
	p.Own(n, pull.Stream)
	return p.puller.Pull(ctx, n, pull)
}

func (p forgetful) Unpull(ctx context.Context, n media.Node, st media.Stream) error {
	if !p.own[n.Name+st.Path()] {
		return nil
	}
	return p.puller.Unpull(ctx, n, st)
}

func (p forgetful) Pulls(ctx context.Context, n media.Node) (out []media.PullState, err error) {
	all, err := p.puller.Pulls(ctx, n)
	for _, st := range all {
		if p.own[n.Name+st.Stream.Path()] {
			out = append(out, st)
		}
	}
	return out, err
}
