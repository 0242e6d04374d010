package callback

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/media/ome"
	"github.com/stagedoor-live/stagedoor/internal/media/zlm"
)

// maxSigned bounds a body that is read before its sender is known, in bytes.
const maxSigned = 64 << 10

// gate is how the servers behind one path prove who they are, and how they are
// told that they did not.
type gate struct {
	path string // the callback's, or what its paths begin with, with a slash at the end
	kind string // of the nodes that sign here; empty: a secret in the URL is all
	// must says that the servers of the kind always sign: their secret in a URL
	// does not do. Named says that the URL tells which node it is.
	must, named bool
	// signed says whether a request claims to be signed. One that does not is
	// taken for any other server's.
	signed func(r *http.Request) bool
	verify func(r *http.Request, body, key []byte) bool
	refuse func(w http.ResponseWriter)
}

func (g *gate) covers(path string) bool {
	return path == g.path || strings.HasSuffix(g.path, "/") && strings.HasPrefix(path, g.path)
}

// gates lists the paths that are not guarded as all others are.
func (c *Config) gates() []gate {
	return []gate{
		{path: "/callback/zlmediakit/", refuse: zlm.Refuse},
		{path: "/callback/ovenmediaengine", kind: "ovenmediaengine", must: true, named: true, refuse: refuse,
			signed: func(r *http.Request) bool { return queryOf(r).Get("node") != "" },
			verify: func(r *http.Request, body, key []byte) bool {
				return ome.Signed(r.Header.Get("X-OME-Signature"), body, key)
			}},
		// The service has a parameter called node, too, which is something else.
		{path: "/callback/aliyun", kind: "aliyun", refuse: refuse, signed: aliyun.IsSigned,
			verify: func(r *http.Request, _, key []byte) bool { return aliyun.Signed(r, key, c.Now()) }},
	}
}

func gateOf(gates []gate, path string) *gate {
	for i := range gates {
		if gates[i].covers(path) {
			return &gates[i]
		}
	}
	return usualGate
}

// usualGate is that of all other paths.
var usualGate = &gate{refuse: refuse}

// authenticate finds the node that calls. A media server cannot do anything
// about a refusal but refuse its client, so most get the same answer: 403. The
// generated code puts what it returns around a handler for every request, so the
// gates are made before.
func (c *Config) authenticate() gen.MiddlewareFunc {
	gates := c.gates()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if ctx, ok := c.admit(w, r, gateOf(gates, r.URL.Path)); ok {
				next.ServeHTTP(w, r.WithContext(ctx))
			}
		})
	}
}

// admit returns a context with the node that calls, or answers that there is none.
func (c *Config) admit(w http.ResponseWriter, r *http.Request, g *gate) (ctx context.Context, ok bool) {
	ctx = r.Context()
	n, err := c.caller(w, r, g)
	if err != nil {
		e := errs.As(err)
		httpx.SetFailure(ctx, e.Reason, errors.Unwrap(e))
		if c.Refused != nil {
			c.Refused(ctx, r)
		}
		g.refuse(w)
		return nil, false
	}
	httpx.SetPrincipal(ctx, "node:"+n.Name)
	return media.WithNode(ctx, n), true
}

var errUnauthenticated = errs.New(errs.Forbidden, string(media.Unauthenticated), "the callback is not signed as it must be")

func (c *Config) caller(w http.ResponseWriter, r *http.Request, g *gate) (media.Node, error) {
	ctx, query := r.Context(), queryOf(r)
	source := httpx.ClientAddr(ctx)
	if g.kind == "" || !g.signed(r) {
		n, err := c.Nodes.Authenticate(query.Get("secret"), source, httpx.Direct(ctx))
		if err == nil && g.must && n.Kind == g.kind {
			return media.Node{}, errUnauthenticated
		}
		return n, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSigned))
	if err != nil {
		return media.Node{}, errUnauthenticated.With(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	name := ""
	if g.named {
		name = query.Get("node")
	}
	return c.Nodes.AuthenticateSigned(g.kind, name, source, func(key []byte) bool { return g.verify(r, body, key) })
}

// queryOf reads the query of a callback. Most have none.
func queryOf(r *http.Request) url.Values {
	if r.URL.RawQuery == "" {
		return nil
	}
	return r.URL.Query()
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close") // an HTTP/1.0 caller waits for it
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(`{"detail":"` + string(media.Unauthenticated) + `"}`))
}
