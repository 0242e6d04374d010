// Package stagedoor is the dialect of our own operations, those that no
// documented API offers: accounts, access keys, media servers and routes for
// administrators, and logging out.
package stagedoor

import (
	"context"
	"net/http"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/event"
	"github.com/stagedoor-live/stagedoor/internal/evict"
	"github.com/stagedoor-live/stagedoor/internal/explain"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/overview"
	"github.com/stagedoor-live/stagedoor/internal/refusal"
	"github.com/stagedoor-live/stagedoor/internal/relay"
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

// Server serves the dialect.
type Server struct {
	Accounts *account.Service
	Nodes    *node.Service
	Controls media.Controls
	Relays   *relay.Service
	Explain  *explain.Service
	Refusals *refusal.Log
	Webhooks *webhook.Service
	Rooms    *room.Service
	Events   *event.Log
	Live     *event.Tail
	// Beat is how often a live stream without events says that it is there; zero:
	// every 15 seconds.
	Beat     time.Duration
	Streams  *ledger.Ledger
	Kicks    *evict.Service
	Access   *access.Service
	Overview *overview.Service
	// Configure returns what to paste into a media server's configuration.
	Configure func(n media.Node, secret string) string
}

var _ gen.StrictServerInterface = (*Server)(nil)

// opLogout is the one operation that is not for administrators alone.
const opLogout = "POST /api/v1/logout"

var (
	errAdminOnly = errs.New(errs.Forbidden, "admin_only", "only administrators may do this")
	errNotObject = errs.New(errs.Invalid, "malformed_request", "the body is not a JSON object")
)

// Register mounts the dialect. It also answers for every path that no other
// dialect claims.
func (s *Server) Register(rt *httpx.Router) {
	strict := gen.NewStrictHandlerWithOptions(s, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) {
			s.writeError(w, r, httpx.BodyError(err))
		},
		ResponseErrorHandlerFunc: s.writeError,
	})
	gen.HandlerWithOptions(strict, gen.StdHTTPServerOptions{
		BaseRouter: rt,
		// The last one sees a request first.
		Middlewares: []gen.MiddlewareFunc{
			httpx.WholeObject(s.writeError),
			s.adminsOnly,
			bearer.Middleware(s.Accounts, gen.BearerAuthScopes, s.writeError),
			httpx.NoStore,
			withinBudget,
		},
		ErrorHandlerFunc: bearer.ParamErrors(s.Accounts, gen.BearerAuthScopes, s.writeError),
	})
	rt.Errors(s.writeError, "/api/v1/", "/")
}

// adminsOnly lets everybody log out and keeps the rest for administrators, so
// that an operation added later is closed until somebody opens it.
func (s *Server) adminsOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Pattern != opLogout && !bearer.Principal(r.Context()).Admin {
			s.writeError(w, r, errAdminOnly)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// budget is what one request may take: a database that swallows packets costs
// an honest refusal and not a hanging client.
const budget = 10 * time.Second

// withinBudget excepts the one operation that lasts.
func withinBudget(next http.Handler) http.Handler {
	bounded := httpx.WithinBudget(budget)(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Pattern == opFollow {
			next.ServeHTTP(w, r)
			return
		}
		bounded.ServeHTTP(w, r)
	})
}

// Logout ends the caller's token.
func (s *Server) Logout(ctx context.Context, _ gen.LogoutRequestObject) (gen.LogoutResponseObject, error) {
	if err := s.Accounts.Logout(ctx, bearer.Principal(ctx)); err != nil {
		return nil, err
	}
	return gen.Logout204Response{}, nil
}

// GetAccount shows one account.
func (s *Server) GetAccount(ctx context.Context, req gen.GetAccountRequestObject) (gen.GetAccountResponseObject, error) {
	a, err := s.Accounts.Get(ctx, req.Username)
	if err != nil {
		return nil, err
	}
	return gen.GetAccount200JSONResponse(ToAccount(a)), nil
}

// UpdateAccount changes one account.
func (s *Server) UpdateAccount(ctx context.Context, req gen.UpdateAccountRequestObject) (gen.UpdateAccountResponseObject, error) {
	a, err := s.Accounts.Update(ctx, bearer.Principal(ctx), req.Username, toChanges(*req.Body))
	if err != nil {
		return nil, err
	}
	return gen.UpdateAccount200JSONResponse(ToAccount(a)), nil
}

// DeleteAccount removes one account.
func (s *Server) DeleteAccount(ctx context.Context, req gen.DeleteAccountRequestObject) (gen.DeleteAccountResponseObject, error) {
	if err := s.Accounts.DeleteAccount(ctx, bearer.Principal(ctx), req.Username); err != nil {
		return nil, err
	}
	return gen.DeleteAccount204Response{}, nil
}

// ToAccount is an account as this dialect and the command line show it.
func ToAccount(a account.Account) gen.Account {
	return gen.Account{
		Username: a.Username, Email: a.Email, FullName: a.FullName,
		Admin: a.Admin, PermissionLevel: int32(a.PermissionLevel), Push: a.Push, Pull: a.Pull, Disabled: a.Disabled,
		CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
}

func toChanges(u gen.AccountUpdate) account.Changes {
	ch := account.Changes{Disabled: u.Disabled, Admin: u.Admin, Password: u.Password, Email: u.Email, FullName: u.FullName, Push: u.Push, Pull: u.Pull}
	if u.PermissionLevel != nil {
		level := int(*u.PermissionLevel)
		ch.PermissionLevel = &level
	}
	return ch
}
