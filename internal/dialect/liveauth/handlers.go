package liveauth

import (
	"context"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// LoginForAccessToken logs in. The form is url-encoded and complete by now,
// whatever was sent: see checkBody.
func (s *Server) LoginForAccessToken(ctx context.Context, req gen.LoginForAccessTokenRequestObject) (gen.LoginForAccessTokenResponseObject, error) {
	form := req.FormdataBody
	token, err := s.Accounts.Login(ctx, form.Username, form.Password, httpx.ClientAddr(ctx), s.TokenTTL)
	if err != nil {
		return nil, err
	}
	httpx.SetPrincipal(ctx, token.Account.Username)
	return gen.LoginForAccessToken200JSONResponse{AccessToken: token.Value, TokenType: "bearer"}, nil
}

// CreateUser registers an account.
func (s *Server) CreateUser(ctx context.Context, req gen.CreateUserRequestObject) (gen.CreateUserResponseObject, error) {
	var caller *account.Principal
	if p := bearer.Principal(ctx); p.Username != "" {
		caller = &p
	}
	a, err := s.Accounts.Register(ctx, caller, account.NewAccount{
		Username: text(req.Body.Username), Email: text(req.Body.Email),
		FullName: text(req.Body.FullName), Password: text(req.Body.Password),
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateUser200JSONResponse(toUser(a)), nil
}

// ReadUsersMe shows the caller's account.
func (s *Server) ReadUsersMe(ctx context.Context, _ gen.ReadUsersMeRequestObject) (gen.ReadUsersMeResponseObject, error) {
	return gen.ReadUsersMe200JSONResponse(toUser(bearer.Principal(ctx).Account)), nil
}

// CreateLiveToken makes or rotates the pair of a stream.
func (s *Server) CreateLiveToken(ctx context.Context, req gen.CreateLiveTokenRequestObject) (gen.CreateLiveTokenResponseObject, error) {
	t, err := s.Access.CreateToken(ctx, owner(ctx), req.Params.Stream, int(req.Params.Level))
	if err != nil {
		return nil, err
	}
	return gen.CreateLiveToken200JSONResponse(s.toLiveToken(t)), nil
}

// DestroyLiveToken revokes a pair and cuts off who came in by it, since media
// servers never ask again. The pair is gone either way, and who could not be cut
// off at once goes on being tried.
func (s *Server) DestroyLiveToken(ctx context.Context, req gen.DestroyLiveTokenRequestObject) (gen.DestroyLiveTokenResponseObject, error) {
	destroyed, err := s.Access.DestroyToken(ctx, owner(ctx), req.Params.Token)
	if err != nil {
		return nil, err
	}
	_, _ = s.Kicks.KickCredential(ctx, destroyed)
	return gen.DestroyLiveToken200JSONResponse("OK"), nil
}

// ListLiveTokens lists the caller's pairs, or everybody's.
func (s *Server) ListLiveTokens(ctx context.Context, _ gen.ListLiveTokensRequestObject) (gen.ListLiveTokensResponseObject, error) {
	tokens, err := s.Access.Tokens(ctx, owner(ctx))
	if err != nil {
		return nil, err
	}
	out := make(gen.ListLiveTokens200JSONResponse, len(tokens))
	for i, t := range tokens {
		out[i] = s.toLiveToken(t)
	}
	return out, nil
}

// ListStreams lists what is on the air.
func (s *Server) ListStreams(ctx context.Context, _ gen.ListStreamsRequestObject) (gen.ListStreamsResponseObject, error) {
	live, err := s.Ledger.Streams(ctx)
	if err != nil {
		return nil, err
	}
	out := gen.ListStreams200JSONResponse{Streams: make([]gen.ResponseStream, len(live))}
	for i, l := range live {
		out.Streams[i] = s.toStream(l)
	}
	return out, nil
}

// owner is the caller as access knows callers.
func owner(ctx context.Context) access.Owner {
	p := bearer.Principal(ctx)
	return access.Owner{ID: p.ID, Username: p.Username, Level: p.PermissionLevel}
}
