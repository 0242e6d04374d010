// Package ops answers operators and machines: is the process alive, is it
// ready, what does it count, how is its API described, which keys verify its
// tokens; and it hands out the API reference and the files of the console.
package ops

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	gen "github.com/stagedoor-live/stagedoor/gen/ops"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// keys tells the public half of the token keys.
type keys interface{ JWKS() account.JWKSet }

// files are those of the pages for people.
type files interface {
	Reference(w http.ResponseWriter, r *http.Request, fail httpx.ErrorWriter)
	File(w http.ResponseWriter, r *http.Request, path string, fail httpx.ErrorWriter)
}

// Server serves the operations. It implements the generated interface on the
// level of HTTP, because metrics and documents negotiate through headers.
type Server struct {
	Registry *prometheus.Registry
	Spec     []byte // openapi.yaml
	Accounts keys
	// Ready returns nil when this process may get traffic, and otherwise why
	// not: one line that anybody may read. It should heed ctx.
	Ready   func(ctx context.Context) error
	Console files
	Log     *slog.Logger
}

// Register mounts the operations; it may do so on several routers.
func (s *Server) Register(rt *httpx.Router) {
	h := &handler{Server: s, yaml: newDocument("application/yaml", s.Spec), metrics: promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{
		// A collector that fails costs its own lines, not the page.
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	})}
	// Reading it takes longer than everything else at the start.
	h.json = sync.OnceValues(func() (document, error) { return asJSON(s.Spec) })
	gen.HandlerWithOptions(h, gen.StdHTTPServerOptions{BaseRouter: catchAll{rt}, ErrorHandlerFunc: WriteError})
	rt.Errors(WriteError, "/healthz", "/readyz", "/metrics", "/openapi.", "/docs", "/.well-known/", "/console/")
}

// handler is a Server with what it prepares once.
type handler struct {
	*Server
	metrics http.Handler
	yaml    document
	json    func() (document, error)
}

var _ gen.ServerInterface = (*handler)(nil)

// Healthz says that the process serves requests, whatever its database does.
func (h *handler) Healthz(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "ok")
}

// Metrics shows the registry.
func (h *handler) Metrics(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	h.metrics.ServeHTTP(w, r)
}

// OpenapiYAML shows the spec as it is kept.
func (h *handler) OpenapiYAML(w http.ResponseWriter, r *http.Request) { h.yaml.ServeHTTP(w, r) }

// OpenapiJSON shows the spec as JSON.
func (h *handler) OpenapiJSON(w http.ResponseWriter, r *http.Request) {
	d, err := h.json()
	if err != nil {
		WriteError(w, r, err)
		return
	}
	d.ServeHTTP(w, r)
}

// JWKS shows the keys. A verifier that meets an unknown key id asks again, so a
// copy that is some minutes old does no harm.
func (h *handler) JWKS(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", maxAge)
	_ = json.NewEncoder(w).Encode(h.Accounts.JWKS()) // the client may be gone
}

// Docs shows the spec to people.
func (h *handler) Docs(w http.ResponseWriter, r *http.Request) {
	h.Console.Reference(w, r, WriteError)
}

// ConsoleFile hands out a file of the console.
func (h *handler) ConsoleFile(w http.ResponseWriter, r *http.Request, file string) {
	h.Console.File(w, r, file, WriteError)
}

// catchAll registers the path that takes slashes as what it is, for which
// OpenAPI has no word.
type catchAll struct{ *httpx.Router }

func (c catchAll) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	c.Router.HandleFunc(strings.Replace(pattern, "/console/{file}", "/console/{file...}", 1), h)
}

// maxAge is for what changes with a release or a new key only.
const maxAge = "public, max-age=300"

// writeText answers what is true only now.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client may be gone
}
