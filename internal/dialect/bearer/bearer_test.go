package bearer_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// scopes stands for the key under which generated code leaves an operation's
// scopes.
type scopes struct{}

var errBad = errs.New(errs.Unauthorized, "token_invalid", "Could not validate credentials")

// door accepts one token and remembers what it was asked.
type door struct{ asked []string }

func (d *door) Authenticate(_ context.Context, token string) (account.Principal, error) {
	d.asked = append(d.asked, token)
	if token != "good" {
		return account.Principal{}, errBad
	}
	return account.Principal{Account: account.Account{Username: "alice"}, TokenID: "t1"}, nil
}

func fail(w http.ResponseWriter, _ *http.Request, err error) {
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(errs.As(err).Reason))
}

// request has the headers of one name, and the scopes if the operation is secured.
func request(secured bool, authorization ...string) *http.Request {
	r := httptest.NewRequest("GET", "/x?token=good", nil)
	r.AddCookie(&http.Cookie{Name: "jwt", Value: "good"})
	for _, h := range authorization {
		r.Header.Add("Authorization", h)
	}
	if secured {
		r = r.WithContext(context.WithValue(r.Context(), scopes{}, []string{}))
	}
	return r
}

func TestHeaderDecidesWhoCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers []string
		want    string // "" for admitted
		asked   string
	}{
		"good":                         {[]string{"Bearer good"}, "", "good"},
		"scheme in lower case":         {[]string{"bearer good"}, "", "good"},
		"scheme in upper case":         {[]string{"BEARER good"}, "", "good"},
		"no header":                    {nil, "not_authenticated", ""},
		"empty header":                 {[]string{""}, "not_authenticated", ""},
		"scheme alone":                 {[]string{"Bearer"}, "not_authenticated", ""},
		"scheme and a blank":           {[]string{"Bearer "}, "not_authenticated", ""},
		"token alone":                  {[]string{"good"}, "not_authenticated", ""},
		"another scheme":               {[]string{"Basic good"}, "not_authenticated", ""},
		"a scheme that starts like it": {[]string{"BearerX good"}, "not_authenticated", ""},
		"a tab":                        {[]string{"Bearer\tgood"}, "not_authenticated", ""},
		"two blanks":                   {[]string{"Bearer  good"}, "token_invalid", " good"},
		"something behind the token":   {[]string{"Bearer good good"}, "token_invalid", "good good"},
		"a bad token":                  {[]string{"Bearer bad"}, "token_invalid", "bad"},
		"the first of two headers":     {[]string{"Bearer bad", "Bearer good"}, "token_invalid", "bad"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &door{}
			w := httptest.NewRecorder()
			var who account.Principal
			reached := false
			h := bearer.Middleware(d, scopes{}, fail)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				reached, who = true, bearer.Principal(r.Context())
			}))
			h.ServeHTTP(w, request(true, c.headers...))
			if got := w.Body.String(); got != c.want || reached != (c.want == "") {
				t.Errorf("answer %q, handler reached: %v; want %q", got, reached, c.want)
			}
			if reached && (who.Username != "alice" || who.TokenID != "t1") {
				t.Errorf("principal %+v", who)
			}
			if got := strings.Join(d.asked, "|"); got != c.asked {
				t.Errorf("authenticated %q, want %q", got, c.asked)
			}
		})
	}
}

func TestOpenOperationsDoNotLookAtTheHeader(t *testing.T) {
	t.Parallel()
	d := &door{}
	w := httptest.NewRecorder()
	h := bearer.Middleware(d, scopes{}, fail)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if who := bearer.Principal(r.Context()); who.Username != "" {
			t.Errorf("an open operation is called by %q", who.Username)
		}
	}))
	h.ServeHTTP(w, request(false, "Bearer live"))
	if w.Code != http.StatusOK || len(d.asked) != 0 {
		t.Errorf("status %d, authenticated %q", w.Code, d.asked)
	}
}

func TestAccessLogNamesTheCaller(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	rt := httpx.NewRouter()
	h := bearer.Middleware(&door{}, scopes{}, fail)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	rt.HandleFunc("GET /x", h.ServeHTTP)
	chain := httpx.Config{Log: slog.New(slog.NewTextHandler(&logged, nil)), Now: time.Now, Rand: strings.NewReader(strings.Repeat("r", 64))}.Wrap(rt)
	chain.ServeHTTP(httptest.NewRecorder(), request(true, "Bearer good"))
	if !strings.Contains(logged.String(), "principal=alice") || strings.Contains(logged.String(), "good") {
		t.Errorf("logged %s", logged.String())
	}
}

func TestBadParametersOfNobodyAreAnAuthenticationFailure(t *testing.T) {
	t.Parallel()
	bad := errors.New("level is not a number")
	for name, c := range map[string]struct {
		r    *http.Request
		want error
	}{
		"secured, good token": {request(true, "Bearer good"), bad},
		"secured, bad token":  {request(true, "Bearer bad"), errBad},
		"secured, no token":   {request(true), errs.New(errs.Unauthorized, "not_authenticated", "")},
		"open, no token":      {request(false), bad},
		"open, bad token":     {request(false, "Bearer bad"), bad},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got error
			bearer.ParamErrors(&door{}, scopes{}, func(_ http.ResponseWriter, _ *http.Request, err error) { got = err })(httptest.NewRecorder(), c.r, bad)
			if !errors.Is(got, c.want) {
				t.Errorf("answered with %v, want %v", got, c.want)
			}
		})
	}
}

func TestUncheckedHandsOnWhateverTokenThereIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		token  string
	}{
		"any token":     {request(true, "bearer  anything"), 200, " anything"},
		"none":          {request(true), 401, ""},
		"other scheme":  {request(true, "Basic good"), 401, ""},
		"another rule":  {request(false, "Bearer good"), 200, ""},
		"nothing at it": {request(false), 200, ""},
	} {
		var token string
		w := httptest.NewRecorder()
		bearer.Unchecked(scopes{}, fail)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { token = bearer.Token(r.Context()) })).ServeHTTP(w, c.r)
		if w.Code != c.status || token != c.token {
			t.Errorf("%s: %d, %q", name, w.Code, token)
		}
	}
}
