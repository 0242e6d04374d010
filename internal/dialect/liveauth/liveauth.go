// Package liveauth is the live_auth dialect: accounts, live tokens and running
// streams, with the paths, forms and error bodies of a FastAPI service.
//
// README.md lists what differs from the original, and why.
package liveauth

import (
	"context"
	"net/http"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// streams tells what is being published now.
type streams interface {
	Streams(ctx context.Context) ([]ledger.LiveStream, error)
}

// kicks cut off who should not be there.
type kicks interface {
	KickCredential(ctx context.Context, c access.Credential) (int, error)
}

// Server serves the dialect.
type Server struct {
	Accounts *account.Service
	Access   *access.Service
	Ledger   streams
	Kicks    kicks
	// PlayURL is where a stream of a node can be played, without a credential.
	PlayURL func(media.Node, media.Stream) string
	// TokenTTL is how long an access token lives; zero for account.DefaultTTL.
	TokenTTL time.Duration

	// paths are those of the spec, known once Register has run.
	paths map[string]bool
}

var _ gen.StrictServerInterface = (*Server)(nil)

// The operations whose requests need more care than the generated code takes.
const (
	opLogin        = "POST /auth/token"
	opCreateUser   = "POST /users/create"
	opCreateToken  = "POST /live/create_token"
	opDestroyToken = "DELETE /live/destroy_token"
)

// Register mounts the dialect. It also answers for unknown paths and methods
// under /callback/, whose documented envelope is the same.
func (s *Server) Register(rt *httpx.Router) {
	s.paths = map[string]bool{}
	strict := gen.NewStrictHandlerWithOptions(s, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) {
			s.writeError(w, r, httpx.BodyError(err))
		},
		ResponseErrorHandlerFunc: s.writeError,
	})
	gen.HandlerWithOptions(strict, gen.StdHTTPServerOptions{
		BaseRouter: noter{rt, s.paths},
		// The last one sees a request first: who is calling is settled before
		// anything is said about the body.
		Middlewares: []gen.MiddlewareFunc{
			s.checkBody,
			bearer.Middleware(s.Accounts, gen.BearerAuthScopes, s.writeError),
			secureIfSigned,
			httpx.NoStore,
			httpx.WithinBudget(budget),
		},
		ErrorHandlerFunc: bearer.ParamErrors(s.Accounts, gen.BearerAuthScopes, s.writeError),
	})
	rt.Errors(s.writeError, "/auth/", "/users/", "/live/", "/streams/", "/callback/")
}

// noter notes which paths the generated code registers.
type noter struct {
	*httpx.Router
	paths map[string]bool
}

func (n noter) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	_, path, _ := strings.Cut(pattern, " ")
	n.paths[path] = true
	n.Router.HandleFunc(pattern, h)
}

// secureIfSigned makes a bearer token count where the spec does not ask for
// one: registration may be open to anybody, and an administrator says who they
// are. A login is not touched, as clients send a stale token along with it.
func secureIfSigned(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if r.Pattern == opCreateUser && strings.EqualFold(scheme, "bearer") {
			r = r.WithContext(context.WithValue(r.Context(), gen.BearerAuthScopes, []string{}))
		}
		next.ServeHTTP(w, r)
	})
}

// budget is what one request may take: a database that swallows packets costs
// an honest refusal and not a hanging client.
const budget = 10 * time.Second
