package ipchub

import (
	"context"

	gen "github.com/stagedoor-live/stagedoor/gen/ipchub"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// A refused login is 403 here: 401 makes clients refresh and try again.
var (
	errWrongLogin = errs.New(errs.Forbidden, "invalid_credentials", "wrong user name or password")
	errNoLogin    = errs.New(errs.Forbidden, "no_credentials", "no user name or password")
)

// IpchubLogin logs in.
func (s *Server) IpchubLogin(ctx context.Context, req gen.IpchubLoginRequestObject) (gen.IpchubLoginResponseObject, error) {
	pair, err := s.Accounts.LoginPair(ctx, req.Body.Username, req.Body.Password, httpx.ClientAddr(ctx))
	if errs.KindOf(err) == errs.Unauthorized {
		return nil, errWrongLogin.With(err)
	}
	if err != nil {
		return nil, err
	}
	httpx.SetPrincipal(ctx, pair.Access.Account.Username)
	return gen.IpchubLogin200JSONResponse(toTokens(pair)), nil
}

// IpchubRefresh exchanges a refresh token.
func (s *Server) IpchubRefresh(ctx context.Context, _ gen.IpchubRefreshRequestObject) (gen.IpchubRefreshResponseObject, error) {
	pair, err := s.Accounts.Refresh(ctx, sent(ctx))
	if err != nil {
		return nil, err
	}
	httpx.SetPrincipal(ctx, pair.Access.Account.Username)
	return gen.IpchubRefresh200JSONResponse(toTokens(pair)), nil
}

func toTokens(p account.Pair) gen.IpchubTokens {
	return gen.IpchubTokens{AccessToken: p.Access.Value, RefreshToken: p.Refresh}
}
