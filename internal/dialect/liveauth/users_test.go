package liveauth

import (
	"net/http"
	"strings"
	"testing"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

const dave = `{"username":"Dave","email":"dave@example.com","full_name":"Dave Example","password":"a fine password"}`

const closed = `{"detail":"Registration is closed"}`

func TestMeShowsTheCallersAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, ask("GET", "/users/me", b.alice)).want(t, http.StatusOK,
		`{"email":"alice@example.com","full_name":"Alice Example","permission_level":0,"username":"alice"}`)
	b.send(t, ask("GET", "/users/me", b.carol)).want(t, http.StatusOK,
		`{"email":null,"full_name":null,"permission_level":3,"username":"carol"}`)
}

func TestMeTakesTheSchemeInAnyCaseAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, tc := range map[string]struct {
		header string
		status int
		body   string
	}{
		"upper case":       {"BEARER " + b.alice, http.StatusOK, ""},
		"lower case":       {"bearer " + b.alice, http.StatusOK, ""},
		"two spaces":       {"Bearer  " + b.alice, http.StatusUnauthorized, badToken},
		"no token":         {"Bearer", http.StatusUnauthorized, notAuthenticated},
		"no scheme":        {b.alice, http.StatusUnauthorized, notAuthenticated},
		"Basic":            {"Basic YWxpY2U6eA==", http.StatusUnauthorized, notAuthenticated},
		"garbage":          {"Bearer garbage", http.StatusUnauthorized, badToken},
		"another's ending": {"Bearer " + b.alice + "x", http.StatusUnauthorized, badToken},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.send(t, with(ask("GET", "/users/me", ""), "Authorization", tc.header)).want(t, tc.status, tc.body)
			if r.Status == http.StatusUnauthorized && r.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("WWW-Authenticate %q", r.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestTokensInTheQueryAreIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bad(t, ask("GET", "/users/me?access_token="+b.alice+"&token="+b.alice, "")).want(t, http.StatusUnauthorized, notAuthenticated)
}

func TestAdministratorCreatesAccountsThatCanLogIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, dialecttest.JSON("/users/create", b.admin, dave)).want(t, http.StatusOK,
		`{"email":"dave@example.com","full_name":"Dave Example","permission_level":0,"username":"Dave"}`)
	token := decode[gen.Token](t, b.send(t, grant("dave", "a fine password"))).AccessToken
	b.send(t, ask("GET", "/users/me", token)).want(t, http.StatusOK, "")
}

func TestClosedRegistrationRefusesAllButAdministrators(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, tc := range map[string]struct {
		request dialecttest.Request
		status  int
		body    string
	}{
		"nobody":          {dialecttest.JSON("/users/create", "", dave), http.StatusForbidden, closed},
		"HTTP Basic":      {with(dialecttest.JSON("/users/create", "", dave), "Authorization", "Basic YWxpY2U6eA=="), http.StatusForbidden, closed},
		"an account":      {dialecttest.JSON("/users/create", b.alice, dave), http.StatusForbidden, closed},
		"a higher level":  {dialecttest.JSON("/users/create", b.carol, dave), http.StatusForbidden, closed},
		"a bad token":     {dialecttest.JSON("/users/create", "garbage", dave), http.StatusUnauthorized, badToken},
		"bad token first": {dialecttest.JSON("/users/create", "garbage", `{`), http.StatusUnauthorized, badToken},
	} {
		t.Run(name, func(t *testing.T) {
			b.bad(t, tc.request).want(t, tc.status, tc.body)
		})
	}
}

func TestOpenRegistrationTakesAnybodyAtLevelZero(t *testing.T) {
	t.Parallel()
	b := setupWith(t, openRegistration)
	asking := strings.Replace(dave, `{`, `{"permission_level":9,"admin":true,`, 1)
	u := decode[gen.User](t, b.send(t, dialecttest.JSON("/users/create", "", asking)))
	if u.PermissionLevel != 0 {
		t.Errorf("level %d for the asking", u.PermissionLevel)
	}
	token := b.bad(t, grant("dave", "a fine password"))
	b.send(t, ask("GET", "/api/v1/accounts", decode[gen.Token](t, token).AccessToken)).want(t, http.StatusForbidden, "")

	b.send(t, dialecttest.JSON("/users/create", b.alice, strings.ReplaceAll(strings.ReplaceAll(dave, "Dave", "eve"), "dave", "eve"))).want(t, http.StatusOK, "")
	b.send(t, dialecttest.JSON("/users/create", "garbage", dave)).want(t, http.StatusUnauthorized, badToken)
}

func TestDuplicatesAreRefusedWhateverTheirCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, dialecttest.JSON("/users/create", b.admin, dave)).want(t, http.StatusOK, "")
	sameName := strings.NewReplacer("Dave", "dAVE", "dave@", "other@").Replace(dave)
	b.send(t, dialecttest.JSON("/users/create", b.admin, sameName)).want(t, http.StatusBadRequest, `{"detail":"Username already registered"}`)
	sameEmail := strings.NewReplacer(`"Dave"`, `"dave2"`, "dave@", "DAVE@").Replace(dave)
	b.send(t, dialecttest.JSON("/users/create", b.admin, sameEmail)).want(t, http.StatusBadRequest, `{"detail":"Email already registered"}`)
}

func TestNumbersBecomeTextDigitByDigit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"username":12345678901234567890,"email":"n@example.com","full_name":1.50,"password":1234567890123456}`
	u := decode[gen.User](t, b.bad(t, dialecttest.JSON("/users/create", b.admin, body)))
	if u.Username != "12345678901234567890" || *u.FullName != "1.50" {
		t.Errorf("got %+v, %q", u, *u.FullName)
	}
	b.send(t, grant("12345678901234567890", "1234567890123456")).want(t, http.StatusOK, "")
}

func TestCreateTakesJSONByAnyOfItsNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, contentType := range []string{"application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json", "application/json;;"} {
		body := strings.NewReplacer("Dave", "dave"+string(rune('0'+i)), "dave@", string(rune('a'+i))+"@").Replace(dave)
		b.bad(t, with(dialecttest.JSON("/users/create", b.admin, body), "Content-Type", contentType)).want(t, http.StatusOK, "")
	}
	r := dialecttest.JSON("/users/create", b.admin, dave)
	delete(r.Header, "Content-Type")
	b.bad(t, r).want(t, http.StatusOK, "")
}

func TestCreateRefusesABodyOverTheLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := strings.Replace(dave, "Dave Example", strings.Repeat("x", httpx.MaxBody), 1)
	b.bad(t, dialecttest.JSON("/users/create", b.admin, body)).want(t, http.StatusRequestEntityTooLarge, `{"detail":"The request body is too large"}`)
}

func TestLogoutEndsOneTokenInAllDialects(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := decode[gen.Token](t, b.send(t, grant("alice", password))).AccessToken
	second := decode[gen.Token](t, b.send(t, grant("alice", password))).AccessToken
	b.send(t, ask("POST", "/api/v1/logout", first)).want(t, http.StatusNoContent, "")
	b.send(t, ask("GET", "/users/me", first)).want(t, http.StatusUnauthorized, badToken)
	b.send(t, ask("GET", "/users/me", second)).want(t, http.StatusOK, "")
}

func TestDisablingAnAccountEndsItsTokensAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := decode[gen.Token](t, b.send(t, grant("alice", password))).AccessToken
	b.send(t, ask("GET", "/users/me", token)).want(t, http.StatusOK, "")
	b.send(t, patch("/api/v1/accounts/alice", b.admin, `{"disabled":true}`)).want(t, http.StatusOK, "")
	for _, r := range []dialecttest.Request{
		ask("GET", "/users/me", token), ask("GET", "/live/list_tokens", token), ask("GET", "/streams/list", token),
		ask("POST", "/live/create_token?stream=room1", token), dialecttest.JSON("/users/create", token, dave),
	} {
		b.send(t, r).want(t, http.StatusUnauthorized, badToken)
	}
	b.send(t, patch("/api/v1/accounts/alice", b.admin, `{"disabled":false}`)).want(t, http.StatusOK, "")
	b.send(t, ask("GET", "/users/me", token)).want(t, http.StatusUnauthorized, badToken)
	b.send(t, grant("alice", password)).want(t, http.StatusOK, "")
}

func TestLevelsApplyAtOnceToTokensThatAreOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raise := ask("POST", "/live/create_token?stream=room1&level=2", b.alice)
	b.send(t, raise).want(t, http.StatusForbidden, `{"detail":"The level exceeds your permission level"}`)
	b.send(t, patch("/api/v1/accounts/alice", b.admin, `{"permission_level":2}`)).want(t, http.StatusOK, "")
	b.send(t, raise).want(t, http.StatusOK, "")
}
