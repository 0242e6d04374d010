package appserver

import (
	"cmp"
	"context"
	"net/http"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/im"
)

// AppLogin logs in on the documented path.
func (s *Server) AppLogin(ctx context.Context, req api.AppLoginRequestObject) (api.AppLoginResponseObject, error) {
	out, err := s.login(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	return api.AppLogin200JSONResponse(out), nil
}

// AppLoginV1 logs in on the path that the shipped clients use.
func (s *Server) AppLoginV1(ctx context.Context, req api.AppLoginV1RequestObject) (api.AppLoginV1ResponseObject, error) {
	out, err := s.login(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	return api.AppLoginV1200JSONResponse(out), nil
}

func (s *Server) login(ctx context.Context, in *api.LoginRequest) (api.LoginResult, error) {
	if err := validLogin(in); err != nil {
		return api.LoginResult{}, err
	}
	token, err := s.Accounts.Login(ctx, in.Username, in.Password, httpx.ClientAddr(ctx), s.tokenTTL())
	if err != nil {
		return api.LoginResult{}, err
	}
	return s.toLogin(token), nil
}

func (s *Server) toLogin(token account.Token) api.LoginResult {
	return api.LoginResult{Code: http.StatusOK, Token: token.Value, Expire: s.formatTime(token.ExpiresAt)}
}

func (s *Server) tokenTTL() time.Duration { return cmp.Or(s.TokenTTL, DefaultTokenTTL) }

// IssueTokenV1 issues a token pair of the older message service.
func (s *Server) IssueTokenV1(ctx context.Context, req api.IssueTokenV1RequestObject) (api.IssueTokenV1ResponseObject, error) {
	in := req.Body
	if err := validDevice(in.DeviceID, in.DeviceType); err != nil {
		return nil, err
	}
	user, err := caller(ctx, claim{"user_id", in.UserID})
	if err != nil {
		return nil, err
	}
	token, err := s.Groups.OldToken(ctx, user, im.Device{ID: in.DeviceID, Type: string(in.DeviceType)})
	if err != nil {
		return nil, imFailure(err)
	}
	return api.IssueTokenV1200JSONResponse{Code: http.StatusOK, AccessToken: token.Access, RefreshToken: token.Refresh}, nil
}

// IssueTokenV2 issues tokens of exactly the message services asked for. The
// role that a client asks for is not looked at.
func (s *Server) IssueTokenV2(ctx context.Context, req api.IssueTokenV2RequestObject) (api.IssueTokenV2ResponseObject, error) {
	in := req.Body
	if err := validDevice(in.DeviceID, in.DeviceType); err != nil {
		return nil, err
	}
	if err := validServers(in.IMServer); err != nil {
		return nil, err
	}
	user, err := caller(ctx, claim{"user_id", in.UserID})
	if err != nil {
		return nil, err
	}
	out := api.IMTokenV2{Code: http.StatusOK}
	for _, server := range in.IMServer {
		if err := s.addToken(ctx, &out, server, user, im.Device{ID: in.DeviceID, Type: string(in.DeviceType)}); err != nil {
			return nil, imFailure(err)
		}
	}
	return api.IssueTokenV2200JSONResponse(out), nil
}

func (s *Server) addToken(ctx context.Context, out *api.IMTokenV2, server api.IMServer, user string, device im.Device) error {
	if server == api.IMServerAliyunOld {
		token, err := s.Groups.OldToken(ctx, user, device)
		out.AliyunOldIM = &api.AliyunOldIM{AccessToken: token.Access, RefreshToken: token.Refresh}
		return err
	}
	token, err := s.Groups.NewToken(ctx, user)
	out.AliyunNewIM = &api.AliyunNewIM{
		AppID: token.AppID, AppSign: token.AppSign, AppToken: token.Token,
		Auth: api.AliyunNewIMAuth{UserID: token.UserID, Nonce: token.Nonce, Timestamp: token.Expires.Unix(), Role: token.Role},
	}
	return err
}

func imFailure(err error) error {
	return errs.New(errs.BadGateway, "im_unavailable", "the message service did not answer").With(err)
}
