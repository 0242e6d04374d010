package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// list is how an operation is asked for a page of what the test has written, and
// a word that the answer has once for each entry.
type list struct{ body, query, mark string }

// lists are all operations that answer with one, by operation id or action.
var lists = map[string]list{
	"listRooms":                         {body: `{"user_id":"admin","page_num":1,"page_size":20}`, mark: `"pull_url_info"`},
	"listAccounts":                      {query: "limit=50", mark: `"username"`},
	"listAccessKeys":                    {mark: `"access_key_id"`},
	"listNodes":                         {query: "limit=50", mark: `"kind"`},
	"listRelays":                        {query: "limit=50", mark: `"pattern"`},
	"findRooms":                         {query: "limit=50", mark: `"anchor_id"`},
	"listRunningStreams":                {query: "limit=50", mark: `"session_id"`},
	"listStreamSamples":                 {query: "app=live&stream=r1", mark: `"viewers"`},
	"listSessions":                      {query: "state=ended&scene=publish&limit=100", mark: `"client_id"`},
	"listRules":                         {query: "limit=50", mark: `"strength"`},
	"findLiveTokens":                    {query: "limit=50", mark: `"play_token"`},
	"listBans":                          {query: "limit=50", mark: `"until"`},
	"listEvents":                        {query: "limit=100", mark: `"sequence"`},
	"listWebhooks":                      {query: "limit=50", mark: `"url"`},
	"listWebhookDeliveries":             {query: "limit=50", mark: `"sequence"`},
	"listRefusals":                      {query: "limit=50", mark: `"reason"`},
	"listLiveTokens":                    {mark: `"play_token"`},
	"listStreams":                       {mark: `"name"`},
	"ipchubListUsers":                   {query: "page_size=50", mark: `"name"`},
	"ipchubListRoutes":                  {query: "page_size=50", mark: `"pattern"`},
	"ipchubListStreams":                 {query: "page_size=50&c=1", mark: `"path"`},
	"DescribeLiveStreamInfoByPage":      {query: "PageNum=1&PageSize=50", mark: `"Stream"`},
	"DescribeClosedStreamInfoByPage":    {query: "PageNum=1&PageSize=50&EndTimeFrom={today}T00:00:00Z&EndTimeTo={today}T23:59:59Z", mark: `"Stream"`},
	"DescribeForbiddenStreamInfoByPage": {query: "PageNum=1&PageSize=50", mark: `"Stream"`},
	"DescribeAuth":                      {body: `{"Vhost":"` + houseVhost + `","SceneType":"push"}`, mark: `"SceneType"`},
}

// library is a server without its listeners, whose statements are counted.
type library struct {
	*app
	handler http.Handler
	admin   visitor
	has     int // entries of each kind, beside those that are there from the first
}

// statements counts those that are made for the context that carries it.
type statements struct{ atomic.Int64 }

type statementsKey struct{}

func (*statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if s, ok := ctx.Value(statementsKey{}).(*statements); ok {
		s.Add(1)
	}
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func openLibrary(t *testing.T) *library {
	t.Helper()
	var flags config.Config
	parser, err := kong.New(&flags)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--database-url", dbtest.URL(t), "--data-dir", t.TempDir(), "--rate-limit", "0", "--account-rate-limit", "0", "--route-allow", "192.0.2.0/24"}); err != nil {
		t.Fatal(err)
	}
	settings, err := flags.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStore(t.Context(), &settings, dbtest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close(context.Background()) })
	traced := s.pool.Config()
	traced.ConnConfig.Tracer = &statements{}
	s.pool.Close()
	if s.pool, err = pgxpool.NewWithConfig(t.Context(), traced); err != nil {
		t.Fatal(err)
	}
	l := &library{}
	if l.app, err = newAppOn(t.Context(), &settings, dbtest.Log(t), s); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.accounts.EnsureAdmin(t.Context(), "admin", housePassword); err != nil {
		t.Fatal(err)
	}
	l.handler = l.handlers(&drain{}, false)[0]
	l.learn(t)
	l.admin.token = l.done(t, http.MethodPost, "/login", `{"username":"admin","password":"`+housePassword+`"}`).text("token")
	key := l.done(t, http.MethodPost, "/api/v1/access-keys", `{"username":"admin"}`)
	l.admin.key, l.admin.secret = key.text("access_key_id"), key.text("secret_access_key")
	l.learn(t)
	return l
}

// learn reads everything that a server holds in memory.
func (l *library) learn(t *testing.T) {
	t.Helper()
	if err := l.load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// ask returns the answer, and how many statements it took.
func (l *library) ask(t *testing.T, method, target, body string) (answer string, took int64) {
	t.Helper()
	var count statements
	r := httptest.NewRequestWithContext(context.WithValue(t.Context(), statementsKey{}, &count), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(target, "/?") {
		r.URL.Host = r.Host
		sign(r, body, l.admin)
	} else if l.admin.token != "" {
		r.Header.Set("Authorization", "Bearer "+l.admin.token)
	}
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	if w.Code > 299 {
		t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
	}
	return w.Body.String(), count.Load()
}

func (l *library) done(t *testing.T, method, target, body string) (o object) {
	t.Helper()
	answer, _ := l.ask(t, method, target, body)
	_ = json.Unmarshal([]byte(answer), &o) // some answer with nothing
	return o
}

// grow adds to every list until it has n entries of ours.
func (l *library) grow(t *testing.T, n int) {
	t.Helper()
	for _, table := range []string{
		`accounts (username, password_hash, tokens_not_before, created_at, updated_at) SELECT 'u' || n, '-', now(), now(), now()`,
		`nodes (name, kind, created_at, updated_at) SELECT 'n' || n, 'srs', now(), now()`,
		`rooms (id, app, title, anchor_id, chat_id, im_servers, status, created_at, updated_at) SELECT 'r' || n, 'live', 't', 'admin', 'r' || n, '{}', n % 3, now(), now()`,
		`sessions (node, server_id, client_id, scene, vhost, app, stream, started_at) SELECT 'n1', 's', 'p' || n, 'publish', '__defaultVhost__', 'live', 'r' || n, now()`,
		`sessions (node, server_id, client_id, scene, vhost, app, stream, started_at) SELECT 'n1', 's', 'v' || n, 'play', '__defaultVhost__', 'live', 'r' || n, now()`,
		`sessions (node, server_id, client_id, scene, vhost, app, stream, started_at, ended_at) SELECT 'n1', 's', 'e' || n, 'publish', '__defaultVhost__', 'live', 'e' || n, now(), now()`,
		`stream_samples (at, stream, viewers, node) SELECT now() - make_interval(secs => 20 * n),
			substring(sha256('__defaultVhost__'::bytea || '\x00'::bytea || 'live'::bytea || '\x00'::bytea || 'r1'::bytea) FOR 16), 1, 'n1'`,
		`recordings (session_id, node, vhost, app, stream, file, started_at, created_at) SELECT n, 'n1', '', 'live', 'r' || n, 'a.flv', now(), now()`,
		`bans (vhost, app, stream, created_at, until) SELECT 'v', 'live', 'b' || n, now(), now() + interval '1 hour'`,
		`relays (node, app, stream, pattern, state, since, used_at, created_at) SELECT 'n1', 'cam', 's' || n, '/cam/' || n, 'idle', now(), now(), now()`,
		`webhook_endpoints (id, url, secret_sealed, created_at, updated_at) SELECT 'wh_' || lpad(n::text, 32, '0'), 'https://example.com/', '', now(), now()`,
		`webhook_deliveries (at, endpoint_id, event_id, type, subject, sequence, body) SELECT now(), 'wh_' || lpad('1', 32, '0'), 'evt_' || lpad(n::text, 32, '0'), 'room.started', 'r' || n, 1, '{}'`,
		`refusals (at, action, stream, reason) SELECT now(), 'publish', 's' || n, 'no_credential'`,
	} {
		if _, err := l.store.pool.Exec(t.Context(), "INSERT INTO "+table+" FROM generate_series($1::int, $2::int) n", l.has+1, n); err != nil {
			t.Fatal(err, table)
		}
	}
	for ; l.has < n; l.has++ {
		l.done(t, http.MethodPost, "/api/v1/access-keys", fmt.Sprintf(`{"username":"u%d"}`, l.has+1))
		l.done(t, http.MethodPost, "/api/v1/routes", fmt.Sprintf(`{"pattern":"/cam/%d","url":"rtsp://192.0.2.1/x"}`, l.has))
		l.done(t, http.MethodPost, fmt.Sprintf("/live/create_token?stream=t%d", l.has), "")
		// As UpdateAuthKey does it, which may be asked for ten times in a second only.
		rule := access.WholeRule{Vhost: houseVhost, App: fmt.Sprintf("a%d", l.has), Scene: media.Publish, Keys: []access.WholeKey{{Secret: houseKey, Scheme: "volcengine_b"}}}
		if _, err := l.access.WriteRule(t.Context(), rule); err != nil {
			t.Fatal(err)
		}
	}
	l.learn(t)
}

// A page of many entries takes as many statements as a page of few.
func TestListsAskAsOftenForManyAsForOne(t *testing.T) {
	t.Parallel()
	const few, many = 3, 23
	l := openLibrary(t)
	doors, _ := doorsOf(spectest.New(t).Document(), examples)
	type page struct{ entries, took int64 }
	was, tried := map[string]page{}, map[string]bool{}
	for _, n := range []int{few, many} {
		l.grow(t, n)
		for _, d := range doors {
			name, _, _ := strings.Cut(d.id, " ")
			list, known := lists[name]
			if isList := strings.Contains(strings.ToLower(name), "list") || strings.HasPrefix(name, "find") || strings.HasSuffix(name, "ByPage"); isList && !known {
				t.Errorf("%s: say in the table lists how a page of it is asked for", name)
			}
			if !known {
				continue
			}
			tried[name] = true
			target := strings.ReplaceAll(d.path, "{webhook_id}", "wh_"+strings.Repeat("0", 31)+"1") + map[bool]string{true: "&", false: "?"}[strings.Contains(d.path, "?")] + strings.ReplaceAll(list.query, "{today}", time.Now().UTC().Format(time.DateOnly))
			answer, took := l.ask(t, d.method, target, list.body)
			now := page{int64(strings.Count(answer, list.mark)), took}
			if n == few {
				was[d.id] = now
			} else if before := was[d.id]; before.entries < few || now.entries < before.entries+10 || now.took != before.took {
				t.Errorf("%s: %d statements for %d entries, %d for %d", d.id, before.took, before.entries, now.took, now.entries)
			}
		}
	}
	if len(tried) != len(lists) {
		t.Errorf("of %d lists only %v are in the spec", len(lists), tried)
	}
}
