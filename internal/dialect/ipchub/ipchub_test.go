package ipchub

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
)

const (
	noToken  = "Token is not valid"
	noAdmin  = "访问被拒绝，请用管理员登录"
	noSuch   = "404 page not found"
	noLogin  = "未提供用户名或密码"
	badLogin = "用户名或密码错误"
)

// TestRefusals is a table of requests and the texts that clients know.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.streams.told = []ledger.LiveStream{onAir("live", "door1"), onAir("live", "a:b"), onAir("other", "door1")}
	for _, c := range []struct {
		method, path, token, body string
		status                    int
		text                      string
	}{
		{"GET", "/api/v1/users", "", "", 401, noToken},
		{"GET", "/api/v1/users?token=bad&token=" + b.admin, "", "", 401, noToken},
		{"GET", "/api/v1/users", b.bob, "", 403, noAdmin},
		{"GET", "/api/v1/users/a/b", "", "", 401, noToken},
		{"GET", "/api/v1/users/a/b", b.bob, "", 403, noAdmin},
		{"GET", "/api/v1/users/a/b", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/users/a%2Fb", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/users/none", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/users/", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/routes/", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/routes/none", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/streams/", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/server/", "", "", 401, noToken},
		{"POST", "/api/v1/server", "", "", 404, noSuch},
		{"PUT", "/api/v1/users", "", "", 401, noToken},
		{"PUT", "/api/v1/users", b.bob, "", 403, noAdmin},
		{"PUT", "/api/v1/users", b.admin, "", 404, noSuch},
		{"OPTIONS", "/api/v1/login", "", "", 404, noSuch},
		{"OPTIONS", "/api/v1/users", "", "", 401, noToken},
		{"DELETE", "/api/v1/streams", b.admin, "", 404, noSuch},
		{"DELETE", "/api/v1/streams/live/door1", b.bob, "", 403, noAdmin},
		{"GET", "/api/v1/streams/live/door1/", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/streams/live/a:b", b.admin, "", 404, noSuch},
		{"DELETE", "/api/v1/streams/live/a:b", b.admin, "", 404, noSuch},
		{"GET", "/api/v1/streams/live/door1:consumer", b.admin, "", 404, noSuch},
		{"DELETE", "/api/v1/streams/live/door1:Consumer?cid=1", b.admin, "", 404, noSuch},
		{"DELETE", "/api/v1/streams/live/door1:consumers?cid=1", b.admin, "", 404, noSuch},
		{"DELETE", "/api/v1/streams/live/door1:consumer", b.admin, "", 400, "cid is missing"},
		{"DELETE", "/api/v1/streams/live/door1%3Aconsumer?cid=x", b.admin, "", 400, "cid is not a whole number"},
		{"DELETE", "/api/v1/streams/live/door1:consumer?cid=x", "", "", 401, noToken},
		{"GET", "/api/v1/streams/other/door1", b.bob, "", 404, noSuch},
		{"GET", "/api/v1/streams/none", b.bob, "", 404, noSuch},
		{"GET", "/api/v1/users?page_size=abc", b.admin, "", 400, "page_size is not a whole number"},
		{"GET", "/api/v1/users?page_size=1.5", b.admin, "", 400, "page_size is not a whole number"},
		{"GET", "/api/v1/users?page_size=-1", b.admin, "", 400, errPageSize.Message},
		{"GET", "/api/v1/routes?page_size=-1", b.admin, "", 400, errPageSize.Message},
		{"GET", "/api/v1/streams?page_size=-1", b.admin, "", 400, errPageSize.Message},
		{"GET", "/api/v1/users?page_size=abc", "", "", 401, noToken},
		{"GET", "/api/v1/streams?page_token=%00", b.admin, "", 400, errPageToken.Message},
		{"POST", "/api/v1/login", "", "", 403, noLogin},
		{"POST", "/api/v1/login", "", "username=a&password=b", 403, noLogin},
		{"POST", "/api/v1/login", "", `{"username":1}`, 403, noLogin},
		{"POST", "/api/v1/login", "", `[]`, 403, noLogin},
		{"POST", "/api/v1/login", "", `{}`, 403, badLogin},
		{"POST", "/api/v1/login", "", `{"username":"none","password":"` + password + `"}`, 403, badLogin},
		{"POST", "/api/v1/login", "", `{"username":"bob","password":"wrong"}`, 403, badLogin},
		{"GET", "/api/v1/refreshtoken", "", "", 401, noToken},
		{"GET", "/api/v1/refreshtoken", b.admin, "", 401, noToken},
		{"POST", "/api/v1/users", b.admin, "", 400, ""},
		{"POST", "/api/v1/users", b.admin, `{"name":`, 400, ""},
		{"POST", "/api/v1/users", b.admin, `{}`, 400, ""},
		{"POST", "/api/v1/users", b.admin, `null`, 400, ""},
		{"POST", "/api/v1/users", b.admin, "{\"name\":\"\xff\"}", 400, ""},
		{"POST", "/api/v1/users", b.admin, `{"name":"x","admin":1}`, 400, "admin is of the wrong type"},
		{"POST", "/api/v1/users", b.admin, `{"name":{}}`, 400, "name is of the wrong type"},
		{"POST", "/api/v1/users", b.admin, `{"name":"a/b"}`, 400, ""},
		{"POST", "/api/v1/users", b.admin, `{"name":"admin"}`, 409, ""},
		{"DELETE", "/api/v1/users/admin", b.admin, "", 409, ""},
		{"POST", "/api/v1/routes", b.admin, `{"pattern":"/a","url":""}`, 400, ""},
		{"POST", "/api/v1/routes", b.admin, `{"pattern":"/a","url":"http://[::1"}`, 400, ""},
	} {
		a := b.bad(t, ask(c.method, c.path, c.token, c.body))
		checkRefusal(t, a)
		if a.Status != c.status || c.text != "" && strings.TrimSuffix(string(a.Body), "\n") != c.text || a.Header.Get("Location") != "" {
			t.Errorf("%s %s %q: %d %q, want %d %q", c.method, strings.ReplaceAll(c.path, b.admin, "…"), c.body, a.Status, a.Body, c.status, c.text)
		}
	}
}

func TestHeadIsNoMethod(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for p, want := range map[string]int{"/api/v1/server": 404, "/api/v1/streams": 401, "/api/v1/streams?token=" + b.bob: 403, "/api/v1/streams?token=" + b.admin: 404} {
		if a := b.bad(t, dialecttest.Request{Method: "HEAD", Path: p}); a.Status != want {
			t.Errorf("%d, want %d", a.Status, want)
		}
	}
}

func TestAccountsAreWrittenWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.good(t, ask("POST", "/api/v1/users", b.admin, `{"name":"Carol","password":"a long way to go","push":"/a","pull":"/b"}`))
	if got := decode(t, b.good(t, ask("GET", "/api/v1/users/CAROL", b.admin, ""))); fmt.Sprint(got) != "map[name:carol pull:/b push:/a]" {
		t.Errorf("%v", got)
	}
	a := b.bad(t, ask("POST", "/api/v1/users", b.admin, `{"NAME":"carol","admin":"true","what":1} and more`))
	if a.Status != 200 || len(a.Body) != 0 || a.Header.Get("Content-Type") != "" {
		t.Errorf("%d %q", a.Status, a.Body)
	}
	if got := decode(t, b.good(t, ask("GET", "/api/v1/users/carol", b.admin, ""))); fmt.Sprint(got) != "map[admin:true name:carol pull:* push:*]" {
		t.Errorf("%v", got)
	}
	login := func() int {
		return b.bad(t, ask("POST", "/api/v1/login", "", `{"username":"CAROL","password":"another long way"}`)).Status
	}
	b.bad(t, ask("POST", "/api/v1/users?update_password=true", b.admin, `{"name":"carol","password":"another long way"}`))
	if got := login(); got != 403 {
		t.Errorf("the password changed: %d", got)
	}
	b.good(t, ask("POST", "/api/v1/users?update_password=1", b.admin, `{"name":"carol","password":"another long way"}`))
	if got := login(); got != 200 {
		t.Errorf("the password did not change: %d", got)
	}
	for range 2 {
		b.good(t, ask("DELETE", "/api/v1/users/carol", b.admin, ""))
	}
}

func TestPairsRotate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := decode(t, b.good(t, ask("POST", "/api/v1/login", "", `{"username":"admin","password":"`+password+`"}`)))
	a := b.good(t, ask("GET", "/api/v1/refreshtoken", first["refresh_token"].(string), ""))
	second := decode(t, a)
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", a.Header)
	}
	if a := b.bad(t, ask("GET", "/api/v1/users", first["access_token"].(string), "")); a.Status != 401 {
		t.Errorf("the old access token lives: %d", a.Status)
	}
	b.good(t, dialecttest.Request{Method: "GET", Path: "/api/v1/users", Header: map[string]string{"Authorization": "bearer " + second["access_token"].(string)}})
	if a := b.bad(t, ask("GET", "/api/v1/refreshtoken", first["refresh_token"].(string), "")); a.Status != 401 {
		t.Errorf("a refresh token works twice: %d", a.Status)
	}
}

func TestPagesOfAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for query, want := range map[string]string{
		"":                           `[admin bob] bob`,
		"?page_size=":                `[admin bob] bob`,
		"?page_size=1":               `[admin] admin`,
		"?page_size=1000000000000":   `[admin bob] bob`,
		"?page_size=0":               `[] `,
		"?page_token=admin":          `[bob] bob`,
		"?page_token=ac":             `[admin bob] bob`,
		"?page_token=zz":             `[] zz`,
		"?page_token=b%2F":           `[bob] bob`,
		"?page_size=1&page_size=abc": `[admin] admin`,
	} {
		got := decode(t, b.bad(t, ask("GET", "/api/v1/users"+query, b.admin, "")))
		var names []any
		users, _ := got["users"].([]any)
		for _, u := range users {
			names = append(names, u.(map[string]any)["name"])
		}
		if text := fmt.Sprint(names, " ", got["next_page_token"]); text != want || got["total"] != 2.0 {
			t.Errorf("%s: %s of %v, want %s", query, text, got["total"], want)
		}
	}
}

func TestRoutesAreKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, pattern := range []string{"/HR/", "hr", "/", "//a/./b"} {
		b.bad(t, ask("POST", "/api/v1/routes", b.admin, `{"pattern":"`+pattern+`","url":"rtsp://u:secret@203.0.113.9/v","keepalive":true}`))
	}
	list := string(b.good(t, ask("GET", "/api/v1/routes", b.admin, "")).Body)
	if strings.Contains(list, "secret") || !strings.Contains(list, `"total": 4`) {
		t.Errorf("%s", list)
	}
	for p, want := range map[string]string{"hr/": "/hr/", "hr": "/hr", "%2Fhr%2F": "/hr/", "%2F": "/", "A//b": "/a/b", "a%2Fb": "/a/b", "x/../a/b": "/a/b"} {
		a := b.bad(t, ask("GET", "/api/v1/routes/"+p, b.admin, ""))
		if a.Status != 200 || decode(t, a)["pattern"] != want {
			t.Errorf("%s: %d %s", p, a.Status, a.Body)
		}
	}
	for range 2 {
		b.good(t, ask("DELETE", "/api/v1/routes/hr/", b.admin, ""))
		b.bad(t, ask("DELETE", "/api/v1/routes/%2F", b.admin, ""))
	}
	if got := decode(t, b.good(t, ask("GET", "/api/v1/routes", b.admin, "")))["total"]; got != 2.0 {
		t.Errorf("%v are left", got)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := decode(t, b.good(t, ask("GET", "/api/v1/streams", b.admin, ""))); fmt.Sprint(got) != "map[next_page_token: total:0]" {
		t.Errorf("%v", got)
	}
	b.streams.told = []ledger.LiveStream{onAir("live", "door1"), onAir("live", "door2"), onAir("other", "door1")}
	if got := decode(t, b.good(t, ask("GET", "/api/v1/streams?page_size=1", b.bob, ""))); got["total"] != 2.0 || got["next_page_token"] != "/live/door1" {
		t.Errorf("%v", got)
	}
	if got := decode(t, b.good(t, ask("GET", "/api/v1/streams?page_token=/live/door1", b.bob, ""))); got["next_page_token"] != "/live/door2" {
		t.Errorf("%v", got)
	}
	if got := decode(t, b.good(t, ask("GET", "/api/v1/streams", b.admin, ""))); got["total"] != 3.0 || got["next_page_token"] != "/other/door1" {
		t.Errorf("%v", got)
	}
	got := decode(t, b.good(t, ask("GET", "/api/v1/streams/LIVE%2Fdoor1?c=1", b.bob, "")))
	var ids []any
	for _, c := range got["cs"].([]any) {
		ids = append(ids, c.(map[string]any)["id"])
	}
	if fmt.Sprint(ids) != "[8 7 9]" || got["cc"] != 3.0 || got["size"] != 2.0 || got["audio"] != nil ||
		fmt.Sprint(got["video"]) != "map[codec:H264 width:1280]" || got["addr"] != "192.0.2.3" {
		t.Errorf("%v", got)
	}
	b.good(t, ask("DELETE", "/api/v1/streams/live/door1", b.admin, ""))
	b.good(t, ask("DELETE", "/api/v1/streams/none", b.admin, ""))
	b.good(t, ask("DELETE", "/api/v1/streams/live/door1:consumer?cid=4294967303", b.admin, ""))
	b.good(t, ask("DELETE", "/api/v1/streams/none:consumer?cid=1", b.admin, ""))
	if len(b.streams.kicked) != 1 || !slices.Equal(b.streams.cut, []int64{4294967303}) {
		t.Errorf("%v %v", b.streams.kicked, b.streams.cut)
	}
	b.streams.err = errCannot
	for _, p := range []string{"/api/v1/streams/live/door1", "/api/v1/streams/live/door1:consumer?cid=7"} {
		if a := b.bad(t, ask("DELETE", p, b.admin, "")); a.Status != 409 {
			t.Errorf("%s: %d %s", p, a.Status, a.Body)
		}
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.clock.advance(2 * time.Second)
	if got := decode(t, b.good(t, ask("GET", "/api/v1/server", "", ""))); got["version"] != "test" || got["duration"] != "2s" {
		t.Errorf("%v", got)
	}
	if got := decode(t, b.good(t, ask("GET", "/api/v1/runtime", "", ""))); got["extra"] != nil || got["proc"].(map[string]any)["priv"] == 0.0 {
		t.Errorf("%v", got)
	}
	if got := decode(t, b.bad(t, ask("GET", "//api/v1/./runtime?extra=1", "", ""))); got["extra"] == nil {
		t.Errorf("%v", got)
	}
	if s := estimate(); s.resident <= 0 || s.virtual < s.resident {
		t.Errorf("%+v", s)
	}
}

func TestTheTypeFollowsTheAcceptHeader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for accept, want := range map[string]string{"": jsonType, "*/*": textType, "text/html,*/*;q=0.8": textType, "application/json": jsonType,
		"application/json, text/plain, */*": jsonType, "application/json;q=0, */*": textType, ";": textType} {
		r := ask("GET", "/api/v1/server", "", "")
		if accept != "" {
			r.Header = map[string]string{"Accept": accept}
		}
		a := b.good(t, r)
		if got := a.Header.Get("Content-Type"); got != want || !strings.HasPrefix(string(a.Body), "{\n\t\"") || strings.HasSuffix(string(a.Body), "\n") {
			t.Errorf("%q: %q %q", accept, got, a.Body)
		}
	}
}

func TestEveryKindHasAText(t *testing.T) {
	t.Parallel()
	for _, k := range errs.Kinds {
		w := httptest.NewRecorder()
		(&Server{}).writeError(w, httptest.NewRequest("GET", loginPath, nil), errs.New(k, "some_reason", "a message"))
		if w.Body.Len() < 2 || w.Code < 400 {
			t.Errorf("%v: %d %q", k, w.Code, w.Body)
		}
	}
}

func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"/api/v1/streams/a/b", "/api/v1/streams/a%2Fb:consumer", "//api/v1/../streams//", "/api/v1/routes/%2F", "/a:b/c:d:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.NewRequest("GET", "http://h/"+target, nil)
		if err != nil {
			t.Skip()
		}
		tidy(r)
		if p := r.URL.Path; r.URL.RawPath == "" && p != path.Clean(p) && p != path.Clean(p)+"/" {
			t.Errorf("%q is left as %q", target, p)
		}
		before, verb, found := cutVerb(r.URL.Path)
		if found && before+":"+verb != r.URL.Path || !found && before != r.URL.Path || strings.ContainsAny(verb, ":/") {
			t.Errorf("%q is cut to %q, %q", r.URL.Path, before, verb)
		}
	})
}
