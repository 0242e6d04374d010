package stagedoor

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func TestEveryKindHasAStatus(t *testing.T) {
	t.Parallel()
	for _, kind := range errs.Kinds {
		w := httptest.NewRecorder()
		(&Server{}).writeError(w, httptest.NewRequest(http.MethodGet, "/", nil), errs.New(kind, "reason", "a message").With(errors.New("hidden")))
		if w.Code < 400 || strings.Contains(w.Body.String(), "hidden") {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
		if throttled := kind == errs.RateLimited || kind == errs.Unavailable; throttled != (w.Header().Get("Retry-After") == "1") {
			t.Errorf("%s: Retry-After %q", kind, w.Header().Get("Retry-After"))
		}
	}
}

func TestUnknownErrorsSayNothing(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	(&Server{}).writeError(w, httptest.NewRequest(http.MethodGet, "/", nil), errors.New("password authentication failed for 10.0.0.1"))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "10.0.0.1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestADatabaseThatIsAwayIsToldAsSuch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Close()
	for _, r := range []dialecttest.Request{
		ask("GET", "/api/v1/accounts", b.admin), ask("GET", "/api/v1/accounts/alice", b.admin),
		patch("alice", b.admin, `{"admin":true}`), ask("POST", "/api/v1/logout", b.admin),
		ask("DELETE", "/api/v1/accounts/alice", b.admin), ask("GET", "/api/v1/access-keys", b.admin),
		newKey(b.admin, `{"username":"alice"}`), ask("DELETE", "/api/v1/access-keys/AKSD00000000000000000000", b.admin),
		ask("GET", "/api/v1/nodes", b.admin), newNode(b.admin, `{"name":"edge1","kind":"srs"}`), ask("GET", "/api/v1/nodes/edge1", b.admin),
		patchNode("edge1", b.admin, `{"kind":"any"}`), ask("DELETE", "/api/v1/nodes/edge1", b.admin), ask("POST", "/api/v1/nodes/edge1/secret", b.admin),
		ask("GET", "/api/v1/nodes/edge1/configuration", b.admin), ask("GET", "/api/v1/relays", b.admin),
		ask("GET", "/api/v1/events", b.admin), ask("GET", "/api/v1/events/live", b.admin),
		ask("GET", "/api/v1/refusals", b.admin), explainURL(b.admin, `{"url":"rtmp://h/live/x"}`),
		ask("GET", "/api/v1/rooms", b.admin), ask("GET", "/api/v1/rooms?text=x", b.admin), ask("GET", "/api/v1/rooms/r1", b.admin),
		ask("DELETE", "/api/v1/rooms/r1", b.admin), ask("POST", "/api/v1/rooms/r1/start", b.admin), ask("POST", "/api/v1/rooms/r1/pause", b.admin),
		ask("POST", "/api/v1/rooms/r1/stop", b.admin),
		ask("GET", "/api/v1/live-streams", b.admin), ask("GET", "/api/v1/live-streams/samples?app=live&stream=a", b.admin),
		ask("DELETE", "/api/v1/live-streams?app=live&stream=a", b.admin), ask("GET", "/api/v1/sessions", b.admin),
		ask("GET", "/api/v1/sessions?state=ended", b.admin), ask("GET", "/api/v1/sessions?state=ended&scene=play", b.admin), ask("DELETE", "/api/v1/sessions/1", b.admin),
		ask("GET", "/api/v1/rules", b.admin), dialecttest.JSON("/api/v1/rules", b.admin, `{"scene":"play"}`), ask("GET", "/api/v1/rules/1", b.admin),
		patchRule("1", b.admin, `{"enabled":true}`), ask("DELETE", "/api/v1/rules/1", b.admin), dialecttest.JSON("/api/v1/rules/1/keys", b.admin, `{}`),
		ask("POST", "/api/v1/rules/1/keys/k/activate", b.admin), ask("POST", "/api/v1/rules/1/keys/k/retire", b.admin),
		ask("POST", "/api/v1/rules/1/keys/k/revoke", b.admin), ask("GET", "/api/v1/bans", b.admin), ask("GET", "/api/v1/live-tokens", b.admin), ask("DELETE", "/api/v1/live-tokens?stream=a", b.admin),
		dialecttest.JSON("/api/v1/bans", b.admin, `{"app":"live","stream":"a"}`), ask("DELETE", "/api/v1/bans?app=live&stream=a", b.admin),
	} {
		got := b.send(t, r).want(t, http.StatusServiceUnavailable, "temporarily_unavailable")
		if got.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
	}
}

func change(body string) func(*testing.T, *bench) dialecttest.Request {
	return dialecttest.Fixed(func(b *bench) dialecttest.Request { return patch("alice", b.admin, body) })
}

func TestConformance(t *testing.T) {
	t.Parallel()
	challenge := map[string]string{"WWW-Authenticate": "Bearer"}
	var cases []dialecttest.Case[*bench]
	for _, op := range []string{"POST /api/v1/logout", "GET /api/v1/accounts", "GET /api/v1/accounts/alice", "PATCH /api/v1/accounts/alice",
		"DELETE /api/v1/accounts/alice", "GET /api/v1/access-keys", "POST /api/v1/access-keys", "DELETE /api/v1/access-keys/AKSD00000000000000000000",
		"GET /api/v1/nodes", "POST /api/v1/nodes", "GET /api/v1/nodes/edge1", "PATCH /api/v1/nodes/edge1", "DELETE /api/v1/nodes/edge1",
		"POST /api/v1/nodes/edge1/secret", "GET /api/v1/nodes/edge1/configuration", "GET /api/v1/relays", "POST /api/v1/explain", "GET /api/v1/refusals", "GET /api/v1/overview",
		"GET /api/v1/rooms", "GET /api/v1/rooms/r1", "DELETE /api/v1/rooms/r1", "POST /api/v1/rooms/r1/start", "POST /api/v1/rooms/r1/pause",
		"POST /api/v1/rooms/r1/stop", "GET /api/v1/events", "GET /api/v1/events/live",
		"GET /api/v1/live-streams", "GET /api/v1/live-streams/samples?app=live&stream=a",
		"DELETE /api/v1/live-streams?app=live&stream=a", "GET /api/v1/sessions", "DELETE /api/v1/sessions/1",
		"GET /api/v1/rules", "POST /api/v1/rules", "GET /api/v1/rules/1", "PATCH /api/v1/rules/1", "DELETE /api/v1/rules/1", "POST /api/v1/rules/1/keys",
		"POST /api/v1/rules/1/keys/k/activate", "POST /api/v1/rules/1/keys/k/retire", "POST /api/v1/rules/1/keys/k/revoke",
		"GET /api/v1/live-tokens", "DELETE /api/v1/live-tokens?stream=a", "GET /api/v1/bans", "POST /api/v1/bans", "DELETE /api/v1/bans?app=live&stream=a"} {
		method, path, _ := strings.Cut(op, " ")
		cases = append(cases,
			dialecttest.Case[*bench]{Fault: dialecttest.NoCredential, Name: op, Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask(method, path, "") })},
			dialecttest.Case[*bench]{Fault: dialecttest.BadCredential, Name: op, Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask(method, path, b.admin+"x") })},
			dialecttest.Case[*bench]{Fault: dialecttest.ExpiredCredential, Name: op, Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
					b.clock.advance(25 * time.Hour)
					return ask(method, path, b.admin)
				})})
	}
	dialecttest.Run(t, dialecttest.Suite[*bench]{
		Setup:     setup,
		Server:    func(b *bench) dialecttest.Server { return b.server },
		Schema:    func(int) string { return "Error" },
		RequestID: requestID,
		Envelope:  checkEnvelope,
		Cases: append(cases, []dialecttest.Case[*bench]{
			{Fault: dialecttest.UnknownOperation, Name: "ours", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("GET", "/api/v1/none", b.admin) })},
			{Fault: dialecttest.UnknownOperation, Name: "nobody's", Status: 404,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask("GET", "/wp-login.php", "") })},
			{Fault: dialecttest.UnknownOperation, Name: "a doubled slash", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("GET", "/api//v1/accounts", b.admin) })},
			{Fault: dialecttest.WrongMethod, Name: "accounts", Status: 405, Header: map[string]string{"Allow": "GET, HEAD"},
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("PUT", "/api/v1/accounts", b.admin) })},
			{Fault: dialecttest.Malformed, Name: "JSON", Status: 400, Request: change(`{"disabled":`)},
			{Fault: dialecttest.MissingField, Name: "no body", Status: 400, Request: change(``)},
			{Fault: dialecttest.WrongType, Name: "disabled", Status: 400, Request: change(`{"disabled":"true"}`)},
			{Fault: dialecttest.OverLong, Name: "email", Status: 400, Request: change(`{"email":"` + strings.Repeat("x", 250) + `@example.com"}`)},
			{Fault: dialecttest.OverLong, Name: "username", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
					return ask("GET", "/api/v1/accounts/"+strings.Repeat("x", 300), b.admin)
				})},
			{Fault: dialecttest.NotFound, Name: "get", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("GET", "/api/v1/accounts/nobody", b.admin) })},
			{Fault: dialecttest.NotFound, Name: "a name with a slash", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("GET", "/api/v1/accounts/a%2Fb", b.admin) })},
			{Fault: dialecttest.NotFound, Name: "update", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return patch("nobody", b.admin, `{"disabled":true}`) })},
			{Fault: dialecttest.Conflict, Name: "email", Status: 409,
				Request: func(t *testing.T, b *bench) dialecttest.Request {
					b.addAccount(t, account.NewAccount{Username: "bob", Email: "bob@example.com"})
					return patch("alice", b.admin, `{"email":"BOB@example.com"}`)
				}},
			{Fault: dialecttest.OtherOwner, Name: "no administrator", Status: 403,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return patch("admin", b.alice, `{"disabled":true}`) })},
			{Fault: dialecttest.Oversize, Name: "JSON", Status: 413, Request: change(`{"full_name":"` + strings.Repeat("x", httpx.MaxBody) + `"}`)},
			{Fault: dialecttest.Panic, Name: "in a handler", Status: 500,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask("GET", "/api/v1/broken", "") })},
		}...),
	})
}
