package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// Whatever goes wrong with a secret in hand, it is told nowhere: not in answers,
// log, metrics, traces, events and webhooks, and not by the commands.
func TestTroubleTellsNoSecret(t *testing.T) {
	t.Parallel()
	h := openHouse(t, "--reconcile-period", "1s", "--callback-timeout", "10s")
	heard := h.hears(t)
	h.rudeMediaServers(t)
	h.mistypes(t)
	h.breaksOff(t)
	h.triesTheDoor(t)
	h.asksWhy(t)
	until(t, "the webhook hears of refusals and sessions", func() bool {
		return strings.Contains(heard.String(), "decision.denied") && strings.Contains(heard.String(), "session.started")
	})
	h.tellsNoSecret(t)
	h.losesDatabase(t)
	h.secrets.mustNotBeIn(t, "what the webhook heard", heard.String())
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for over := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(over) {
			t.Fatalf("not so after %v: %s", patience, what)
		}
	}
}

// attempt sends what need not be a valid request.
func (h *house) attempt(t *testing.T, method, target, body string, header map[string]string) (int, string) {
	t.Helper()
	r := h.bare(t, method, target, body)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return h.send(t, r.WithContext(spectest.BadRequest(r.Context())))
}

func (h *house) asAdmin() map[string]string {
	return map[string]string{"Authorization": "Bearer " + h.visitors[administrator].token}
}

// hears subscribes to everything and returns what comes.
func (h *house) hears(t *testing.T) *output {
	t.Helper()
	heard := &output{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing is missed
		fmt.Fprintln(heard, r.URL, r.Header.Get("Webhook-Id"), string(body))
	}))
	t.Cleanup(receiver.Close)
	h.done(t, h.visitors[administrator], http.MethodPost, "/api/v1/webhooks",
		`{"url":"`+receiver.URL+`","types":["room.*","stream.*","recording.*","session.*","decision.denied"]}`)
	return heard
}

// rudeMediaServers refuse us, and say again what we said.
func (h *house) rudeMediaServers(t *testing.T) {
	t.Helper()
	var mu sync.Mutex
	asked := map[string]bool{}
	rude := func(kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			asked[kind] = true
			mu.Unlock()
			said := fmt.Sprintf("%s %s %s", r.URL, r.Header.Get("Authorization"), body)
			if kind == "zlmediakit" {
				fmt.Fprintf(w, `{"code":-100,"msg":"wrong: %s"}`, said)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, said)
		}
	}
	kinds := []string{"srs", "nginx-rtmp", "mediamtx", "node-media-server", "zlmediakit", "ovenmediaengine"}
	for _, kind := range kinds {
		server := httptest.NewServer(rude(kind))
		t.Cleanup(server.Close)
		made := h.done(t, h.visitors[administrator], http.MethodPost, "/api/v1/nodes", fmt.Sprintf(
			`{"name":"rude-%[1]s","kind":"%[1]s","control_url":"%[2]s","control_username":"operator","control_password":"control-of-%[1]s"}`, kind, server.URL))
		h.secrets.add("a node's secret", made.text("secret"))
	}
	until(t, "all media servers were asked", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(asked) == len(kinds)
	})
	for _, kind := range kinds {
		until(t, "it is on record that "+kind+" refuses", func() bool {
			_, text := h.attempt(t, http.MethodGet, "/api/v1/nodes/rude-"+kind, "", h.asAdmin())
			h.secrets.mustNotBeIn(t, "the node "+kind, text)
			return strings.Contains(text, `"state":"unreachable"`)
		})
	}
}

// mistypes passwords, and keys that sign.
func (h *house) mistypes(t *testing.T) {
	t.Helper()
	for i, c := range []struct{ target, body string }{
		{"/auth/token", "username=alice&password=mistyped-%d"},
		{"/login", `{"username":"alice","password":"mistyped-%d"}`},
		{"/api/v1/live/login", `{"username":"alice","password":"mistyped-%d"}`},
		{"/api/v1/login", `{"username":"alice","password":"mistyped-%d"}`},
		{"/api/v1/login", `{"username":"nobody-knows","password":"mistyped-%d"}`},
		{"/users/create", `{"username":"x","email":"not one","full_name":"","password":"mistyped-%d"}`},
		{"/api/v1/refreshtoken?token=mistyped-token-%d", ""},
	} {
		if status, text := h.attempt(t, http.MethodPost, strings.ReplaceAll(c.target, "%d", fmt.Sprint(i)), strings.ReplaceAll(c.body, "%d", fmt.Sprint(i)), nil); status < 400 {
			t.Errorf("%s: %d %s", c.target, status, text)
		}
	}
	for _, name := range []string{"Bearer no-token-at-all", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.none", "Basic YWRtaW46bWlzdHlwZWQtcGFzc3dvcmQ="} {
		h.secrets.add("the Authorization header", strings.Fields(name)[1])
		if status, text := h.attempt(t, http.MethodGet, "/api/v1/accounts", "", map[string]string{"Authorization": name}); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	r := h.bare(t, http.MethodPost, "/?Action=DescribeAuth&Version=2020-08-01", `{"Vhost":"a"}`)
	sign(r, `{"Vhost":"a"}`, visitor{key: h.visitors[owner].key, secret: "mistyped-secret-of-a-machine"})
	if status, text := h.send(t, r); status < 400 {
		t.Errorf("signed with a wrong secret: %d %s", status, text)
	}
}

// breaksOff bodies in the middle of a secret, and puts secrets where they do not
// belong.
func (h *house) breaksOff(t *testing.T) {
	t.Helper()
	const secret = "secret-of-a-broken-body"
	h.secrets.add("a broken body", secret)
	bodies := []string{`{"password":"` + secret, `{"password":["` + secret + `"],"username":{"` + secret + `":1},"url":5,"param":7,"keys":["` + secret + `"]}`,
		`["` + secret + `"]`, "{\"password\":\"" + secret + "\xff\"}", "password=" + secret + "%zz", `{"password":"` + secret + `"}{}`}
	callback := "?secret=" + url.QueryEscape(h.visitors[mediaServer].secret)
	for _, target := range []string{"/auth/token", "/users/create", "/login", "/api/v1/login", "/api/v1/live/login", "/api/v2/live/create", "/api/v1/users", "/api/v1/routes",
		"/api/v1/nodes", "/api/v1/webhooks", "/api/v1/rules", "/api/v1/explain", "/api/v1/bans", "/api/v1/access-keys", "/?Action=UpdateAuthKey&Version=2020-08-01",
		"/callback/on_publish" + callback, "/callback/on_dvr" + callback, "/callback/nginx-rtmp" + callback, "/callback/mediamtx" + callback, "/callback/node-media-server" + callback,
		"/callback/zlmediakit/on_publish" + callback, "/callback/ovenmediaengine" + callback, "/callback/aliyun" + callback, "/api/v1/live/list?token=" + secret} {
		for _, body := range bodies {
			if status, text := h.attempt(t, http.MethodPost, target, body, h.asAdmin()); status >= 500 {
				t.Errorf("%s %s: %d %s", target, body, status, text)
			}
		}
	}
}

// triesTheDoor of media servers with every kind of credential, and gets in once.
func (h *house) triesTheDoor(t *testing.T) {
	t.Helper()
	secret := "?secret=" + url.QueryEscape(h.visitors[mediaServer].secret)
	hook := func(action, client, param string) string {
		return strings.NewReplacer("{fresh}", client, "{stream}", "trouble", "?token={token}", param).Replace(hookStream + `"action":"` + action + `"}`)
	}
	pair := h.done(t, h.visitors[owner], http.MethodPost, "/live/create_token?stream=trouble", "")
	h.done(t, visitor{}, http.MethodPost, "/callback/on_publish"+secret, hook("on_publish", "publisher", "?token="+pair.text("token")))
	room := h.done(t, h.visitors[owner], http.MethodPost, "/api/v2/live/create", `{"title":"trouble","im_server":["aliyun_new"]}`)
	signed := room["push_url_info"].(map[string]any)["rtmp_url"].(string)
	_, signature, _ := strings.Cut(signed, "?")
	for i, param := range []string{"?token=" + pair.text("token"), "?token=guessed-live-token", "?" + signature, "?" + signature + "0", "?auth_key=1700000000-0-0-0123456789abcdef0123456789abcdef",
		"?user=alice&pass=mistyped-in-a-url&password=mistyped-in-a-url", "?jwt=eyJhbGciOiJub25lIn0.e30.unsigned"} {
		h.learnedURL(param)
		for _, action := range []string{"on_play", "on_publish"} {
			if status, text := h.attempt(t, http.MethodPost, "/callback/"+action+secret, hook(action, fmt.Sprint("v", i), param), nil); status >= 500 {
				t.Errorf("%s: %d %s", param, status, text)
			}
		}
	}
	for _, c := range []struct{ target, body string }{
		{"/callback/on_play?secret=guessed-secret-of-a-node", hook("on_play", "x", "?token=guessed-live-token")},
		{"/callback/mediamtx" + secret, `{"ip":"192.0.2.10","user":"alice","password":"mistyped-at-mediamtx","token":"guessed-at-mediamtx","action":"read","path":"live/trouble","protocol":"rtsp","id":"442ced48-60fe-4a65-8410-a771b25eb076","query":"token=guessed-in-a-query"}`},
		{"/callback/nginx-rtmp" + secret, "app=live&tcurl=rtmp://user:mistyped-in-tcurl@x/live?token=guessed-in-tcurl&pageurl=http://page/?token=guessed-in-page&addr=192.0.2.10&clientid=5&call=play&name=trouble&token=guessed-at-nginx"},
		{"/callback/node-media-server" + secret, `{"id":"mwr2syiev5r5kqwc","ip":"192.0.2.10:47866","app":"live","name":"trouble","query":{"token":"guessed-at-nms","sign":"1-guessed-signature-of-nms"},"protocol":"rtmp","action":"prePlay"}`},
		{"/callback/zlmediakit/on_play" + secret, `{"mediaServerId":"z1","hook_index":4,"id":"2-15","ip":"192.0.2.10","vhost":"__defaultVhost__","app":"live","stream":"trouble","schema":"rtmp","protocol":"rtmp","params":"token=guessed-at-zlmediakit"}`},
		{"/callback/ovenmediaengine" + secret, `{"client":{"address":"192.0.2.10","port":4711},"request":{"direction":"outgoing","protocol":"llhls","status":"opening","url":"http://media.example.com/live/trouble?token=guessed-at-ome","time":"` + time.Now().Format(time.RFC3339) + `"}}`},
	} {
		h.learnedURL(c.body)
		if status, text := h.attempt(t, http.MethodPost, c.target, c.body, nil); status >= 500 {
			t.Errorf("%s: %d %s", c.target, status, text)
		}
	}
	h.attempt(t, http.MethodGet, "/callback/nginx"+secret, "", map[string]string{"X-Original-URI": "/live/trouble.flv?token=guessed-at-the-edge", "Referer": "http://page/?token=guessed-in-a-referer"})
	h.done(t, h.visitors[owner], http.MethodDelete, "/live/destroy_token?token="+pair.text("token"), "")
}

// learnedURL learns what a URL or a body of words that begin with mistyped and
// guessed holds.
func (h *house) learnedURL(text string) {
	h.secrets.learn(text)
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune("?&=@:\"{}, ", c) }) {
		if strings.HasPrefix(word, "mistyped-") || strings.HasPrefix(word, "guessed-") || strings.HasPrefix(word, "eyJ") || strings.HasPrefix(word, "1-guessed") {
			h.secrets.add("a credential that is none", word)
		}
	}
}

// asksWhy a URL is refused: the answer tells of its credential all but the
// credential.
func (h *house) asksWhy(t *testing.T) {
	t.Helper()
	for _, question := range []string{"rtmp://push.example.com/live/trouble?token=guessed-and-explained", "rtmp://push.example.com/live/trouble?auth_key=1700000000-0-0-fedcba9876543210fedcba9876543210"} {
		h.learnedURL(question)
		status, text := h.attempt(t, http.MethodPost, "/api/v1/explain", `{"url":"`+question+`"}`, h.asAdmin())
		if status != http.StatusOK {
			t.Errorf("%d %s", status, text)
		}
		h.secrets.mustNotBeIn(t, "the explanation", text)
		got := h.installed.command(t, "", "explain", question)
		h.secrets.mustNotBeIn(t, "explain", got.stdout+got.stderr)
	}
	for _, args := range [][]string{{"--database-url", "postgres://u:settings-that-are-bad@127.0.0.1:1/x"}, {"--database-url", "postgres://u:settings-that-are-bad@x:port/x"}, {"--database-url", "u:settings-that-are-bad"},
		{"--database-url", "host=127.0.0.1 port=1 password=settings-that-are-bad"}, {"--master-key", "settings-that-are-bad"}, {"--otlp-headers", "settings-that-are-bad"},
		{"--otlp-endpoint", "http://u:settings-that-are-bad@x"}, {"--database-url", "postgres://x/y", "--database-direct-url", "u:settings-that-are-bad"}} {
		got := command(t, "", append([]string{"doctor", "--database-connect-timeout", "1s", "--data-dir", t.TempDir()}, args...)...)
		if strings.Contains(got.stdout+got.stderr, "settings-that-are-bad") || got.code == exitOK {
			t.Errorf("%v: code %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
	}
}

// losesDatabase asks for all sorts of things while nobody can connect to it.
func (h *house) losesDatabase(t *testing.T) {
	t.Helper()
	at := h.installed.databaseURL()
	name := h.pool.Config().ConnConfig.Database
	conn, err := pgx.Connect(t.Context(), dbtest.WithDatabase(at, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	secret := "?secret=" + url.QueryEscape(h.visitors[mediaServer].secret)
	pair := h.done(t, h.visitors[owner], http.MethodPost, "/live/create_token?stream=dark", "")
	for _, sql := range []string{"ALTER DATABASE " + name + " ALLOW_CONNECTIONS false", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ target, body string }{
		{"/auth/token", "username=alice&password=" + url.QueryEscape(housePassword)},
		{"/login", `{"username":"alice","password":"` + housePassword + `"}`},
		{"/api/v1/login", `{"username":"alice","password":"` + housePassword + `"}`},
		{"/live/create_token?stream=darker", ""},
		{"/api/v1/nodes", `{"name":"dark","kind":"srs","control_username":"u","control_password":"control-in-the-dark"}`},
		{"/callback/on_publish" + secret, strings.NewReplacer("{fresh}", "dark", "{stream}", "dark", "{token}", pair.text("token")).Replace(hookStream + `"action":"on_publish"}`)},
		{"/callback/on_play" + secret, strings.NewReplacer("{fresh}", "dark", "{stream}", "dark", "{token}", "newer-than-memory").Replace(hookStream + `"action":"on_play"}`)},
	} {
		if status, text := h.attempt(t, http.MethodPost, c.target, c.body, h.asAdmin()); status < 400 {
			t.Errorf("%s without a database: %d %s", c.target, status, text)
		}
	}
	until(t, "the server says that it is not ready", func() bool {
		status, text := h.attempt(t, http.MethodGet, "/readyz", "", nil)
		h.secrets.mustNotBeIn(t, "/readyz", text)
		return status == http.StatusServiceUnavailable
	})
	got := h.installed.command(t, "", "doctor")
	h.secrets.mustNotBeIn(t, "doctor without a database", got.stdout+got.stderr)
	if _, err := conn.Exec(t.Context(), "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true"); err != nil {
		t.Fatal(err)
	}
}
