package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// Paths without parameters take a shorter way than others, which must lead to
// the same place.
func TestPlainPathsAreServedAsTheMuxWould(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var route string
	b.config.Observe = func(_, pattern string, _ int, _ time.Duration) { route = pattern }
	b.rt.Errors(envelope("any"), "/")
	b.rt.HandleFunc("POST /callback/on_play", ok)
	b.rt.HandleFunc("GET /callback/on_play", ok)
	b.rt.HandleFunc("/callback/any", ok)
	b.rt.HandleFunc("/callback/{name}", ok)
	b.rt.HandleFunc("GET /tidied/x", ok)
	b.rt.Rewrite(func(r *http.Request) { r.URL.Path = "/callback/rewritten" }, "/tidied")
	for _, c := range []struct{ method, path, route string }{
		{"POST", "/callback/on_play", "POST /callback/on_play"},
		{"POST", "/callback/on_play?a=b", "POST /callback/on_play"},
		{"GET", "/callback/on_play", "GET /callback/on_play"},
		{"HEAD", "/callback/on_play", "GET /callback/on_play"},
		{"PUT", "/callback/on_play", "/callback/{name}"},
		{"POST", "/callback/any", "/callback/any"},
		{"POST", "/callback/on%5Fplay", "POST /callback/on_play"},
		{"POST", "/callback%2Fon_play", ""},
		{"GET", "/tidied/x", "/callback/{name}"},
	} {
		route = ""
		if w := b.serve(httptest.NewRequest(c.method, c.path, nil)); route != c.route || (w.Code == http.StatusOK) != (c.route != "") {
			t.Errorf("%s %s goes to %q with %d, want %q", c.method, c.path, route, w.Code, c.route)
		}
	}
}

func BenchmarkChain(b *testing.B) {
	rt := httpx.NewRouter()
	rt.HandleFunc("POST /callback/on_play", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	chain := setup(b).config.Wrap(rt)
	r := httptest.NewRequest("POST", "/callback/on_play", nil)
	b.ReportAllocs()
	for b.Loop() {
		chain.ServeHTTP(httptest.NewRecorder(), r)
	}
}
