package appserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/jump"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// The inputs of the published vectors: rooms made at this moment have URLs that
// expire at 1700000000.
const (
	startOfTest = 1_700_000_000 - int64(linkTTL/time.Second)
	linkTTL     = 7 * 24 * time.Hour
	vectorRoom  = "c8d619e2e7ec445db8a1e1ebf967d6c3"

	pushKey   = "pushkey0123456789"
	pullKey   = "pullkey9876543210"
	rtcAppID  = "7c61616e-480b-4de6-b3fc-95cef48f5b53"
	rtcAppKey = "rtcappkey0123456789"
	pushCBKey = "cbkey0123456789"
	jumpKey   = "unit-test-jump-secret-0123456789"
	imAppKey  = "demoappkey"

	password = "correct horse battery staple"
)

// bench is a whole AppServer on a database of its own.
type bench struct {
	server   dialecttest.Server
	pool     *pgxpool.Pool
	clock    *clock
	accounts *account.Service
	access   *access.Service
	rooms    *room.Service
	groups   *groupsSpy
	jumps    *jump.Service
	app      *Server
	spec     *spectest.Validator

	alice, bob string // access tokens; alice is the anchor of all rooms here
}

func setup(t *testing.T, options ...func(*bench)) *bench {
	t.Helper()
	b := &bench{pool: dbtest.Pool(t), clock: newClock(time.Unix(startOfTest, 0))}
	log := dialecttest.NewLog(t)
	ids, nonces := newFixedRand(1, unhex(t, vectorRoom)), newFixedRand(2, nil)

	var err error
	b.accounts, err = account.New(t.Context(), account.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Log: log.Logger(),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	b.access = access.New(access.Config{DB: b.pool, Box: dbtest.Box(), Now: b.clock.now, Rand: rand.Reader, Log: log.Logger(),
		App: "live", PublishHost: "push.example.com", PlayHost: "pull.example.com", Policy: access.DenyByDefault})
	b.groups = &groupsSpy{Provider: &builtin.Provider{AppID: "demoapp", AppKey: imAppKey, AppSign: "demosign", Now: b.clock.now, Rand: nonces}}
	b.rooms = room.New(room.Config{DB: b.pool, Now: b.clock.now, Rand: ids, Log: log.Logger(), Groups: im.Families{Old: b.groups, New: b.groups}, Signer: b.access, Nodes: recordNodes{},
		Links: room.LinkConfig{PushDomain: "push.example.com", PullDomain: "pull.example.com", HTTPPullDomain: "pull.example.com", App: "live",
			HTTPScheme: "https", TTL: linkTTL, RTCAppID: rtcAppID, RTCAppKey: rtcAppKey}, PushKey: pushCBKey})
	b.jumps, err = jump.New(jump.Config{DB: b.pool, Now: b.clock.now, Rand: rand.Reader, Key: []byte(jumpKey), Accounts: b.accounts, Rooms: b.rooms,
		Server: func() string { return "https://live.example.com" }})
	if err != nil {
		t.Fatal(err)
	}
	b.app = &Server{Accounts: b.accounts, Rooms: b.rooms, Groups: b.groups, Jumps: b.jumps}
	for _, option := range options {
		option(b)
	}
	b.addRules(t)
	b.serve(t, log)
	b.alice, b.bob = b.addAccount(t, "alice"), b.addAccount(t, "bob")
	return b
}

// addRules signs as the published vectors do.
func (b *bench) addRules(t *testing.T) {
	t.Helper()
	for _, n := range []access.NewRule{
		{Domain: "push.example.com", Scene: media.Publish, Scheme: "aliyun_a", Secret: pushKey},
		{Domain: "pull.example.com", Scene: media.Play, Scheme: "aliyun_a", Secret: pullKey},
	} {
		if _, err := b.access.CreateRule(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
}

// serve puts the dialect behind the chain, and the spec's validator before it.
func (b *bench) serve(t *testing.T, log *dialecttest.Log) {
	t.Helper()
	rt := httpx.NewRouter()
	b.app.Register(rt)
	chain := httpx.Config{Log: log.Logger(), Now: b.clock.now, Rand: rand.Reader}
	srv := httptest.NewServer(chain.Wrap(rt))
	t.Cleanup(srv.Close)
	client := srv.Client()
	b.spec = spectest.New(t)
	client.Transport = b.spec.Transport(client.Transport)
	b.server = dialecttest.Server{URL: srv.URL, Client: client, Pool: b.pool, Log: log,
		Secrets: []string{password, pushKey, pullKey, rtcAppKey, imAppKey, pushCBKey, jumpKey}}
}

// addAccount creates an account and returns an access token of it.
func (b *bench) addAccount(t *testing.T, name string) string {
	t.Helper()
	system := account.System()
	if _, err := b.accounts.Register(t.Context(), &system, account.NewAccount{Username: name, Password: password}); err != nil {
		t.Fatal(err)
	}
	token, err := b.accounts.Login(t.Context(), name, password, netip.MustParseAddr("192.0.2.7"), DefaultTokenTTL)
	if err != nil {
		t.Fatal(err)
	}
	return token.Value
}

// reply is an answer of the dialect whose envelope has been checked.
type reply struct {
	dialecttest.Answer
	room    wireRoom // of answers that are one room
	object  map[string]any
	objects []map[string]any // of answers that are a list
}

// send posts a request that the spec knows; bad posts one that breaks it.
func (b *bench) send(t *testing.T, path, token, body string) reply {
	t.Helper()
	return b.do(t, t.Context(), dialecttest.JSON(path, token, body))
}

func (b *bench) bad(t *testing.T, path, token, body string) reply {
	t.Helper()
	return b.do(t, spectest.BadRequest(t.Context()), dialecttest.JSON(path, token, body))
}

func (b *bench) do(t *testing.T, ctx context.Context, r dialecttest.Request) reply {
	t.Helper()
	a := dialecttest.SendContext(ctx, t, b.server, r)
	out := reply{Answer: a}
	checkParsers(t, r.Path, a)
	if bytes.HasPrefix(a.Body, []byte("[")) {
		decode(t, a.Body, &out.objects)
		return out
	}
	decode(t, a.Body, &out.object)
	if out.object["anchor_id"] != nil {
		decode(t, a.Body, &out.room)
	}
	return out
}

func decode(t testing.TB, body []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}

// want fails the test unless the reply has the status.
func (r reply) want(t *testing.T, status int) reply {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %s", r.Status, status, r.Body)
	}
	return r
}

// create makes a room of alice. More is put into the request as it is.
func (b *bench) create(t *testing.T, more string) wireRoom {
	t.Helper()
	body := `{"title":"Evening show","anchor":"alice","im_server":["aliyun_new"]` + more + `}`
	return b.send(t, "/api/v2/live/create", b.alice, body).want(t, 200).room
}

func (b *bench) createLink(t *testing.T) wireRoom { t.Helper(); return b.create(t, `,"mode":1`) }

// get shows a room as one of the users sees it.
func (b *bench) get(t *testing.T, token, id string) wireRoom {
	t.Helper()
	return b.send(t, "/api/v1/live/get", token, `{"id":"`+id+`"}`).want(t, 200).room
}

// act posts {"id": …} to one of the operations on a room.
func (b *bench) act(t *testing.T, op, token, id string) reply {
	t.Helper()
	return b.send(t, "/api/v1/live/"+op, token, `{"id":"`+id+`"}`)
}

func (b *bench) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// addPlays stores play sessions of a room: one each for the subjects, of which
// the last one is still open.
func (b *bench) addPlays(t *testing.T, id string, subjects ...string) {
	t.Helper()
	for i, subject := range subjects {
		b.exec(t, `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, address, subject, started_at, ended_at)
			VALUES ('local', '', $1, 'play', '__defaultVhost__', 'live', $2, '192.0.2.1', $3, $4, CASE WHEN $5 THEN NULL ELSE $4::timestamptz END)`,
			fmt.Sprintf("%s-%d", id, i), id, subject, b.clock.now(), i == len(subjects)-1)
	}
}

func (b *bench) addRecording(t *testing.T, id, file string, seconds float64) {
	t.Helper()
	b.exec(t, `INSERT INTO recordings (session_id, node, vhost, app, stream, file, duration, started_at, created_at)
		VALUES (1, 'local', '__defaultVhost__', 'live', $1, $2, $3, $4, $4)`, id, file, seconds, b.clock.now())
}
