package ipchub

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/route"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

const password = "correct horse battery staple"

// bench is the whole dialect on a database of its own.
type bench struct {
	server   dialecttest.Server
	pool     *pgxpool.Pool
	accounts *account.Service
	streams  *fakeStreams
	spec     *spectest.Validator
	clock    *clock

	admin, bob string // access tokens
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{pool: dbtest.Pool(t), streams: &fakeStreams{}, clock: &clock{at: time.Now()}}
	log := dialecttest.NewLog(t)
	var err error
	b.accounts, err = account.New(t.Context(), account.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: log.Logger(),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	b.streams.streams = ledger.New(ledger.Config{DB: b.pool, Now: b.clock.now, Log: log.Logger(), Nodes: noNodes{}, Timeout: time.Second})
	routes := route.New(route.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: log.Logger()})
	rt := httpx.NewRouter()
	(&Server{Accounts: b.accounts, Routes: routes, Streams: b.streams, Kicks: b.streams, Version: "test", Started: b.clock.now(), Now: b.clock.now}).Register(rt)
	srv := httptest.NewServer(httpx.Config{Log: log.Logger(), Now: b.clock.now, Rand: rand.Reader}.Wrap(rt))
	t.Cleanup(srv.Close)
	client := srv.Client()
	b.spec = spectest.New(t)
	client.Transport = b.spec.Transport(client.Transport)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.server = dialecttest.Server{URL: srv.URL, Client: client, Pool: b.pool, Log: log, Secrets: []string{password, "a-camera-secret"}}
	b.admin = b.add(t, account.NewAccount{Username: "admin", Admin: true})
	b.bob = b.add(t, account.NewAccount{Username: "bob", Pull: "/live/+"})
	return b
}

func (b *bench) add(t *testing.T, n account.NewAccount) string {
	t.Helper()
	system := account.System()
	n.Password = password
	if _, err := b.accounts.Register(t.Context(), &system, n); err != nil {
		t.Fatal(err)
	}
	pair, err := b.accounts.LoginPair(t.Context(), n.Username, password, netip.MustParseAddr("192.0.2.7"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Access.Value
}

// noNodes is a ledger's view of no media server at all.
type noNodes struct{}

func (noNodes) Get(string) (media.Node, bool) { return media.Node{}, false }
func (noNodes) Known() []media.Node           { return nil }

// fakeStreams is the ledger, with streams that are told to it in place of those
// of the database, and what it was asked to cut off.
type fakeStreams struct {
	streams
	told   []ledger.LiveStream
	kicked []media.Stream
	cut    []int64
	err    error
	panic  string
}

func (f *fakeStreams) Live(ctx context.Context, filter ledger.LiveFilter) ([]ledger.LiveStream, int64, error) {
	if f.panic != "" {
		panic(f.panic)
	}
	if f.told == nil {
		return f.streams.Live(ctx, filter)
	}
	var page []ledger.LiveStream
	for _, l := range f.told {
		if l.Path() > filter.After && len(page) < filter.Limit {
			page = append(page, l)
		}
	}
	return page, int64(len(f.told)), f.err
}

func (f *fakeStreams) Find(ctx context.Context, path string) (ledger.LiveStream, error) {
	for _, l := range f.told {
		if strings.EqualFold(l.Path(), path) {
			return l, nil
		}
	}
	return f.streams.Find(ctx, path)
}

func (f *fakeStreams) ConsumersOf(context.Context, []media.Stream, int) (map[media.Stream][]ledger.Session, error) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	return map[media.Stream][]ledger.Session{stream("door1"): {
		{ID: 9, Protocol: "rtmp", Address: "192.0.2.9", StartedAt: at, BytesOut: 4096},
		{ID: 7, Protocol: "http-flv", Address: "192.0.2.7", StartedAt: at},
		{ID: 8, Protocol: "webrtc", Address: "192.0.2.8", StartedAt: at}}}, f.err
}

func (f *fakeStreams) KickStream(_ context.Context, st media.Stream) (int, error) {
	f.kicked = append(f.kicked, st)
	return 1, f.err
}

func (f *fakeStreams) KickSession(_ context.Context, _ media.Stream, id int64) (bool, error) {
	f.cut = append(f.cut, id)
	return false, f.err
}

func stream(name string) media.Stream {
	return media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name}
}

// onAir is a stream that is being published.
func onAir(app, name string) ledger.LiveStream {
	st := stream(name)
	st.App = app
	return ledger.LiveStream{LiveStream: media.LiveStream{Stream: st, BytesIn: 2048, Video: media.Video{Codec: "H264", Width: 1280}},
		Publisher: ledger.Session{Address: "192.0.2.3"}, StartedAt: time.Date(2026, 5, 1, 12, 0, 0, 1, time.UTC)}
}

// ask makes a request with the token in the query.
func ask(method, path, token, body string) dialecttest.Request {
	if token != "" {
		glue := "?"
		if strings.Contains(path, "?") {
			glue = "&"
		}
		path += glue + "token=" + token
	}
	return dialecttest.Request{Method: method, Path: path, Body: body}
}

// bad makes a request that breaks the spec. A path that only a slash tells from
// one of the spec's goes past the validator, which does not see the difference.
func (b *bench) bad(t *testing.T, r dialecttest.Request) dialecttest.Answer {
	t.Helper()
	server := b.server
	if p, _, _ := strings.Cut(r.Path, "?"); strings.HasSuffix(p, "/") {
		server.Client = nil
	}
	return dialecttest.Send(t, server, r)
}

// good makes a request that follows the spec and succeeds.
func (b *bench) good(t *testing.T, r dialecttest.Request) dialecttest.Answer {
	t.Helper()
	if r.Body != "" {
		r.Header = map[string]string{"Content-Type": jsonType}
	}
	a := dialecttest.SendContext(t.Context(), t, b.server, r)
	if a.Status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", r.Method, r.Path, a.Status, a.Body)
	}
	return a
}

func decode(t *testing.T, a dialecttest.Answer) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}
	return v
}

// checkRefusal fails the test unless the answer is one line of text.
func checkRefusal(t *testing.T, a dialecttest.Answer) {
	t.Helper()
	if a.Header.Get("Content-Type") != textType || a.Header.Get("X-Content-Type-Options") != "nosniff" ||
		strings.Count(string(a.Body), "\n") != 1 || !strings.HasSuffix(string(a.Body), "\n") {
		t.Errorf("not a refusal: %v %q", a.Header, a.Body)
	}
}

var errCannot = errs.New(errs.Conflict, "cannot_kick", "the media server cannot be told")
