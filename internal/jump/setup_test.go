package jump

import (
	"crypto/rand"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

const password = "correct horse battery staple"

// bundle is one process on a database in which alice has a room.
type bundle struct {
	*Service
	pool     *pgxpool.Pool
	nanos    *atomic.Int64
	accounts *account.Service
	room     string
	tokens   map[string]string // of logins
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{pool: dbtest.Pool(t), nanos: &atomic.Int64{}}
	b.nanos.Store(time.Unix(1_700_000_000, 0).UnixNano())
	b.build(t)
	system := account.System()
	b.tokens = map[string]string{}
	for _, name := range []string{"alice", "bob"} {
		if _, err := b.accounts.Register(t.Context(), &system, account.NewAccount{Username: name, Password: password}); err != nil {
			t.Fatal(err)
		}
		token, err := b.accounts.Login(t.Context(), name, password, netip.MustParseAddr("192.0.2.1"), 0)
		if err != nil {
			t.Fatal(err)
		}
		b.tokens[name] = token.Value
	}
	r, err := b.Rooms.(*room.Service).Create(t.Context(), "alice", room.Input{Title: "Evening show", Anchor: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	b.room = r.ID
	return b
}

// as is somebody who has logged in.
func (b *bundle) as(t *testing.T, name string) account.Principal {
	t.Helper()
	p, err := b.accounts.Authenticate(t.Context(), b.tokens[name])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// another is a second process on the same database.
func (b *bundle) another(t *testing.T) *bundle {
	t.Helper()
	other := &bundle{pool: b.pool, nanos: b.nanos, room: b.room}
	other.build(t)
	return other
}

func (b *bundle) build(t *testing.T) {
	t.Helper()
	var err error
	b.accounts, err = account.New(t.Context(), account.Config{DB: b.pool, Box: dbtest.Box(), Now: b.now, Log: dbtest.Log(t),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	signer := access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.now, Rand: rand.Reader, Log: dbtest.Log(t)})
	groups := &builtin.Provider{AppID: "a", AppKey: "k", AppSign: "s", Now: b.now, Rand: rand.Reader}
	rooms := room.New(room.Config{DB: b.pool, Now: b.now, Rand: rand.Reader, Log: dbtest.Log(t), Signer: signer,
		Groups: im.Families{Old: groups, New: groups}, Links: room.LinkConfig{App: "live"}})
	b.Service, err = New(Config{DB: b.pool, Now: b.now, Rand: rand.Reader, Key: []byte(vectorKey), Accounts: b.accounts, Rooms: rooms,
		Server: func() string { return server }})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) now() time.Time { return time.Unix(0, b.nanos.Load()) }

func (b *bundle) advance(d time.Duration) { b.nanos.Add(int64(d)) }

func (b *bundle) update(t *testing.T, ch account.Changes) {
	t.Helper()
	b.advance(time.Second)
	if _, err := b.accounts.Update(t.Context(), account.System(), "alice", ch); err != nil {
		t.Fatal(err)
	}
}
