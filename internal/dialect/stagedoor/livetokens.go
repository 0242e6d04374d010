package stagedoor

import (
	"context"
	"strconv"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/access"
)

// FindLiveTokens returns one page.
func (s *Server) FindLiveTokens(ctx context.Context, req gen.FindLiveTokensRequestObject) (gen.FindLiveTokensResponseObject, error) {
	p := req.Params
	limit, after, err := page(p.Limit, p.Cursor)
	if err != nil {
		return nil, err
	}
	f := access.TokenSearch{App: p.App, Stream: p.Stream, Username: p.Username, Limit: limit + 1}
	if after != "" {
		if f.Before, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, errCursor.With(err)
		}
	}
	tokens, err := s.Access.TokenPage(ctx, f)
	if err != nil {
		return nil, err
	}
	out := gen.FindLiveTokens200JSONResponse{Tokens: make([]gen.ManagedLiveToken, min(limit, len(tokens)))}
	for i := range out.Tokens {
		t := tokens[i]
		out.Tokens[i] = gen.ManagedLiveToken{App: t.App, Stream: t.Stream, Username: t.Username, Token: t.Token, PlayToken: t.PlayToken,
			PermissionsLevel: int32(t.Level), CreatedAt: t.CreatedAt.UTC()}
	}
	if len(tokens) > limit {
		out.NextCursor = cursor(strconv.FormatInt(tokens[limit-1].ID, 10))
	}
	return out, nil
}

// RevokeLiveToken revokes a pair. Who could not be cut off at once goes on being
// tried.
func (s *Server) RevokeLiveToken(ctx context.Context, req gen.RevokeLiveTokenRequestObject) (gen.RevokeLiveTokenResponseObject, error) {
	revoked, err := s.Access.RevokeToken(ctx, req.Params.App, req.Params.Stream)
	if err != nil {
		return nil, err
	}
	_, _ = s.Kicks.KickCredential(ctx, revoked)
	return gen.RevokeLiveToken204Response{}, nil
}
