package account

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

const goodPassword = "correct horse 电池 staple"

// bundle is one Service on a database of its own, with everything around it in
// the hands of the test.
type bundle struct {
	*Service
	pool   *pgxpool.Pool
	db     *spyDB
	clock  *clock
	hashes *atomic.Int64
	config Config
}

func setup(t testing.TB, options ...func(*Config)) *bundle {
	t.Helper()
	return setupOn(t, dbtest.Pool(t), newClock(), options...)
}

// another returns a second process on the same database.
func (b *bundle) another(t testing.TB, options ...func(*Config)) *bundle {
	t.Helper()
	return setupOn(t, b.pool, b.clock, options...)
}

func setupOn(t testing.TB, pool *pgxpool.Pool, c *clock, options ...func(*Config)) *bundle {
	t.Helper()
	spy := &spyDB{DB: pool}
	config := Config{DB: spy, Box: dbtest.Box(), Now: c.now, Log: dbtest.Log(t), Params: cheapParams()}
	for _, option := range options {
		option(&config)
	}
	s, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{Service: s, pool: pool, db: spy, clock: c, hashes: new(atomic.Int64), config: config}
	s.passwords.onHash = func() { b.hashes.Add(1) }
	return b
}

func cheapParams() *argon2id.Params {
	return &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

func openRegistration(c *Config) { c.OpenRegistration = true }

// create makes an account with goodPassword.
func (b *bundle) create(t testing.TB, username string, change ...func(*NewAccount)) Account {
	t.Helper()
	n := NewAccount{Username: username, Password: goodPassword}
	for _, f := range change {
		f(&n)
	}
	system := System()
	a, err := b.Register(t.Context(), &system, n)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func asAdmin(n *NewAccount) { n.Admin = true }

func (b *bundle) login(t testing.TB, username string) Token {
	t.Helper()
	token, err := b.Login(t.Context(), username, goodPassword, home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (b *bundle) authenticate(t testing.TB, token Token) Principal {
	t.Helper()
	p, err := b.Authenticate(t.Context(), token.Value)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *bundle) update(t testing.TB, username string, ch Changes) Account {
	t.Helper()
	a, err := b.Update(t.Context(), System(), username, ch)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *bundle) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) count(t testing.TB, sql string, args ...any) (n int) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// mint signs what Login would, after change has had its way with it.
func (b *bundle) mint(t testing.TB, username string, change func(*jwt.Token, *claims)) string {
	t.Helper()
	row, ok, err := b.find(t.Context(), username)
	if err != nil || !ok {
		t.Fatalf("find %s: %v", username, err)
	}
	now := b.clock.now()
	c := &claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: defaultIssuer, Subject: row.Username, Audience: jwt.ClaimStrings{audience}, ID: "minted-in-a-test",
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		},
		Generation: row.TokensNotBefore.UnixMicro(),
	}
	key := b.keys.Load().signing
	token := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	token.Header["kid"] = key.kid
	change(token, c)
	value, err := token.SignedString(key.private)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// follow has the Service follow the database until the test ends.
func (b *bundle) follow(t testing.TB) *dbtest.Following {
	t.Helper()
	return dbtest.Follow(t, b.pool, b.Service)
}

func home() netip.Addr      { return netip.MustParseAddr("192.0.2.1") }
func elsewhere() netip.Addr { return netip.MustParseAddr("198.51.100.7") }

// clock stands still until told otherwise. It starts in the middle of a second.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock {
	return &clock{t: time.Date(2030, 5, 17, 12, 0, 0, 400_000_000, time.UTC)}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// spyDB counts statements, and fails them while down.
type spyDB struct {
	pg.DB
	statements atomic.Int64
	down       atomic.Bool
}

var errDown = &pgconn.PgError{Code: "57P01", Message: "terminating connection due to administrator command"}

func (d *spyDB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	d.statements.Add(1)
	if d.down.Load() {
		return nil, errDown
	}
	return d.DB.Query(ctx, sql, args...)
}

func (d *spyDB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	d.statements.Add(1)
	if d.down.Load() {
		return failedRow{}
	}
	return d.DB.QueryRow(ctx, sql, args...)
}

func (d *spyDB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	d.statements.Add(1)
	if d.down.Load() {
		return pgconn.CommandTag{}, errDown
	}
	return d.DB.Exec(ctx, sql, args...)
}

func (d *spyDB) Begin(ctx context.Context) (pgx.Tx, error) {
	d.statements.Add(1)
	if d.down.Load() {
		return nil, errDown
	}
	return d.DB.Begin(ctx)
}

type failedRow struct{}

func (failedRow) Scan(...any) error { return errDown }

// wantErr checks kind and reason, and that the error is of the type that doors
// can translate.
func wantErr(t testing.TB, err error, kind errs.Kind, reason string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want %s %s", err, kind, reason)
	}
	if e.Kind != kind || e.Reason != reason {
		t.Fatalf("got %s %s (%v), want %s %s", e.Kind, e.Reason, err, kind, reason)
	}
}

func wantField(t testing.TB, err error, kind errs.Kind, reason, field string) {
	t.Helper()
	wantErr(t, err, kind, reason)
	if got := errs.As(err).Field; got != field {
		t.Fatalf("got field %q, want %q", got, field)
	}
}

func ptr[T any](v T) *T { return &v }
