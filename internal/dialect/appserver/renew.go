package appserver

import (
	"context"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// maxRenewal is how long after the password was given a token can be renewed.
const maxRenewal = 24 * time.Hour

// RefreshToken renews an access token that may have expired.
func (s *Server) RefreshToken(ctx context.Context, _ api.RefreshTokenRequestObject) (api.RefreshTokenResponseObject, error) {
	out, err := s.renew(ctx)
	if err != nil {
		return nil, err
	}
	return api.RefreshToken200JSONResponse(out), nil
}

// RefreshTokenGet is the same on the path of the first server that had it.
func (s *Server) RefreshTokenGet(ctx context.Context, _ api.RefreshTokenGetRequestObject) (api.RefreshTokenGetResponseObject, error) {
	out, err := s.renew(ctx)
	if err != nil {
		return nil, err
	}
	return api.RefreshTokenGet200JSONResponse(out), nil
}

func (s *Server) renew(ctx context.Context) (api.LoginResult, error) {
	token, err := s.Accounts.Renew(ctx, bearer.Token(ctx), maxRenewal, s.tokenTTL())
	if err != nil {
		return api.LoginResult{}, err
	}
	httpx.SetPrincipal(ctx, token.Account.Username)
	return s.toLogin(token), nil
}
