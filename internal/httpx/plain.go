package httpx

import (
	"net/http"
	"path"
	"strings"
)

// A plainRoute is one without parameters. No other pattern is more specific, so
// a request for exactly its method and path need not go through the mux, which
// would be asked twice.
type plainRoute struct {
	pattern string
	handle  http.HandlerFunc
}

// plainKey is how plain routes are found.
type plainKey struct{ method, path string }

func (rt *Router) addPlain(pattern string, h http.HandlerFunc) {
	method, p, ok := strings.Cut(pattern, " ")
	if ok && strings.HasPrefix(p, "/") && !strings.Contains(p, "{") && p == path.Clean(p) {
		rt.plain[plainKey{method, p}] = plainRoute{pattern, h}
	}
}

// findPlain leaves out paths that are escaped or that a dialect rewrites.
func (rt *Router) findPlain(r *http.Request) (plainRoute, bool) {
	if r.URL.RawPath != "" {
		return plainRoute{}, false
	}
	p, ok := rt.plain[plainKey{r.Method, r.URL.Path}]
	if !ok {
		return p, false
	}
	_, rewritten := rt.rewriteOf(r.URL.Path)
	return p, !rewritten
}
