package httpx

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// ErrorWriter answers an error in a dialect's own envelope.
type ErrorWriter func(w http.ResponseWriter, r *http.Request, err error)

// Router is one mux for all dialects that answers unknown paths, wrong methods
// and panics in the envelope of the dialect whose part of the path space was
// asked for.
type Router struct {
	mux      *http.ServeMux
	patterns []string
	plain    map[plainKey]plainRoute
	writers  []writerFor
	picky    []writerIf
	rewrites []rewriteOf
}

// writerIf answers for requests that it recognises, whatever their path.
type writerIf struct {
	write ErrorWriter
	meant func(*http.Request) bool
}

type rewriteOf struct {
	root    string
	rewrite func(*http.Request)
}

type writerFor struct {
	prefix string
	write  ErrorWriter
}

// NewRouter returns an empty Router.
func NewRouter() *Router { return &Router{mux: http.NewServeMux(), plain: map[plainKey]plainRoute{}} }

// HandleFunc registers a generated handler; with ServeHTTP it makes the Router
// a base router of the generated code.
func (rt *Router) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	rt.mux.Handle(pattern, route(h))
	rt.patterns = append(rt.patterns, pattern)
	rt.addPlain(pattern, h)
}

// Patterns returns what is registered, as "GET /path/{id}".
func (rt *Router) Patterns() []string { return slices.Clone(rt.patterns) }

// route tells our handlers from the redirects that the mux makes up.
type route func(http.ResponseWriter, *http.Request)

func (h route) ServeHTTP(w http.ResponseWriter, r *http.Request) { h(w, r) }

// Errors makes a dialect answer for the paths that start with one of the
// prefixes. The longest prefix wins.
func (rt *Router) Errors(write ErrorWriter, prefixes ...string) {
	for _, p := range prefixes {
		rt.writers = append(rt.writers, writerFor{p, write})
	}
}

// ErrorsFor makes a dialect answer for the requests that are evidently meant
// for it, before any prefix is looked at: for a dialect whose path is not its
// alone.
func (rt *Router) ErrorsFor(write ErrorWriter, meant func(*http.Request) bool) {
	rt.picky = append(rt.picky, writerIf{write, meant})
}

// Rewrite makes a dialect put paths in order that other paths would be refused
// for: a request whose cleaned path is one of the roots or below it goes through
// rewrite, which may change its URL, before anybody looks at it.
func (rt *Router) Rewrite(rewrite func(*http.Request), roots ...string) {
	for _, root := range roots {
		rt.rewrites = append(rt.rewrites, rewriteOf{root, rewrite})
	}
}

// rewrite says whether a dialect has put the path in order.
func (rt *Router) rewrite(r *http.Request) bool {
	c, ok := rt.rewriteOf(path.Clean("/" + r.URL.Path))
	if ok {
		c.rewrite(r)
	}
	return ok
}

// rewriteOf finds who puts a cleaned path in order.
func (rt *Router) rewriteOf(clean string) (rewriteOf, bool) {
	for _, c := range rt.rewrites {
		if rest, ok := strings.CutPrefix(clean, c.root); ok && (rest == "" || rest[0] == '/') {
			return c, true
		}
	}
	return rewriteOf{}, false
}

// Fail answers an error in the envelope that the request belongs to.
func (rt *Router) Fail(w http.ResponseWriter, r *http.Request, err error) {
	for _, c := range rt.picky {
		if c.meant(r) {
			c.write(w, r, err)
			return
		}
	}
	best := writerFor{write: plainError}
	for _, c := range rt.writers {
		if strings.HasPrefix(r.URL.Path, c.prefix) && len(c.prefix) >= len(best.prefix) {
			best = c
		}
	}
	best.write(w, r, err)
}

// plainError answers for paths that no dialect has claimed.
func plainError(w http.ResponseWriter, _ *http.Request, err error) {
	e, status := errs.As(err), http.StatusInternalServerError
	switch e.Kind {
	case errs.NotFound, errs.MethodNotAllowed, errs.RateLimited:
		status = StatusOf(e.Kind)
	}
	FailureHeaders(w.Header(), e)
	http.Error(w, http.StatusText(status), status)
}

var (
	errNoPath   = errs.New(errs.NotFound, "no_such_path", "Not Found")
	errNoMethod = errs.New(errs.MethodNotAllowed, "method_not_allowed", "Method Not Allowed")
)

// ServeHTTP serves a request. It never redirects: a media server would take a
// redirect of its callback for an order.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p, ok := rt.findPlain(r); ok {
		r.Pattern = p.pattern
		p.handle(w, r)
		return
	}
	if !rt.rewrite(r) && !isClean(r.URL.Path) {
		rt.Fail(w, r, errNoPath)
		return
	}
	h, _ := rt.mux.Handler(r)
	if _, ours := h.(route); ours {
		rt.mux.ServeHTTP(w, r)
		return
	}
	probe := &headerProbe{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		rt.Fail(w, r, errNoMethod)
		return
	}
	rt.Fail(w, r, errNoPath)
}

// isClean says whether the mux would take the path as it is: without empty or
// dot segments. One slash at the end is part of a name.
func isClean(p string) bool {
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}

// NotFound answers as for an unknown path.
func (rt *Router) NotFound(w http.ResponseWriter, r *http.Request) { rt.Fail(w, r, errNoPath) }

// headerProbe sees what the mux would answer without sending it.
type headerProbe struct {
	header http.Header
	status int
}

func (p *headerProbe) Header() http.Header         { return p.header }
func (p *headerProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *headerProbe) WriteHeader(status int)      { p.status = status }

// BodyError translates what reading or decoding a request body reported.
func BodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var known *errs.Error
	switch {
	case errors.As(err, &tooLarge):
		return errs.New(errs.TooLarge, "body_too_large", "the request body is too large").With(err)
	case errors.As(err, &known):
		return err
	}
	return errs.New(errs.Invalid, "malformed_request", "the request is malformed").With(err)
}
