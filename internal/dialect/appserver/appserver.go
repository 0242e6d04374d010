// Package appserver speaks the AppServer dialect: the HTTP API that the shipped
// Android, iOS, web and uni-app clients of interactive live rooms call.
//
// A handler finds out who is calling, converts, calls a service and converts
// back. What the clients' parsers cannot bear decides much of the wire form;
// README.md lists it.
package appserver

import (
	"context"
	"net/netip"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/jump"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// DefaultTokenTTL is how long a login is good. The clients cannot log in again
// in the middle of a session, so it is long.
const DefaultTokenTTL = 7 * 24 * time.Hour

// budget is the time that one request may take, message service included: the
// least patient client gives up after ten seconds, some of them spent on the way.
const budget = 7 * time.Second

type accounts interface {
	Login(ctx context.Context, username, password string, source netip.Addr, ttl time.Duration) (account.Token, error)
	Authenticate(ctx context.Context, token string) (account.Principal, error)
	Renew(ctx context.Context, token string, maxAge, ttl time.Duration) (account.Token, error)
}

type groups interface {
	NewToken(ctx context.Context, userID string) (im.NewToken, error)
	OldToken(ctx context.Context, userID string, d im.Device) (im.OldToken, error)
}

// Server serves the dialect.
type Server struct {
	Accounts accounts
	Rooms    *room.Service
	Groups   groups
	Jumps    *jump.Service
	TimeZone *time.Location // of all times on the wire; nil: +08:00
	TokenTTL time.Duration  // of a login; zero: DefaultTokenTTL
}

var _ api.StrictServerInterface = (*Server)(nil)

// Register mounts the dialect and makes it answer for its part of the path
// space.
func (s *Server) Register(rt *httpx.Router) {
	strict := api.NewStrictHandlerWithOptions(s, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.writeBodyError,
		ResponseErrorHandlerFunc: s.writeError,
	})
	api.HandlerWithOptions(strict, api.StdHTTPServerOptions{
		BaseRouter: rt,
		// The last one is the outermost: who is nobody is told so first.
		Middlewares: []api.MiddlewareFunc{
			s.wholeObject,
			s.checkPushSignature,
			bearer.Middleware(s.Accounts, api.BearerAuthScopes, s.writeError),
			bearer.Unchecked(api.RenewableAuthScopes, s.writeError),
			httpx.NoStore,
			httpx.WithinBudget(budget),
		},
		ErrorHandlerFunc: s.writeParamError,
	})
	rt.Errors(s.writeError, "/login", "/api/v1/live/", "/api/v2/live/", "/auth/refresh_token")
}

// caller returns the subject of the access token. Every client repeats its user
// name in the body; who names somebody else is refused.
func caller(ctx context.Context, claims ...claim) (string, error) {
	subject := bearer.Principal(ctx).Username
	for _, c := range claims {
		if err := c.check(subject); err != nil {
			return "", err
		}
	}
	return subject, nil
}

// roomCaller is caller for requests about one room: that there is no such room
// is told before anything about rights.
func (s *Server) roomCaller(ctx context.Context, roomID string, claims ...claim) (string, error) {
	if err := validText("id", roomID, maxID); err != nil {
		return "", err
	}
	subject, err := caller(ctx, claims...)
	if errs.KindOf(err) != errs.Forbidden {
		return subject, err
	}
	if _, missing := s.Rooms.Get(ctx, roomID); missing != nil {
		return "", missing
	}
	return "", err
}
