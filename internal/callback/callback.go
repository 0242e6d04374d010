// Package callback is the door that media servers call: it finds out which node
// is calling and hands the request to that server's adapter.
package callback

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginx"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
	"github.com/stagedoor-live/stagedoor/internal/media/nms"
	"github.com/stagedoor-live/stagedoor/internal/media/ome"
	"github.com/stagedoor-live/stagedoor/internal/media/srs"
	"github.com/stagedoor-live/stagedoor/internal/media/zlm"
)

type (
	srsHooks       = srs.Hooks
	nginxRTMPHooks = nginxrtmp.Hooks
	nginxHooks     = nginx.Hooks
	nmsHooks       = nms.Hooks
	mediaMTXHooks  = *mediamtx.Hooks
	zlmHooks       = zlm.Hooks
	omeHooks       = ome.Hooks
	aliyunHooks    = aliyun.Hooks
)

// Server is all adapters behind one interface, which the spec describes.
type Server struct {
	srsHooks
	nginxRTMPHooks
	nginxHooks
	nmsHooks
	mediaMTXHooks
	zlmHooks
	omeHooks
	aliyunHooks
}

var _ gen.ServerInterface = (*Server)(nil)

// nodes recognises media servers.
type nodes interface {
	Authenticate(secret string, source netip.Addr, direct bool) (media.Node, error)
	AuthenticateSigned(kind, name string, source netip.Addr, verify func(key []byte) bool) (media.Node, error)
}

// Config lists what the callbacks depend on.
type Config struct {
	Nodes     nodes
	SRS       srs.Hooks
	NginxRTMP nginxrtmp.Hooks
	Nginx     nginx.Hooks
	NMS       nms.Hooks
	MediaMTX  *mediamtx.Hooks
	ZLM       zlm.Hooks
	OME       ome.Hooks
	Aliyun    aliyun.Hooks
	Now       func() time.Time
	// Refused is told of every callback that comes from no known node.
	Refused func(ctx context.Context, r *http.Request)
}

// Register mounts the callbacks. Paths under /callback/ that do not exist are
// answered by the dialect that documents the first three.
func (c Config) Register(rt *httpx.Router) {
	gen.HandlerWithOptions(&Server{c.SRS, c.NginxRTMP, c.Nginx, c.NMS, c.MediaMTX, c.ZLM, c.OME, c.Aliyun}, gen.StdHTTPServerOptions{
		BaseRouter:       router{rt, c.edge},
		Middlewares:      []gen.MiddlewareFunc{c.authenticate()},
		ErrorHandlerFunc: rt.Fail,
	})
}
