package room

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

var start = time.Unix(1_700_000_000, 0)

const (
	rtcAppID  = "7c61616e-480b-4de6-b3fc-95cef48f5b53"
	rtcAppKey = "rtcappkey0123456789"
)

// bundle is one Service on a database of its own, with everything around it in
// the hands of the test.
type bundle struct {
	*Service
	pool   *pgxpool.Pool
	clock  *clock
	groups *groups
	signer *signs
}

func setup(t testing.TB) *bundle {
	t.Helper()
	return setupOn(t, dbtest.Pool(t))
}

func setupOn(t testing.TB, pool *pgxpool.Pool) *bundle {
	b := &bundle{pool: pool, clock: &clock{at: start}, groups: &groups{}, signer: &signs{}}
	b.Service = New(Config{DB: pool, Now: b.clock.now, Rand: rand.Reader, Log: dbtest.Log(t), Groups: im.Families{Old: b.groups, New: b.groups}, Signer: b.signer, Nodes: files{},
		Links: LinkConfig{PushDomain: "Push.Example:1935", PullDomain: "pull.example", HTTPPullDomain: "web.example:8443", App: "live", HTTPScheme: "https",
			RTS: true, TTL: time.Hour, RTCAppID: rtcAppID, RTCAppKey: rtcAppKey}})
	return b
}

// create makes a room of alice.
func (b *bundle) create(t testing.TB, change ...func(*Input)) Room {
	t.Helper()
	in := Input{Title: "a title", Anchor: "alice"}
	for _, c := range change {
		c(&in)
	}
	r, err := b.Create(t.Context(), in.Anchor, in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func linked(in *Input) { in.Mode = ModeLink }

func (b *bundle) get(t testing.TB, id string) Room {
	t.Helper()
	r, err := b.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bundle) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// tx runs fn in a transaction as the ledger does.
func (b *bundle) tx(t testing.TB, fn func(tx pgx.Tx) error) {
	t.Helper()
	if err := pg.InTx(t.Context(), b.pool, fn); err != nil {
		t.Fatal(err)
	}
}

// published is what the ledger does when a stream is published.
func (b *bundle) published(t testing.TB, st media.Stream) (ended bool) {
	t.Helper()
	b.tx(t, func(tx pgx.Tx) error {
		id, closed, err := b.Lock(t.Context(), tx, st)
		if ended = closed; err != nil || id == "" || closed {
			return err
		}
		return b.WentLive(t.Context(), tx, id, b.clock.now())
	})
	return ended
}

// unpublished is what the ledger does when nobody publishes a stream any more.
func (b *bundle) unpublished(t testing.TB, st media.Stream) {
	t.Helper()
	b.tx(t, func(tx pgx.Tx) error {
		id, _, err := b.Lock(t.Context(), tx, st)
		if err != nil || id == "" {
			return err
		}
		return b.LeftAir(t.Context(), tx, id, b.clock.now())
	})
}

func (r Room) own() media.Stream { return media.Stream{App: r.App, Name: r.ID} }

// wantErr fails unless err has this kind and reason.
func wantErr(t testing.TB, err error, kind errs.Kind, reason string) {
	t.Helper()
	if e := errs.As(err); err == nil || e.Kind != kind || e.Reason != reason {
		t.Errorf("error %v, want %s %s", err, kind, reason)
	}
}

// groups is a provider that remembers what it was asked.
type groups struct {
	im.Old
	im.New
	mu      sync.Mutex
	created []string
	deleted []string
	// answer is asked for the group's id, if set; onDelete may fail a deletion.
	answer   func(creator, id string) (string, error)
	onDelete func(ctx context.Context) error
}

func (g *groups) CreateGroup(_ context.Context, creator, id string) (string, error) {
	if g.answer != nil {
		var err error
		if id, err = g.answer(creator, id); err != nil {
			return "", err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if id != "" {
		g.created = append(g.created, id)
	}
	return id, nil
}

func (g *groups) DeleteGroup(ctx context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deleted = append(g.deleted, id)
	if g.onDelete != nil {
		return g.onDelete(ctx)
	}
	return ctx.Err()
}

// muter is a provider that silences groups itself.
type muter struct {
	*groups
	calls  []string // "id creator true"
	broken bool
}

func (m *muter) MuteGroup(_ context.Context, id, creator string, muted bool) error {
	m.calls = append(m.calls, fmt.Sprintf("%s %s %t", id, creator, muted))
	if m.broken {
		return errBroken
	}
	return nil
}

// left lists the groups that are there.
func (g *groups) left() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.created), func(id string) bool { return slices.Contains(g.deleted, id) })
}

// signs writes down what a URL was signed for, in place of a signature.
type signs struct {
	mu     sync.Mutex
	closed []string
	off    bool
}

func (s *signs) SignURL(l media.Link, expires time.Time) string {
	if s.off {
		return l.Base + l.Path()
	}
	return fmt.Sprintf("%s%s?%s@%s-%s-%d", l.Base, l.Path(), l.Scene, l.RuleHost(), l.Ext, expires.Sub(start)/time.Minute)
}

func (s *signs) RoomClosed(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, id)
}

// files serves the recordings of every node but "silent".
type files struct{}

func (files) RecordURL(node, file string) string {
	if node == "silent" {
		return ""
	}
	return "https://" + node + ".example/" + file
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

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

var errBroken = errors.New("broken")
