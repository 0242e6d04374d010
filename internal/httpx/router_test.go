package httpx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func TestUnknownPathsAndMethodsAreAnsweredByTheLongestPrefix(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.Errors(envelope("root"), "/")
	b.rt.Errors(envelope("app"), "/login", "/api/v1/live/", "/api/v2/live/")
	b.rt.Errors(envelope("own"), "/api/v1/")
	b.rt.HandleFunc("POST /login", ok)
	b.rt.HandleFunc("POST /api/v1/live/create", ok)
	b.rt.HandleFunc("GET /api/v1/nodes/{name}", ok)
	b.rt.HandleFunc("PATCH /api/v1/nodes/{name}", ok)
	for _, c := range []struct{ method, path, want, allow string }{
		{"POST", "/login", "200 ok", ""},
		{"GET", "/login", "405 app:method_not_allowed", "POST"},
		{"GET", "/api/v1/live/create", "405 app:method_not_allowed", "POST"},
		{"POST", "/api/v1/live/nothing", "404 app:no_such_path", ""},
		{"POST", "/api/v2/live/create", "404 app:no_such_path", ""},
		{"DELETE", "/api/v1/nodes/a", "405 own:method_not_allowed", "GET, HEAD, PATCH"},
		{"BREW", "/api/v1/nodes/a", "405 own:method_not_allowed", "GET, HEAD, PATCH"},
		{"OPTIONS", "/api/v1/nodes/a", "405 own:method_not_allowed", "GET, HEAD, PATCH"},
		{"HEAD", "/api/v1/nodes/a", "200 ok", ""},
		{"GET", "/api/v1/nothing", "404 own:no_such_path", ""},
		{"GET", "/api/v1/nodes/a%2Fb", "200 ok", ""},
		{"GET", "/", "404 root:no_such_path", ""},
		{"GET", "/api", "404 root:no_such_path", ""},
	} {
		w := b.serve(httptest.NewRequest(c.method, c.path, nil))
		if got := fmt.Sprintf("%d %s", w.Code, w.Body); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
		if got := w.Header().Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
		}
	}
}

func TestPathsOfNoDialectAreAnsweredPlainly(t *testing.T) {
	t.Parallel()
	rt := httpx.NewRouter()
	rt.HandleFunc("GET /x", ok)
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/nothing", 404}, {"POST", "/x", 405}} {
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || strings.TrimSpace(w.Body.String()) != http.StatusText(c.status) {
			t.Errorf("%s %s: %d %q", c.method, c.path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	rt.Fail(w, httptest.NewRequest("GET", "/x", nil), errs.New(errs.Internal, "internal", "hidden"))
	if w.Code != 500 || strings.Contains(w.Body.String(), "hidden") {
		t.Errorf("internal error: %d %q", w.Code, w.Body)
	}
}

func TestNoPathIsEverRedirected(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.Errors(envelope("any"), "/")
	b.rt.HandleFunc("POST /callback/on_publish", ok)
	b.rt.HandleFunc("GET /tree/", ok)
	b.rt.HandleFunc("GET /{$}", ok)
	b.rt.HandleFunc("GET /wild/{rest...}", ok)
	srv := httptest.NewServer(b.config.Wrap(b.rt))
	t.Cleanup(srv.Close)
	srv.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/callback/on_publish", 200},
		{"POST", "/callback//on_publish", 404},
		{"POST", "//callback/on_publish", 404},
		{"POST", "/callback/./on_publish", 404},
		{"POST", "/x/../callback/on_publish", 404},
		{"POST", "/callback/%2e%2e/callback/on_publish", 404},
		{"POST", "/x%2F..%2Fcallback/on_publish", 404},
		{"POST", "/callback/on_publish/", 404},
		{"POST", "/callback/on_publish//", 404},
		{"GET", "/tree/", 200},
		{"GET", "/tree/branch", 200},
		{"GET", "/tree/branch/", 200},
		{"GET", "/tree", 404}, // the mux alone would redirect it
		{"GET", "/wild", 404}, // and this
		{"GET", "/wild/", 200},
		{"GET", "/wild/a%2Fb", 200},
		{"GET", "/", 200},
		{"GET", "", 200},
	} {
		r, err := http.NewRequest(c.method, srv.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, res.Body)
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != c.status || res.Header.Get("Location") != "" {
			t.Errorf("%s %s: %d %q, Location %q; want %d", c.method, c.path, res.StatusCode, body, res.Header.Get("Location"), c.status)
		}
	}
}

func TestOddRequestTargetsAreUnknownPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.Errors(envelope("any"), "")
	b.rt.HandleFunc("/{all...}", ok)
	for _, path := range []string{"", "*", ".", "..", "relative"} {
		r := httptest.NewRequest("OPTIONS", "/", nil)
		r.URL.Path = path
		if w := b.serve(r); w.Code != 404 {
			t.Errorf("path %q: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestHandlersGetTheirPathValues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("GET /streams/{app}/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.PathValue("app"), r.PathValue("name"))
	})
	if got := b.serve(httptest.NewRequest("GET", "/streams/live%2Fsub/x", nil)).Body.String(); got != "live/sub x" {
		t.Errorf("path values %q", got)
	}
}

func TestAWriterThatRecognisesItsRequestsComesBeforeAnyPrefix(t *testing.T) {
	t.Parallel()
	b := setup(t)
	said := func(text string) httpx.ErrorWriter {
		return func(w http.ResponseWriter, _ *http.Request, err error) {
			fmt.Fprintf(w, "%s %s", text, errs.As(err).Reason)
		}
	}
	b.rt.Errors(said("prefix"), "/")
	b.rt.ErrorsFor(said("picky"), func(r *http.Request) bool { return r.URL.Query().Has("Action") })
	b.rt.HandleFunc("POST /{$}", func(http.ResponseWriter, *http.Request) {})
	for target, want := range map[string]string{"/?Action=X": "picky method_not_allowed", "/none?Action=X": "picky no_such_path", "/none": "prefix no_such_path"} {
		if got := b.serve(httptest.NewRequest("PUT", target, nil)).Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}

func TestNotFoundAnswersAsForAnUnknownPath(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.Errors(envelope("any"), "/")
	w := httptest.NewRecorder()
	b.rt.NotFound(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 404 || w.Body.String() != "any:no_such_path" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }

func TestARouterTellsWhatIsRegistered(t *testing.T) {
	t.Parallel()
	rt := httpx.NewRouter()
	for _, pattern := range []string{"GET /things/{id}", "POST /things"} {
		rt.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	rt.Patterns()[0] = "GET /else"
	if got := rt.Patterns(); !slices.Equal(got, []string{"GET /things/{id}", "POST /things"}) {
		t.Errorf("got %q", got)
	}
}
