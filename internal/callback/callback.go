// Package callback is the door that media servers call: it finds out which node
// is calling and hands the request to that server's adapter.
package callback

import (
	"context"
	"net/http"
	"net/netip"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/nms"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
)

type (
	srsHooks       = srs.Hooks
	nginxRTMPHooks = nginxrtmp.Hooks
	nginxHooks     = nginx.Hooks
	nmsHooks       = nms.Hooks
	mediaMTXHooks  = *mediamtx.Hooks
)

// Server is all adapters behind one interface, which the spec describes.
type Server struct {
	srsHooks
	nginxRTMPHooks
	nginxHooks
	nmsHooks
	mediaMTXHooks
}

var _ gen.ServerInterface = (*Server)(nil)

// nodes recognises media servers.
type nodes interface {
	Authenticate(secret string, source netip.Addr, direct bool) (media.Node, error)
}

// Config lists what the callbacks depend on.
type Config struct {
	Nodes     nodes
	SRS       srs.Hooks
	NginxRTMP nginxrtmp.Hooks
	Nginx     nginx.Hooks
	NMS       nms.Hooks
	MediaMTX  *mediamtx.Hooks
	// Refused is told of every callback that comes from no known node.
	Refused func(ctx context.Context, r *http.Request)
}

// Register mounts the callbacks. Paths under /callback/ that do not exist are
// answered by the dialect that documents the first three.
func (c Config) Register(rt *httpx.Router) {
	gen.HandlerWithOptions(&Server{c.SRS, c.NginxRTMP, c.Nginx, c.NMS, c.MediaMTX}, gen.StdHTTPServerOptions{
		BaseRouter:       rt,
		Middlewares:      []gen.MiddlewareFunc{c.authenticate},
		ErrorHandlerFunc: rt.Fail,
	})
}

// authenticate finds the node that calls. A media server cannot do anything
// about a refusal but refuse its client, so the answer is the same for every
// server: 403, which all of them read as no.
func (c Config) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		n, err := c.Nodes.Authenticate(r.URL.Query().Get("secret"), httpx.ClientAddr(ctx), httpx.Direct(ctx))
		if err != nil {
			httpx.SetFailure(ctx, errs.As(err).Reason, nil)
			if c.Refused != nil {
				c.Refused(ctx, r)
			}
			refuse(w)
			return
		}
		httpx.SetPrincipal(ctx, "node:"+n.Name)
		next.ServeHTTP(w, r.WithContext(media.WithNode(ctx, n)))
	})
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close") // an HTTP/1.0 caller waits for it
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(`{"detail":"` + string(media.Unauthenticated) + `"}`))
}
