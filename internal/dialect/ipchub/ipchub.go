// Package ipchub is the ipchub dialect: the server and its figures, accounts,
// pull routes and running streams, with the paths, texts and pages of ipchub's
// REST API.
//
// README.md lists what differs from the original, and why.
package ipchub

import (
	"context"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

// routes are the pull relays on record.
type routes interface {
	Save(ctx context.Context, r route.Route) (route.Route, error)
	Get(ctx context.Context, pattern string) (route.Route, error)
	Delete(ctx context.Context, pattern string) error
	List(ctx context.Context, after string, limit int) ([]route.Route, error)
	Count(ctx context.Context) (int64, error)
}

// streams are what is on air.
type streams interface {
	Live(ctx context.Context, f ledger.LiveFilter) ([]ledger.LiveStream, int64, error)
	Find(ctx context.Context, path string) (ledger.LiveStream, error)
	ConsumersOf(ctx context.Context, sts []media.Stream, limit int) (map[media.Stream][]ledger.Session, error)
	Figures(ctx context.Context) (ledger.Figures, error)
}

// kicks are the way to end it.
type kicks interface {
	KickStream(ctx context.Context, st media.Stream) (int, error)
	KickSession(ctx context.Context, st media.Stream, id int64) (bool, error)
}

// Server serves the dialect.
type Server struct {
	Accounts *account.Service
	Routes   routes
	Streams  streams
	Kicks    kicks
	Version  string
	Started  time.Time // when the process began
	Now      func() time.Time

	usage usage
}

var _ gen.StrictServerInterface = (*Server)(nil)

// roots are the paths of the dialect; it answers for everything below them.
var roots = []string{"/api/v1/server", "/api/v1/runtime", "/api/v1/login", "/api/v1/refreshtoken",
	usersPath, routesPath, streamsPath}

const (
	loginPath   = "/api/v1/login"
	usersPath   = "/api/v1/users"
	routesPath  = "/api/v1/routes"
	streamsPath = "/api/v1/streams"
)

// budget is what one request may take: a database that swallows packets costs
// an honest refusal and not a hanging client.
const budget = 10 * time.Second

// Register mounts the dialect.
func (s *Server) Register(rt *httpx.Router) {
	strict := gen.NewStrictHandlerWithOptions(s, []gen.StrictMiddlewareFunc{render}, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.bodyError,
		ResponseErrorHandlerFunc: s.writeError,
	})
	gen.HandlerWithOptions(strict, gen.StdHTTPServerOptions{
		BaseRouter: &door{Router: rt, server: s},
		// The last one sees a request first. Before all of them the door has
		// settled who is calling.
		Middlewares:      []gen.MiddlewareFunc{s.checkBody, httpx.NoStore, httpx.WithinBudget(budget)},
		ErrorHandlerFunc: s.paramError,
	})
	rt.Rewrite(tidy, roots...)
	rt.Errors(s.writeError, roots...)
}
