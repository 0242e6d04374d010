package access

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

var start = time.Unix(1_700_000_000, 0)

// bundle is one Service with everything around it in the hands of the test.
type bundle struct {
	*Service
	pool   *pgxpool.Pool
	spy    *spyDB
	clock  *clock
	owners owners
}

// pure returns a Service without a database, for what is decided in memory.
func pure(t testing.TB) *bundle {
	return setupOn(t, nil)
}

// setup returns a Service on a database of its own.
func setup(t testing.TB) *bundle {
	t.Helper()
	return setupOn(t, dbtest.Pool(t))
}

// another returns a second process on the same database, whose view is empty.
func (b *bundle) another(t testing.TB) *bundle {
	t.Helper()
	return setupOn(t, b.pool)
}

func setupOn(t testing.TB, pool *pgxpool.Pool) *bundle {
	b := &bundle{pool: pool, spy: &spyDB{DB: pool}, clock: &clock{at: start}, owners: owners{}}
	b.Service = New(Config{DB: b.spy, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader, Log: dbtest.Log(t), Owners: b.owners,
		App: "live", PublishHost: "push.example", PlayHost: "pull.example", Policy: DenyByDefault})
	return b
}

// account makes an account of this permission level.
func (b *bundle) account(t testing.TB, name string, level int) Owner {
	t.Helper()
	o := Owner{Username: name, Level: level}
	err := b.pool.QueryRow(t.Context(), `INSERT INTO accounts (username, password_hash, permission_level, tokens_not_before, created_at, updated_at)
		VALUES ($1, '', $2, now(), now(), now()) RETURNING id`, name, level).Scan(&o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (b *bundle) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) rule(t testing.TB, n NewRule) Rule {
	t.Helper()
	r, err := b.CreateRule(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bundle) token(t testing.TB, o Owner, stream string) LiveToken {
	t.Helper()
	lt, err := b.CreateToken(t.Context(), o, stream, 0)
	if err != nil {
		t.Fatal(err)
	}
	return lt
}

func (b *bundle) ask(t testing.TB, e media.Event) Decision {
	t.Helper()
	return b.Decide(t.Context(), b.clock.now(), e)
}

// reason fails the test unless the answer is this one; Allowed and OpenPolicy
// admit, everything else refuses.
func (b *bundle) reason(t testing.TB, e media.Event, want media.Reason) {
	t.Helper()
	d := b.ask(t, e)
	if d.Reason != want || d.Allow != (want == media.Allowed || want == media.OpenPolicy) {
		t.Errorf("%s %s?%s: allowed %v, %s; want %s", e.Action, e.Stream, e.Query, d.Allow, d.Reason, want)
	}
}

// putRule puts a rule into memory. Every key is sealed as the database has it.
func (b *bundle) putRule(t testing.TB, row db.AuthRule, keys ...db.SigningKey) {
	t.Helper()
	if row.Scheme == "" {
		row.Scheme = DefaultScheme
	}
	for i := range keys {
		keys[i].RuleID = row.ID
		keys[i].SecretSealed = b.Box.Seal(keys[i].SecretSealed, keyPurpose(row.ID, keys[i].Kid))
	}
	r, err := b.compile(row, keys)
	if err != nil {
		t.Fatal(err)
	}
	b.view.rules.put(r)
}

func key(id int64, kid, secret string, state KeyState) db.SigningKey {
	return db.SigningKey{ID: id, Kid: kid, SecretSealed: []byte(secret), State: string(state)}
}

// putToken puts a pair of secrets for live/x into memory.
func (b *bundle) putToken(id int64, publish, play string, revoked bool) {
	row := db.LiveTokenAccess{ID: id, App: "live", Stream: "x", Username: "alice"}
	p, v := hashToken(publish), hashToken(play)
	row.TokenHash, row.PlayHash = p[:], v[:]
	if revoked {
		row.RevokedAt = &start
	}
	b.view.tokens.put(row, false)
}

// SignQuery is the query of a URL that SignURL makes.
func (b *bundle) SignQuery(scene media.Scene, host string, st media.Stream, path string, expires time.Time) string {
	_, query, _ := strings.Cut(b.SignURL(link(scene, host, st, path), expires), "?")
	return query
}

func link(scene media.Scene, host string, st media.Stream, path string) media.Link {
	return media.Link{Scene: scene, Stream: st, Base: "rtmp://" + host, Ext: strings.TrimPrefix(path, st.Path())}
}

func publish(name, query string) media.Event { return event(media.Publishing, name, query) }
func play(name, query string) media.Event    { return event(media.Playing, name, query) }

func event(a media.Action, name, query string) media.Event {
	return media.Event{Action: a, Node: "local", ClientID: "c1", Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name},
		Address: "192.0.2.7", Query: query}
}

func stream(name string) media.Stream { return media.Stream{App: "live", Name: name} }

// wantErr fails unless err has this kind and reason.
func wantErr(t testing.TB, err error, kind errs.Kind, reason string) {
	t.Helper()
	if e := errs.As(err); err == nil || e.Kind != kind || e.Reason != reason {
		t.Errorf("error %v, want %s %s", err, kind, reason)
	}
}

// owners says whose room a stream is, by "app/stream".
type owners map[string]string

var errOwnersDown = errors.New("owners are down")

func (o owners) StreamOwner(_ context.Context, app, stream string) (string, error) {
	if stream == "broken" {
		return "", errOwnersDown
	}
	return o[app+"/"+stream], nil
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

// spyDB counts statements and can be switched off.
type spyDB struct {
	pg.DB
	statements atomic.Int64
	down       atomic.Bool
}

var errDown = &pgconn.ConnectError{}

func (s *spyDB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.statements.Add(1)
	if s.down.Load() {
		return nil, errDown
	}
	return s.DB.Query(ctx, sql, args...)
}

func (s *spyDB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	s.statements.Add(1)
	if s.down.Load() {
		return lostRow{}
	}
	return s.DB.QueryRow(ctx, sql, args...)
}

type lostRow struct{}

func (lostRow) Scan(...any) error { return errDown }

func (s *spyDB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	s.statements.Add(1)
	if s.down.Load() {
		return pgconn.CommandTag{}, errDown
	}
	return s.DB.Exec(ctx, sql, args...)
}

// destroy destroys a pair of which nobody need be cut off.
func destroy(t testing.TB, s interface {
	DestroyToken(context.Context, Owner, string) (Credential, error)
}, o Owner, token string) error {
	t.Helper()
	_, err := s.DestroyToken(t.Context(), o, token)
	return err
}
