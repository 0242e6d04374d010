package volcengine

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/evict"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

const (
	pushHost = "push.example.com"
	pullHost = "pull.example.com"
	password = "correct horse battery staple"
)

// credentials are an access key with its secret.
type credentials struct{ id, secret, token string }

// bench is the dialect over real services on a database of its own.
type bench struct {
	server   dialecttest.Server
	app      *Server
	pool     *pgxpool.Pool
	clock    *clock
	accounts *account.Service
	access   *access.Service
	ledger   *ledger.Ledger
	kicks    *evict.Service
	spec     *spectest.Validator
	admin    credentials
	alice    credentials // no administrator
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
	b.access = access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader, Log: log.Logger(), App: "live",
		PublishHost: pushHost, PlayHost: pullHost, Policy: access.DenyByDefault})
	if err := b.access.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.startLedger(t, log)
	b.app = &Server{Accounts: b.accounts, Rules: b.access, Bans: b.access, Streams: b.ledger, Kicks: b.kicks, Now: b.clock.now, Log: log.Logger(),
		Links: Links{PushDomain: pushHost + ":1936", PullDomain: pullHost, HTTPPullDomain: pullHost + ":8443", HTTPScheme: "https"}}
	rt := httpx.NewRouter()
	rt.HandleFunc("GET /broken", func(http.ResponseWriter, *http.Request) {})
	b.app.Register(rt)
	srv := httptest.NewServer(httpx.Config{Log: log.Logger(), Now: b.clock.now, Rand: rand.Reader}.Wrap(rt))
	t.Cleanup(srv.Close)
	b.spec = spectest.New(t)
	client := srv.Client()
	client.Transport = b.spec.Transport(client.Transport)
	b.server = dialecttest.Server{URL: srv.URL, Client: client, Pool: b.pool, Log: log}
	b.admin, b.alice = b.addKey(t, "admin", true), b.addKey(t, "alice", false)
	b.server.Secrets = []string{password, b.admin.secret, b.alice.secret, "A1B2C3d4e5f6"}
	return b
}

// startLedger runs a ledger.
func (b *bench) startLedger(t *testing.T, log *dialecttest.Log) {
	t.Helper()
	nodes := node.New(node.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader})
	if err := nodes.EnsureLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := nodes.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
	rooms := room.New(room.Config{DB: b.pool, Now: b.clock.now, Rand: rand.Reader, Log: log.Logger(), Groups: im.Families{}, Signer: b.access, Nodes: nodes})
	b.ledger = ledger.New(ledger.Config{DB: b.pool, Now: b.clock.now, Log: log.Logger(), Access: b.access, Rooms: rooms, Nodes: nodes, Timeout: 5 * time.Second})
	b.kicks = evict.New(evict.Config{DB: b.pool, Now: b.clock.now, Jitter: func() float64 { return 1 }, Log: log.Logger(), Nodes: nodes, Ledger: b.ledger,
		Accounts: b.accounts, Bans: b.access})
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.ledger.Run(t.Context())
	}()
	t.Cleanup(func() { <-done })
}

// addKey makes an account and an access key of it.
func (b *bench) addKey(t *testing.T, username string, admin bool) credentials {
	t.Helper()
	system := account.System()
	if _, err := b.accounts.Register(t.Context(), &system, account.NewAccount{Username: username, Password: password, Admin: admin}); err != nil {
		t.Fatal(err)
	}
	key, secret, err := b.accounts.CreateAccessKey(t.Context(), system, username, "")
	if err != nil {
		t.Fatal(err)
	}
	return credentials{id: key.ID, secret: secret}
}

// event is a client that a media server asks about.
func (b *bench) event(action media.Action, st media.Stream, host, query string) media.Event {
	return media.Event{Action: action, Node: "local", ServerID: "s1", ClientID: "client-" + st.Name, Stream: st, Address: "192.0.2.7", Protocol: "rtmp",
		Host: host, Query: query}
}

// publish lets a client publish with a URL of ours, on a server that reports
// this vhost, and returns the verdict.
func (b *bench) publish(t *testing.T, vhost, rawURL string) media.Verdict {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	app, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	v, err := b.ledger.Handle(t.Context(), b.event(media.Publishing, media.Stream{Vhost: vhost, App: app, Name: name}, u.Hostname(), u.RawQuery))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// unpublish ends what publish began.
func (b *bench) unpublish(t *testing.T, st media.Stream) {
	t.Helper()
	if _, err := b.ledger.Handle(t.Context(), b.event(media.Unpublished, st, "", "")); err != nil {
		t.Fatal(err)
	}
}

// request is one call of an action before it is signed.
type request struct {
	action, version string
	method          string // "" is POST, or GET for those that are queries
	more            url.Values
	body            string
	presigned       bool
}

func post2020(action, body string) request {
	return request{action: action, version: version2020, body: body}
}

func post2023(action, body string) request {
	return request{action: action, version: version2023, body: body}
}

// ask is a GET with parameters in pairs.
func ask(action, version string, pairs ...string) request {
	r := request{action: action, version: version, method: http.MethodGet, more: url.Values{}}
	for i := 0; i < len(pairs); i += 2 {
		r.more.Set(pairs[i], pairs[i+1])
	}
	return r
}

// signed signs a request as the SDKs do.
func (b *bench) signed(by credentials, r request) dialecttest.Request {
	q := url.Values{"Action": {r.action}, "Version": {r.version}}
	for name, v := range r.more {
		q[name] = v
	}
	if r.method == "" {
		r.method = http.MethodPost
	}
	date := b.clock.now().UTC().Format("20060102T150405Z")
	scope := date[:8] + "/cn-north-1/live/request"
	host := strings.TrimPrefix(b.server.URL, "http://")
	out := dialecttest.Request{Method: r.method, Body: r.body, Header: map[string]string{}}
	if r.presigned {
		q.Set("X-Algorithm", "HMAC-SHA256")
		q.Set("X-Credential", by.id+"/"+scope)
		q.Set("X-Date", date)
		q.Set("X-NotSignBody", "")
		q.Set("X-SignedHeaders", "host")
		q.Set("X-SignedQueries", "")
		q.Set("X-SignedQueries", strings.Join(sortedNames(q), ";"))
		q.Set("X-Signature", signatureOf(by.secret, date, scope, r.method+"\n/\n"+canonical(q)+"\nhost:"+host+"\n\nhost\n"+sum("")))
		out.Path = "/?" + q.Encode()
		return out
	}
	names, lines := "content-type;host;x-content-sha256;x-date", "content-type:application/json\nhost:"+host+"\nx-content-sha256:"+sum(r.body)+"\nx-date:"+date+"\n"
	if by.token != "" {
		names, lines = names+";x-security-token", lines+"x-security-token:"+by.token+"\n"
		out.Header["X-Security-Token"] = by.token
	}
	out.Path = "/?" + q.Encode()
	out.Header["Content-Type"], out.Header["X-Content-Sha256"], out.Header["X-Date"] = "application/json", sum(r.body), date
	out.Header["Authorization"] = "HMAC-SHA256 Credential=" + by.id + "/" + scope + ", SignedHeaders=" + names + ", Signature=" +
		signatureOf(by.secret, date, scope, r.method+"\n/\n"+canonical(q)+"\n"+lines+"\n"+names+"\n"+sum(r.body))
	return out
}

func sortedNames(q url.Values) []string {
	var names []string
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func canonical(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

func signatureOf(secret, date, scope, canonicalRequest string) string {
	key := []byte(secret)
	for _, part := range append(strings.Split(scope, "/"), "HMAC-SHA256\n"+date+"\n"+scope+"\n"+sum(canonicalRequest)) {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// call sends a request of the administrator that the spec knows.
func (b *bench) call(t *testing.T, r request) reply {
	t.Helper()
	return reply{dialecttest.SendContext(t.Context(), t, b.server, b.signed(b.admin, r))}
}

// bad sends a request that may break the spec.
func (b *bench) bad(t *testing.T, r request) reply {
	t.Helper()
	return b.send(t, b.signed(b.admin, r))
}

func (b *bench) send(t *testing.T, r dialecttest.Request) reply {
	t.Helper()
	return reply{dialecttest.Send(t, b.server, r)}
}

type reply struct{ dialecttest.Answer }

// fails demands a refusal with this code.
func (r reply) fails(t *testing.T, status int, code gen.VolcengineErrorCode) gen.VolcengineError {
	t.Helper()
	var f gen.VolcengineFailure
	if err := json.Unmarshal(r.Body, &f); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	e := f.ResponseMetadata.Error
	if r.Status != status || e.Code != code || e.CodeN == 0 || e.Message == "" {
		t.Fatalf("got %d %s\nwant %d %s", r.Status, r.Body, status, code)
	}
	return e
}

// done demands success without output.
func (r reply) done(t *testing.T) {
	t.Helper()
	if r.Status != http.StatusOK || strings.Contains(string(r.Body), `"Result"`) || strings.Contains(string(r.Body), `"Error"`) {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
}

// result demands success and returns the output.
func result[T any](t *testing.T, r reply) T {
	t.Helper()
	var v struct{ Result *T }
	if err := json.Unmarshal(r.Body, &v); err != nil || r.Status != http.StatusOK || v.Result == nil {
		t.Fatalf("%d %s %v", r.Status, r.Body, err)
	}
	return *v.Result
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
