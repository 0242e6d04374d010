package ledger

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

const (
	app      = "live"
	rtcAppID = "rtcapp"
	anchor   = "alice"
	pushHost = "push.example.com"
)

// The nodes of every bench. Only edge-srs and edge-nginx could be asked.
const (
	localNode = node.Local
	srsNode   = "edge-srs"
	nginxNode = "edge-nginx"
)

// clock moves by a microsecond each time it is read, as real ones do at least.
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

// bench is a ledger among the real services, on a database of its own.
type bench struct {
	*Ledger
	pool   *pgxpool.Pool
	clock  *clock
	access *access.Service
	rooms  *room.Service
	nodes  *node.Service
	told   *verdicts
	stop   context.CancelFunc
	ended  chan struct{}
	// elsewhere is another process on the same database, where there is one.
	elsewhere *Ledger
}

type option func(*bench)

func withTimeout(d time.Duration) option { return func(b *bench) { b.Timeout = d } }

// withDB makes the ledger, and nothing else, use another way to the database.
func withDB(wrap func(pg.DB) pg.DB) option { return func(b *bench) { b.DB = wrap(b.DB) } }

func withLister(kind string, l media.Lister) option {
	return func(b *bench) { b.Controls = media.Controls{kind: {Lister: l}} }
}

// closedDoor refuses who brings no credential; the others let everybody in.
func closedDoor(b *bench) { b.access.Policy = access.DenyByDefault }

// idle leaves it to the test to run the ledger.
func idle(b *bench) { b.ended = nil }

func setup(t testing.TB, options ...option) *bench {
	t.Helper()
	return setupOn(t, dbtest.Pool(t), options...)
}

func setupOn(t testing.TB, pool *pgxpool.Pool, options ...option) *bench {
	t.Helper()
	log := dbtest.Log(t)
	b := &bench{pool: pool, clock: &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}, told: &verdicts{}, ended: make(chan struct{})}
	b.access = access.New(access.Config{DB: pool, Box: dbtest.Box(), Now: b.clock.Now, Rand: rand.Reader, Log: log, App: app,
		Owners: nobody{}, PublishHost: pushHost, PlayHost: "pull.example.com", Policy: access.OpenByDefault})
	b.nodes = node.New(node.Config{DB: pool, Box: dbtest.Box(), Now: b.clock.Now, Rand: rand.Reader})
	b.rooms = room.New(room.Config{DB: pool, Now: b.clock.Now, Rand: rand.Reader, Log: log, Signer: b.access, Nodes: b.nodes,
		Groups: builtin.Families(&builtin.Provider{Now: b.clock.Now, Rand: rand.Reader}),
		Links: room.LinkConfig{PushDomain: pushHost + ":1935", PullDomain: "pull.example.com", HTTPPullDomain: "pull.example.com",
			App: app, HTTPScheme: "http", TTL: time.Hour, RTCAppID: rtcAppID, RTCAppKey: "key"}})
	b.Ledger = New(Config{DB: pool, Now: b.clock.Now, Log: log, Access: b.access, Rooms: b.rooms, Nodes: b.nodes,
		Timeout: 30 * time.Second, Observe: b.told.add})
	b.patient = 30 * time.Second
	for _, o := range options {
		o(b)
	}
	b.addNodes(t)
	if b.ended != nil {
		b.run(t)
	}
	return b
}

func (b *bench) addNodes(t testing.TB) {
	t.Helper()
	if err := b.nodes.EnsureLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{srsNode: node.KindSRS, nginxNode: node.KindNginxRTMP} {
		_, err := b.nodes.Create(t.Context(), name, node.Settings{Kind: kind, ControlURL: "http://192.0.2.1/stat"})
		if err != nil && errs.KindOf(err) != errs.Conflict { // a second ledger on the same database
			t.Fatal(err)
		}
	}
	if err := b.nodes.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
}

// run starts the ledger until the test ends or calls shutdown.
func (b *bench) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	b.stop, b.ended = cancel, ended
	go func() {
		defer close(ended)
		b.Run(ctx)
	}()
	t.Cleanup(b.shutdown)
}

func (b *bench) shutdown() {
	b.stop()
	<-b.ended
}

// sameClock is an option for another process on the same database.
func (b *bench) sameClock(other *bench) { other.clock, other.Now = b.clock, b.clock.Now }

// nobody owns streams.
type nobody struct{}

func (nobody) StreamOwner(context.Context, string, string) (string, error) { return "", nil }

// verdicts counts what Observe was told.
type verdicts struct {
	mu    sync.Mutex
	count map[media.Reason]int
}

func (v *verdicts) add(_ media.Event, verdict media.Verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.count == nil {
		v.count = map[media.Reason]int{}
	}
	v.count[verdict.Reason]++
}

func (v *verdicts) of(r media.Reason) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.count[r]
}

// must handles an event and returns the reason of its verdict.
func (b *bench) must(t testing.TB, e media.Event) media.Verdict {
	t.Helper()
	v, err := b.Handle(t.Context(), e)
	if err != nil {
		t.Fatalf("%s of %s: %v", e.Action, e.ClientID, err)
	}
	return v
}

func (b *bench) allow(t testing.TB, events ...media.Event) {
	t.Helper()
	for _, e := range events {
		if v := b.must(t, e); !v.Allow {
			t.Fatalf("%s of %s was refused: %s", e.Action, e.ClientID, v.Reason)
		}
	}
}

// insist asks until there is an answer: where an event may take little time, a
// busy machine may need more for one. Who asks again changes nothing.
func (b *bench) insist(t testing.TB, events ...media.Event) {
	t.Helper()
	for _, e := range events {
		eventually(t, string(e.Action)+" of "+e.ClientID+" is answered", func() bool {
			v, err := b.Handle(t.Context(), e)
			if err == nil && !v.Allow {
				t.Fatalf("%s of %s was refused: %s", e.Action, e.ClientID, v.Reason)
			}
			return err == nil
		})
	}
}

func (b *bench) refuse(t testing.TB, e media.Event, want media.Reason) {
	t.Helper()
	if v := b.must(t, e); v.Allow || v.Reason != want {
		t.Fatalf("%s of %s: got %+v, want a refusal: %s", e.Action, e.ClientID, v, want)
	}
}

func (b *bench) room(t testing.TB, mode int) room.Room {
	t.Helper()
	r, err := b.rooms.Create(t.Context(), anchor, room.Input{Title: "a room", Anchor: anchor, Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) wantStatus(t testing.TB, id string, want room.Status) {
	t.Helper()
	r, err := b.rooms.Get(t.Context(), id)
	if err != nil || r.Status != want {
		t.Fatalf("room is in state %d (%v), want %d", r.Status, err, want)
	}
}

// sessions returns all sessions that ever began, oldest first.
func (b *bench) sessions(t testing.TB) []db.Session {
	t.Helper()
	return b.rows(t, "SELECT * FROM sessions WHERE started_at IS NOT NULL ORDER BY id")
}

func (b *bench) open(t testing.TB) []db.Session {
	t.Helper()
	return b.rows(t, "SELECT * FROM sessions WHERE ended_at IS NULL ORDER BY id")
}

func (b *bench) rows(t testing.TB, sql string, args ...any) []db.Session {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.Session])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// lateOp and undoOp are what is put aside.
func lateOp(e media.Event, now time.Time) *op {
	o := about(e, access.Decision{}, now)
	o.late = true
	return o
}

func undoOp(e media.Event, now time.Time) *op {
	o := about(e, access.Decision{}, now)
	o.undo = true
	return o
}

// wantOpen checks which clients have an open session.
func (b *bench) wantOpen(t testing.TB, want ...client) {
	t.Helper()
	open := b.open(t)
	for _, s := range open { // in any order: what is written together has none
		if !slices.ContainsFunc(want, func(c client) bool {
			return s.ClientID == c.id && s.ServerID == c.server && s.Node == c.node && media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream} == c.stream
		}) {
			t.Fatalf("open sessions are %+v, want %+v", open, want)
		}
	}
	if len(open) != len(want) {
		t.Fatalf("open sessions are %+v, want %+v", open, want)
	}
}

func (b *bench) count(t testing.TB, sql string, args ...any) (n int) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits for what another goroutine is about to bring about.
func eventually(t testing.TB, what string, done func() bool) {
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
