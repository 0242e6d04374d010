package liveauth

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

const (
	wrongLogin       = `{"detail":"Incorrect username or password"}`
	notAuthenticated = `{"detail":"Not authenticated"}`
	badToken         = `{"detail":"Could not validate credentials"}`
)

func TestLoginAnswersABearerTokenThatOpensTheRest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.send(t, grant("Alice", password))
	token := decode[gen.Token](t, r)
	if token.TokenType != "bearer" || strings.Count(string(r.Body), `"`) != 8 {
		t.Errorf("more or less than token and type: %s", r.Body)
	}
	for header, want := range map[string]string{"Cache-Control": "no-store", "Content-Type": "application/json"} {
		if got := r.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	me := decode[gen.User](t, b.send(t, ask("GET", "/users/me", token.AccessToken)))
	if me.Username != "alice" {
		t.Errorf("the token is of %q", me.Username)
	}
}

func TestLoginTakesBothKindsOfForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	parts, contentType := multipartForm(t, "grant_type", "password", "username", "alice", "password", password, "scope", "a b")
	full := "grant_type=password&username=alice&password=" + strings.ReplaceAll(password, " ", "+") + "&scope=a+b&client_id=x&client_secret=y"
	for name, r := range map[string]dialecttest.Request{
		"multipart":          with(dialecttest.Request{Path: "/auth/token", Body: parts}, "Content-Type", contentType),
		"every field":        dialecttest.Form("/auth/token", "", full),
		"empty grant_type":   dialecttest.Form("/auth/token", "", strings.Replace(full, "grant_type=password", "grant_type=", 1)),
		"charset":            with(dialecttest.Form("/auth/token", "", full), "Content-Type", "Application/X-WWW-Form-URLEncoded; charset=UTF-8"),
		"stale bearer token": dialecttest.Form("/auth/token", "stale", full),
	} {
		t.Run(name, func(t *testing.T) {
			b.send(t, r).want(t, http.StatusOK, "")
		})
	}
}

func TestLoginTakesTheLastOfRepeatedFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := "username=nobody&password=x&" + grant("alice", password).Body
	b.bad(t, dialecttest.Form("/auth/token", "", body)).want(t, http.StatusOK, "")
}

func TestLoginSaysTheSameToUnknownNamesWrongPasswordsAndDisabledAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, patch("/api/v1/accounts/bob", b.admin, `{"disabled":true}`)).want(t, http.StatusOK, "")
	var first reply
	for i, r := range []dialecttest.Request{
		grant("alice", "not the password"), grant("nobody", password), grant("bob", password),
		grant("not/a name", password), grant("alice", strings.Repeat("long", 200)),
	} {
		got := b.send(t, r).want(t, http.StatusUnauthorized, wrongLogin)
		got.Header.Del("X-Request-Id")
		got.Header.Del("Date")
		if i == 0 {
			first = got
		}
		if fmt.Sprint(got.Header) != fmt.Sprint(first.Header) || got.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("case %d differs: %v, %v", i, got.Header, first.Header)
		}
	}
}

func TestLoginThrottlesGuessingWithoutLockingTheOwnerOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var r reply
	for range 20 {
		if r = b.send(t, grant("alice", "a guess")); r.Status == http.StatusTooManyRequests {
			break
		}
	}
	r.want(t, http.StatusTooManyRequests, `{"detail":"Too many attempts"}`)
	if after := r.Header.Get("Retry-After"); after != "30" {
		t.Errorf("Retry-After %q, want the seconds until the next try", after)
	}
	b.send(t, grant("bob", password)).want(t, http.StatusOK, "")
	if token := b.login(t, "alice"); token == "" { // from elsewhere
		t.Error("the owner is locked out")
	}
	b.clock.advance(30 * time.Second)
	b.send(t, grant("alice", password)).want(t, http.StatusOK, "")
}

func TestLoginRefusesFormsThatLackSomething(t *testing.T) {
	t.Parallel()
	b := setup(t)
	both := list(missingField("username"), missingField("password"))
	wrongGrant := entry(`["body","grant_type"]`, `string does not match regex "password"`, "value_error.str.regex")
	file, fileType := multipartFile(t)
	for name, tc := range map[string]struct {
		request dialecttest.Request
		body    string
	}{
		"no body":            {dialecttest.Request{Path: "/auth/token"}, both},
		"JSON":               {dialecttest.JSON("/auth/token", "", `{"username":"alice","password":"`+password+`"}`), both},
		"query":              {dialecttest.Form("/auth/token?username=alice&password=x", "", ""), both},
		"query beside body":  {dialecttest.Form("/auth/token?password=x", "", "username=alice"), list(missingField("password"))},
		"HTTP Basic":         {with(dialecttest.Request{Path: "/auth/token"}, "Authorization", "Basic YWxpY2U6eA=="), both},
		"no password":        {dialecttest.Form("/auth/token", "", "username=alice"), list(missingField("password"))},
		"empty username":     {dialecttest.Form("/auth/token", "", "username=&password=x"), list(missingField("username"))},
		"other grant":        {dialecttest.Form("/auth/token", "", "grant_type=client_credentials&username=a&password=b"), list(wrongGrant)},
		"longer grant":       {dialecttest.Form("/auth/token", "", "grant_type=passwordy&username=a&password=b"), list(wrongGrant)},
		"all at once":        {dialecttest.Form("/auth/token", "", "grant_type=x"), list(wrongGrant, missingField("username"), missingField("password"))},
		"broken escapes":     {dialecttest.Form("/auth/token", "", "username=%zz&password=%"), both},
		"broken multipart":   {with(dialecttest.Request{Path: "/auth/token", Body: "--x\r\nnonsense"}, "Content-Type", "multipart/form-data; boundary=x"), both},
		"no boundary":        {with(dialecttest.Request{Path: "/auth/token", Body: "--x"}, "Content-Type", "multipart/form-data"), both},
		"username is a file": {with(dialecttest.Request{Path: "/auth/token", Body: file}, "Content-Type", fileType), list(missingField("username"))},
		"plain text":         {with(dialecttest.Request{Path: "/auth/token", Body: "username=alice&password=x"}, "Content-Type", "text/plain"), both},
	} {
		t.Run(name, func(t *testing.T) {
			b.bad(t, tc.request).want(t, http.StatusUnprocessableEntity, tc.body)
		})
	}
}

func TestLoginRefusesABodyOverTheLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	big := strings.Repeat("x", httpx.MaxBody+1)
	parts, contentType := multipartForm(t, "username", big)
	for name, r := range map[string]dialecttest.Request{
		"form":      dialecttest.Form("/auth/token", "", "username="+big),
		"multipart": with(dialecttest.Request{Path: "/auth/token", Body: parts}, "Content-Type", contentType),
		"anything":  dialecttest.Request{Path: "/auth/token", Body: big},
	} {
		t.Run(name, func(t *testing.T) {
			b.bad(t, r).want(t, http.StatusRequestEntityTooLarge, `{"detail":"The request body is too large"}`)
		})
	}
}

func TestTokenTTLIsTheConfiguredOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := decode[gen.Token](t, b.send(t, grant("alice", password))).AccessToken
	b.clock.advance(24*time.Hour - time.Second)
	b.send(t, ask("GET", "/users/me", token)).want(t, http.StatusOK, "")
	b.clock.advance(2 * time.Second)
	b.send(t, ask("GET", "/users/me", token)).want(t, http.StatusUnauthorized, badToken)
}

func multipartForm(t *testing.T, namesAndValues ...string) (body, contentType string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for i := 0; i < len(namesAndValues); i += 2 {
		if err := w.WriteField(namesAndValues[i], namesAndValues[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String(), w.FormDataContentType()
}

// multipartFile is a form that sends the user name as a file.
func multipartFile(t *testing.T) (body, contentType string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	part, err := w.CreateFormFile("username", "name.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte("alice")); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteField("password", "x"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String(), w.FormDataContentType()
}

// patch changes an account through our own operations.
func patch(path, token, body string) dialecttest.Request {
	r := dialecttest.JSON(path, token, body)
	r.Method = http.MethodPatch
	return r
}
