package callback_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/callback"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/nms"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// stage is the callbacks in front of everything real: they decide and record.
type stage struct {
	server dialecttest.Server
	pool   *pgxpool.Pool
	log    *dialecttest.Log
	clock  *clock
	nodes  *node.Service
	access *access.Service
	ledger *ledger.Ledger

	owner  access.Owner
	secret string // of the node edge
	old    string // the one that it had before
	token  string // opens the doors of live/room1
	broken bool   // whether the next callback finds a bug
}

func setStage(t *testing.T) *stage {
	t.Helper()
	b := &stage{pool: dbtest.Pool(t), log: dialecttest.NewLog(t), clock: &clock{now: time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)}}
	b.addServices(t)
	var err error
	if b.old, err = b.nodes.Create(t.Context(), "edge", node.Settings{Kind: node.KindSRS}); err != nil {
		t.Fatal(err)
	}
	if b.secret, err = b.nodes.RotateSecret(t.Context(), "edge"); err != nil {
		t.Fatal(err)
	}
	if err := b.access.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.addOwner(t)
	b.token = b.createToken(t, "room1")
	b.serveCallbacks(t)
	return b
}

func (b *stage) addServices(t *testing.T) {
	t.Helper()
	log := b.log.Logger()
	b.nodes = node.New(node.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.Now, Rand: rand.Reader})
	b.access = access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.Now, Rand: rand.Reader, Log: log, Owners: nobody{},
		App: "live", PublishHost: "push.example.com", PlayHost: "pull.example.com", Policy: access.DenyByDefault})
	rooms := room.New(room.Config{DB: b.pool, Now: b.clock.Now, Rand: rand.Reader, Log: log, Groups: im.Families{}, Signer: b.access, Nodes: b.nodes})
	b.ledger = ledger.New(ledger.Config{DB: b.pool, Now: b.clock.Now, Log: log, Access: b.access, Rooms: rooms, Nodes: b.nodes, Timeout: 20 * time.Second})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); b.ledger.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

func (b *stage) serveCallbacks(t *testing.T) {
	t.Helper()
	log := b.log.Logger()
	rt := httpx.NewRouter()
	callback.Config{Nodes: b.nodes, SRS: srs.Hooks{Ledger: b, Log: log}, NginxRTMP: nginxrtmp.Hooks{Ledger: b, Log: log},
		NMS:      nms.Hooks{Ledger: b, Log: log},
		MediaMTX: mediamtx.NewHooks(b, log, b.clock.Now)}.Register(rt)
	(&liveauth.Server{}).Register(rt) // answers for the paths that do not exist
	srv := httptest.NewServer(httpx.Config{Log: log, Now: b.clock.Now, Rand: rand.Reader}.Wrap(rt))
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Transport = spectest.New(t).Transport(client.Transport)
	b.server = dialecttest.Server{URL: srv.URL, Client: client, Pool: b.pool, Log: b.log, Secrets: []string{b.secret, b.old, b.token}}
}

// Handle is the ledger's, until it is broken.
func (b *stage) Handle(ctx context.Context, e media.Event) (media.Verdict, error) {
	if b.broken {
		panic("nil pointer in /srv/stagedoor with " + e.ClientID)
	}
	return b.ledger.Handle(ctx, e)
}

// addOwner makes the account that all tokens are of.
func (b *stage) addOwner(t *testing.T) {
	t.Helper()
	accounts, err := account.New(t.Context(), account.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.Now, Log: b.log.Logger(),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	system := account.System()
	a, err := accounts.Register(t.Context(), &system, account.NewAccount{Username: "alice", Password: "correct horse battery staple"})
	if err != nil {
		t.Fatal(err)
	}
	b.owner = access.Owner{ID: a.ID, Username: a.Username}
}

func (b *stage) createToken(t *testing.T, stream string) string {
	t.Helper()
	created, err := b.access.CreateToken(t.Context(), b.owner, stream, 0)
	if err != nil {
		t.Fatal(err)
	}
	return created.Token
}

// srs, nginx and nms ask for live/room1 with a query of the client, as edge.
func (b *stage) srs(query string) dialecttest.Request {
	return dialecttest.JSON("/callback/on_publish?secret="+b.secret, "", strings.ReplaceAll(publishJSON, "?token=client-secret", "?"+query))
}

func (b *stage) nginx(query string) dialecttest.Request {
	return dialecttest.Form("/callback/nginx-rtmp?secret="+b.secret, "", strings.ReplaceAll(publishForm, "token=client-secret", query))
}

// nms asks before the fact: who runs already is on record although refused.
func (b *stage) nms(query string) dialecttest.Request {
	values, _ := url.ParseQuery(query) // what cannot be read, the server leaves out
	members, _ := json.Marshal(values)
	body := strings.NewReplacer(`{"token":"client-secret"}`, string(members), "postPublish", "prePublish").Replace(publishNMS)
	r := dialecttest.JSON("/callback/node-media-server?secret="+b.secret, "", body)
	r.Header["Content-Type"] = "text/plain;charset=UTF-8"
	return r
}

func (b *stage) mediaMTX(query string) dialecttest.Request {
	body, _ := json.Marshal(map[string]any{"ip": "192.0.2.7", "user": "", "password": "", "token": "", "action": "publish", "path": "live/room1",
		"protocol": "rtsp", "id": "442ced48-60fe-4a65-8410-a771b25eb076", "query": query, "userAgent": "x"})
	return dialecttest.JSON("/callback/mediamtx?secret="+b.secret, "", string(body))
}

// nobody owns no stream but those of tokens.
type nobody struct{}

func (nobody) StreamOwner(context.Context, string, string) (string, error) { return "", nil }

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { return c.advance(0) }

func (c *clock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

type refused = dialecttest.Case[*stage]

// unshown is how MediaMTX is told that its client may have more to show.
func unshown(reason media.Reason) int {
	if reason == media.NoCredential {
		return 401
	}
	return 403
}

// both is a case of each media server whose client brings this query.
func both(fault dialecttest.Fault, name string, reason media.Reason, query func(t *testing.T, b *stage) string) []refused {
	return []refused{
		{Fault: fault, Name: "SRS: " + name, Status: 403, Reason: string(reason), Request: func(t *testing.T, b *stage) dialecttest.Request { return b.srs(query(t, b)) }},
		{Fault: fault, Name: "nginx-rtmp: " + name, Status: 403, Reason: string(reason), Request: func(t *testing.T, b *stage) dialecttest.Request { return b.nginx(query(t, b)) }},
		{Fault: fault, Name: "NMS: " + name, Status: 403, Reason: string(reason), Request: func(t *testing.T, b *stage) dialecttest.Request { return b.nms(query(t, b)) }},
		{Fault: fault, Name: "MediaMTX: " + name, Status: unshown(reason), Reason: string(reason),
			Request: func(t *testing.T, b *stage) dialecttest.Request { return b.mediaMTX(query(t, b)) }},
	}
}

// each is a case of each media server whose request change spoils.
func each(fault dialecttest.Fault, name string, status int, reason string, change func(b *stage, r dialecttest.Request) dialecttest.Request) []refused {
	return []refused{
		{Fault: fault, Name: "SRS: " + name, Status: status, Reason: reason,
			Request: dialecttest.Fixed(func(b *stage) dialecttest.Request { return change(b, b.srs("token="+b.token)) })},
		{Fault: fault, Name: "nginx-rtmp: " + name, Status: status, Reason: reason,
			Request: dialecttest.Fixed(func(b *stage) dialecttest.Request { return change(b, b.nginx("token="+b.token)) })},
		{Fault: fault, Name: "NMS: " + name, Status: status, Reason: reason,
			Request: dialecttest.Fixed(func(b *stage) dialecttest.Request { return change(b, b.nms("token="+b.token)) })},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite[*stage]{
		Setup:  setStage,
		Server: func(b *stage) dialecttest.Server { return b.server },
		Schema: schemaOf,
		Cases:  slices.Concat(callerCases(), clientCases(), bodyCases()),
		NotApplicable: map[dialecttest.Fault]string{
			dialecttest.NotFound: "a media server tells of streams and sessions; one that we have not heard of is new, not missing",
		},
	})
}

// schemaOf knows the shapes of a refusal: the decision's, and those of the
// dialect that documents the callbacks.
func schemaOf(status int) string {
	switch status {
	case http.StatusForbidden, http.StatusServiceUnavailable:
		return "CallbackRefusal"
	case http.StatusUnprocessableEntity:
		return "HTTPValidationError"
	}
	return "DetailError"
}

// callerCases are about who calls: a media server of ours.
func callerCases() []refused {
	unknown := string(media.Unauthenticated)
	withSecret := func(secret func(b *stage) string) func(b *stage, r dialecttest.Request) dialecttest.Request {
		return func(b *stage, r dialecttest.Request) dialecttest.Request {
			r.Path, _, _ = strings.Cut(r.Path, "?")
			r.Path += "?secret=" + url.QueryEscape(secret(b))
			return r
		}
	}
	return slices.Concat(
		each(dialecttest.NoCredential, "behind a proxy", 403, unknown, func(_ *stage, r dialecttest.Request) dialecttest.Request {
			r.Path, _, _ = strings.Cut(r.Path, "?")
			r.Header["X-Forwarded-For"] = "192.0.2.1"
			return r
		}),
		each(dialecttest.BadCredential, "of the caller", 403, unknown, withSecret(func(b *stage) string { return b.secret + "x" })),
		each(dialecttest.ExpiredCredential, "of the caller", 403, unknown, withSecret(func(b *stage) string { return b.old })),
		each(dialecttest.BadCredential, "before a bad body", 403, unknown, func(b *stage, r dialecttest.Request) dialecttest.Request {
			r.Body = "{"
			return withSecret(func(*stage) string { return "a guess" })(b, r)
		}),
		each(dialecttest.WrongMethod, "GET", 405, "method_not_allowed", func(_ *stage, r dialecttest.Request) dialecttest.Request {
			r.Method = http.MethodGet
			return r
		}),
		each(dialecttest.UnknownOperation, "a doubled slash", 404, "no_such_path", func(b *stage, r dialecttest.Request) dialecttest.Request {
			r.Path = strings.Replace(r.Path, "/callback", "/callback/", 1)
			return r
		}),
		[]refused{{Fault: dialecttest.UnknownOperation, Name: "another event", Status: 404, Request: dialecttest.Fixed(func(b *stage) dialecttest.Request {
			return dialecttest.JSON("/callback/on_nothing?secret="+b.secret, "", publishJSON)
		})}},
		each(dialecttest.Panic, "in the core", 500, "panic", func(b *stage, r dialecttest.Request) dialecttest.Request {
			b.broken = true
			return r
		}),
	)
}

// clientCases are about the client that the media server asks for.
func clientCases() []refused {
	room1 := media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}
	return slices.Concat(
		both(dialecttest.NoCredential, "of the client", media.NoCredential, func(*testing.T, *stage) string { return "" }),
		both(dialecttest.BadCredential, "token", media.TokenUnknown, func(*testing.T, *stage) string { return "token=0123456789abcdef0123456789abcdef" }),
		both(dialecttest.BadCredential, "two tokens", media.CredentialConflict, func(_ *testing.T, b *stage) string { return "token=" + b.token + "&token=x" }),
		both(dialecttest.ExpiredCredential, "signature", media.SignatureExpired, func(_ *testing.T, b *stage) string {
			_, query, _ := strings.Cut(b.access.SignURL(media.Link{Scene: media.Publish, Stream: room1, Base: "rtmp://127.0.0.1"}, b.clock.Now().Add(time.Minute)), "?")
			b.clock.advance(time.Hour)
			return query
		}),
		both(dialecttest.OtherOwner, "token of another stream", media.WrongStream, func(t *testing.T, b *stage) string { return "token=" + b.createToken(t, "room2") }),
		waiting(both(dialecttest.Conflict, "a stream that is on air", media.AlreadyPublishing, func(t *testing.T, b *stage) string {
			v, err := b.ledger.Handle(t.Context(), media.Event{Action: media.Publishing, Node: "edge", ClientID: "first", Stream: room1, Query: "token=" + b.token})
			if err != nil || !v.Allow {
				t.Fatal(v, err)
			}
			return "token=" + b.token
		})),
		each(dialecttest.OverLong, "name of the stream", 403, string(media.InvalidStream), func(_ *stage, r dialecttest.Request) dialecttest.Request {
			r.Body = strings.ReplaceAll(r.Body, "room1", strings.Repeat("r", 600))
			return r
		}),
	)
}

// waiting leaves those out that wait for no answer.
func waiting(list []refused) []refused {
	return slices.DeleteFunc(list, func(c refused) bool { return strings.HasPrefix(c.Name, "NMS") })
}

// bodyCases are about payloads that are none.
func bodyCases() []refused {
	replace := func(old, new string) func(*stage, dialecttest.Request) dialecttest.Request {
		return func(_ *stage, r dialecttest.Request) dialecttest.Request {
			r.Body = strings.ReplaceAll(r.Body, old, new)
			return r
		}
	}
	of := func(server string, list []refused) []refused {
		return slices.DeleteFunc(list, func(c refused) bool { return !strings.HasPrefix(c.Name, server) })
	}
	return slices.Concat(
		of("NMS", each(dialecttest.Malformed, "cut off", 422, "invalid_input", replace(`"prePublish"}`, `"prePub`))),
		of("NMS", each(dialecttest.MissingField, "session", 422, "invalid_input", replace(`"id":`, `"session":`))),
		of("NMS", each(dialecttest.UnknownOperation, "another action", 422, "invalid_input", replace("prePublish", "reboot"))),
		of("NMS", each(dialecttest.WrongType, "name", 422, "invalid_input", replace(`"room1"`, `["room1"]`))),
		of("SRS", each(dialecttest.Malformed, "cut off", 422, "invalid_input", replace(`"}`, ``))),
		of("nginx-rtmp", each(dialecttest.Malformed, "an escape that is none", 422, "invalid_input", replace("app=live", "app=%zz"))),
		each(dialecttest.Malformed, "another type of body", 422, "invalid_input", func(_ *stage, r dialecttest.Request) dialecttest.Request {
			r.Header["Content-Type"] = "application/octet-stream"
			return r
		}),
		of("SRS", each(dialecttest.MissingField, "client", 422, "invalid_input", replace(`"client_id"`, `"client"`))),
		of("SRS", each(dialecttest.UnknownOperation, "another action than the path", 422, "invalid_input", replace(`"on_publish"`, `"on_play"`))),
		of("nginx-rtmp", each(dialecttest.MissingField, "client", 422, "invalid_input", replace("&clientid=5", ""))),
		of("nginx-rtmp", each(dialecttest.UnknownOperation, "another call", 422, "invalid_input", replace("call=publish", "call=reboot"))),
		of("SRS", each(dialecttest.WrongType, "vhost", 422, "invalid_input", replace(`"__defaultVhost__"`, `["__defaultVhost__"]`))),
		of("nginx-rtmp", each(dialecttest.WrongType, "client", 422, "invalid_input", replace("clientid=5", "clientid=five"))),
		each(dialecttest.Oversize, "blanks", 413, "body_too_large", func(_ *stage, r dialecttest.Request) dialecttest.Request {
			r.Body += strings.Repeat(" ", 200<<10)
			return r
		}),
	)
}
