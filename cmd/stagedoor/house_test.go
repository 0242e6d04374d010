package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

const (
	housePassword   = "correct horse battery"
	housePushKey    = "key of the push domain"
	housePushDomain = "push.example.com"
	houseVhost      = "house.example.com" // has a rule for publishing
	houseKey        = "KeyOfTheRuleOfTheHouse"
	houseCamera     = "rtsp://192.0.2.20/video"
)

// house is a server with everybody who may come to its doors.
type house struct {
	*serving
	spec     *spectest.Validator
	client   *http.Client
	pool     *pgxpool.Pool
	tables   string // SQL that shows all of them
	visitors map[string]visitor
	names    int    // how many have been made up
	guest    string // an account that may be gone after the next admitted call

	installed installation
	secrets   *secrets
	collector *traceCollector
}

// The secrets of the settings, as nobody else would choose them.
const (
	houseMasterKey = "5ec2e7a3b1c94d0f8e6a5b7c3d2f1a0958e7c6b4a3f2d1e09b8a7c6d5e4f3a2b"
	houseHeader    = "Bearer key-of-the-collector"
	houseIMKey     = "key-of-the-messages"
	houseRTCKey    = "key-of-the-rtc-tokens"
	houseCloudKey  = "key-of-the-cloud-account"
)

// visitor is one of them with what it can show.
type visitor struct {
	name        string
	username    string
	token       string // of a login
	key, secret string // an access key, or a media server's secret
}

func openHouse(t *testing.T, flags ...string) *house {
	t.Helper()
	i := install(t, "--master-key", houseMasterKey)
	edge := decoded[nodeJSON](t, i, "", "node", "create", "edge", "--kind", "srs")
	h := &house{spec: spectest.New(t), installed: i, secrets: &secrets{}, collector: collectTraces(t)}
	database, err := url.Parse(i.databaseURL())
	if err != nil {
		t.Fatal(err)
	}
	password, _ := database.User.Password()
	for what, text := range map[string]string{"the database's password": password, "the administrator's password": housePassword, "the master key": houseMasterKey,
		"the collector's header": houseHeader, "the CDN's key": housePushKey, "the message key": houseIMKey, "the RTC key": houseRTCKey, "the cloud's key": houseCloudKey,
		"a rule's key": houseKey, "a node's secret": edge.Secret} {
		h.secrets.add(what, text)
	}
	t.Cleanup(func() { h.kept(t) }) // after the server has ended
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: listener{h.spec.Transport(transport), h.secrets, t}, Timeout: patience}
	h.serving = i.serve(t, append(flags, "--log-level", "debug", "--otlp-endpoint", h.collector.url, "--otlp-headers", "Authorization="+url.PathEscape(houseHeader),
		"--im-app-key", houseIMKey, "--rtc-app-key", houseRTCKey, "--aliyun-access-key-secret", houseCloudKey, "--admin-password", housePassword, "--push-callback-key", housePushKey, "--push-domain", housePushDomain,
		"--route-allow", "192.0.2.0/24", "--webhook-allow-private", "127.0.0.0/8", "--rate-limit", "0", "--account-rate-limit", "0",
		"--database-pool", "1")...) // who held one and asked for another would wait for himself
	h.openDatabase(t, i.databaseURL())
	h.visitors = map[string]visitor{
		nobody:        {name: nobody, username: "someone"},
		administrator: h.logIn(t, visitor{name: administrator, username: "admin"}),
		mediaServer:   {name: mediaServer, username: "edge", secret: edge.Secret},
		cdn:           {name: cdn, username: "cdn"},
	}
	for _, v := range []visitor{{name: stranger, username: "mallory"}, {name: owner, username: "alice"}} {
		h.register(t, v.username)
		h.visitors[v.name] = h.logIn(t, v)
	}
	h.done(t, h.visitors[administrator], http.MethodPatch, "/api/v1/accounts/alice", `{"pull":"*"}`)
	for name, v := range h.visitors {
		if v.token != "" {
			v.key, v.secret = h.newKey(t, v.username)
			h.visitors[name] = v
		}
	}
	h.done(t, h.visitors[administrator], http.MethodPost, "/?Action=UpdateAuthKey&Version=2020-08-01",
		`{"Vhost":"`+houseVhost+`","App":"live","SceneType":"push","AuthDetailList":[{"SecretKey":"`+houseKey+`","EncryptionAlgorithm":"md5"}]}`)
	return h
}

func (i installation) databaseURL() string { return i.flags[slices.Index(i.flags, "--database-url")+1] }

// openDatabase prepares for snapshots. When a key was last used is no change:
// it is written now and then, and asking with it is a use. The same goes for
// when a node called back, and what came of asking it, and for how often somebody
// was looked for who must go. Refusals are noted later than they happen.
func (h *house) openDatabase(t *testing.T, url string) {
	t.Helper()
	var err error
	if h.pool, err = pg.Open(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.pool.Close)
	h.tables = h.value(t, `SELECT string_agg(format('SELECT %L AS name, coalesce(string_agg(r, E''\n'' ORDER BY r), '''') AS rows `+
		`FROM (SELECT (to_jsonb(t) - ''last_used_at'')::text AS r FROM %I t) x', tablename, tablename), ' UNION ALL ') FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('node_seen', 'node_health', 'relays', 'revocations', 'evictions') AND tablename NOT LIKE 'refusals%'`)
}

func (h *house) value(t *testing.T, sql string) (text string) {
	t.Helper()
	if err := h.pool.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// snapshot returns the rows of each table.
func (h *house) snapshot(t *testing.T) map[string]string {
	t.Helper()
	rows, err := h.pool.Query(t.Context(), h.tables)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var name, text string
	if _, err := pgx.ForEachRow(rows, []any{&name, &text}, func() error { all[name] = text; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// logIn returns the visitor with a new token.
func (h *house) logIn(t *testing.T, v visitor) visitor {
	t.Helper()
	v.token = h.done(t, visitor{}, http.MethodPost, "/login", `{"username":"`+v.username+`","password":"`+housePassword+`"}`).text("token")
	return v
}

func (h *house) register(t *testing.T, username string) {
	t.Helper()
	h.done(t, h.visitors[administrator], http.MethodPost, "/users/create",
		`{"username":"`+username+`","email":"`+username+`@example.com","full_name":"","password":"`+housePassword+`"}`)
}

func (h *house) newKey(t *testing.T, username string) (id, secret string) {
	t.Helper()
	got := h.done(t, h.visitors[administrator], http.MethodPost, "/api/v1/access-keys", `{"username":"`+username+`"}`)
	return got.text("access_key_id"), got.text("secret_access_key")
}

// object is what the server answered.
type object map[string]any

func (o object) text(name string) string {
	text, _ := o[name].(string)
	return text
}

// done prepares something: the call has to succeed.
func (h *house) done(t *testing.T, v visitor, method, target, body string) (o object) {
	t.Helper()
	r := h.bare(t, method, target, body)
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	if strings.HasPrefix(target, "/?") {
		sign(r, body, v)
	}
	status, text := h.send(t, r)
	if status > 299 {
		t.Fatalf("%s %s: %d %s", method, target, status, text)
	}
	_ = json.Unmarshal([]byte(text), &o) // some answer with nothing, or with a number
	return o
}

// bare is a request without a credential, from far away.
func (h *house) bare(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		r.Body = nil
	}
	switch {
	case strings.HasPrefix(body, "{"):
		r.Header.Set("Content-Type", "application/json")
	case body != "":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	return r
}

func (h *house) send(t *testing.T, r *http.Request) (status int, body string) {
	t.Helper()
	resp, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// request is a valid one of a door, with what the visitor has to show for
// itself there.
func (h *house) request(t *testing.T, d door, v visitor) *http.Request {
	t.Helper()
	if d.example.ends && v.token != "" {
		v = h.logIn(t, v)
	}
	p := &props{house: h, t: t, visitor: v, known: map[string]string{"caller": v.username}}
	fill := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(s string) string { return p.get(s[1 : len(s)-1]) })
	}
	target := fill(d.path)
	switch q := fill(d.example.query); {
	case q != "" && strings.Contains(target, "?"):
		target += "&" + q
	case q != "":
		target += "?" + q
	}
	body := fill(d.example.body)
	r := h.bare(t, d.method, target, body)
	for name, value := range d.example.header {
		r.Header.Set(name, fill(value))
	}
	for _, scheme := range d.schemes {
		show(r, scheme, body, v)
	}
	if v.name == nobody {
		return r.WithContext(spectest.BadRequest(r.Context())) // it lacks what the scheme makes a parameter
	}
	return r
}

// show adds to a request what a visitor has for a security scheme.
func show(r *http.Request, scheme, body string, v visitor) {
	switch {
	case scheme == "pushCallbackSignature":
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set("ALI-LIVE-TIMESTAMP", stamp)
		if v.name == cdn {
			r.Header.Set("ALI-LIVE-SIGNATURE", urlsign.PushCallbackSignature(housePushDomain, stamp, housePushKey))
		}
	case v.name == mediaServer:
		q := r.URL.Query()
		q.Set("secret", v.secret)
		r.URL.RawQuery = q.Encode()
	case scheme == "volcengineSignature" && v.key != "":
		sign(r, body, v)
	}
	// Who has logged in says so everywhere: where another credential is asked
	// for it must not help.
	if v.token != "" && !strings.HasPrefix(scheme, "volcengine") {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
}

// sign signs a request with an access key.
func sign(r *http.Request, body string, v visitor) {
	date := time.Now().UTC().Format("20060102T150405Z")
	r.Header.Set("X-Date", date)
	scope := date[:8] + "/cn-north-1/live/request"
	query := strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")
	canonical := strings.Join([]string{r.Method, "/", query, "host:" + r.URL.Host, "x-date:" + date, "", "host;x-date", sum(body)}, "\n")
	key := []byte(v.secret)
	for _, part := range append(strings.Split(scope, "/"), "HMAC-SHA256\n"+date+"\n"+scope+"\n"+sum(canonical)) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	r.Header.Set("Authorization", "HMAC-SHA256 Credential="+v.key+"/"+scope+", SignedHeaders=host;x-date, Signature="+hex.EncodeToString(key))
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}
