package callback

import (
	"net/http"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

const edgePattern = "GET /callback/nginx"

// router serves the question of an edge without the generated code, which takes
// longer to read its parameters than we to decide: players ask for every segment.
type router struct {
	*httpx.Router
	edge func(rest http.HandlerFunc) http.HandlerFunc
}

// HandleFunc registers a generated handler.
func (rt router) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	if pattern == edgePattern {
		h = rt.edge(h)
	}
	rt.Router.HandleFunc(pattern, h)
}

// edge answers questions without a query. All others, and those with a header
// that is not as it must be, go the way of the generated code.
func (c *Config) edge(rest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var p gen.NginxAuthRequestParams
		if !readEdge(r, &p) {
			rest(w, r)
			return
		}
		if ctx, ok := c.admit(w, r, usualGate); ok {
			c.Nginx.NginxAuthRequest(w, r.WithContext(ctx), p)
		}
	}
}

// readEdge reads the headers of the usual question.
func readEdge(r *http.Request, p *gen.NginxAuthRequestParams) bool {
	return r.URL.RawQuery == "" && len(r.Header["X-Original-Uri"]) == 1 &&
		readHeader(r, "X-Original-Uri", &p.XOriginalURI) && readHeader(r, "X-Original-Host", &p.XOriginalHost) &&
		readHeader(r, "X-Original-Addr", &p.XOriginalAddr) && readHeader(r, "X-Original-Proto", &p.XOriginalProto)
}

// readHeader takes a canonical name. A header may be missing, but not be empty or
// there twice.
func readHeader(r *http.Request, name string, to *string) bool {
	values := r.Header[name]
	if len(values) == 0 {
		return true
	}
	*to = values[0]
	return len(values) == 1 && values[0] != ""
}
