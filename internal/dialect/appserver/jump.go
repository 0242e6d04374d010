package appserver

import (
	"context"
	"net/http"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/dialect/bearer"
	"github.com/stagedoor-live/stagedoor/internal/jump"
)

// GetLiveJumpURL makes a link that opens a room in the desktop client. The
// document and the older servers disagree about its name, so it has both.
func (s *Server) GetLiveJumpURL(ctx context.Context, req api.GetLiveJumpURLRequestObject) (api.GetLiveJumpURLResponseObject, error) {
	in := req.Body
	if err := validText("live_id", in.LiveID, maxID); err != nil {
		return nil, err
	}
	if err := validLengths(field{"user_name", in.UserName, maxName}, field{"version", in.Version, maxVersion}); err != nil {
		return nil, err
	}
	if _, err := s.roomCaller(ctx, in.LiveID, claim{"user_id", in.UserID}); err != nil {
		return nil, err
	}
	link, err := s.Jumps.Link(ctx, bearer.Principal(ctx), jump.Request{RoomID: in.LiveID, UserName: in.UserName, Version: in.Version})
	if err != nil {
		return nil, err
	}
	return api.GetLiveJumpURL200JSONResponse{Code: http.StatusOK, LiveJumpURL: link, LiveJumpURLAgain: link}, nil
}

// VerifyAuthToken logs the desktop client in with what its link carried.
func (s *Server) VerifyAuthToken(ctx context.Context, req api.VerifyAuthTokenRequestObject) (api.VerifyAuthTokenResponseObject, error) {
	in := req.Body
	for _, f := range []field{{"user_id", in.UserID, maxID}, {"live_id", in.LiveID, maxID},
		{"app_server", in.AppServer, maxURL}, {"token", in.Token, maxToken}} {
		if err := validText(f.name, f.value, f.most); err != nil {
			return nil, err
		}
	}
	if err := validLengths(field{"user_name", in.UserName, maxName}); err != nil {
		return nil, err
	}
	token, err := s.Jumps.Redeem(ctx, jump.Presented{UserID: in.UserID, UserName: in.UserName, LiveID: in.LiveID,
		AppServer: in.AppServer, Token: in.Token}, s.tokenTTL())
	if err != nil {
		return nil, err
	}
	return api.VerifyAuthToken200JSONResponse{Code: http.StatusOK, LoginToken: token.Value, LoginTokenAgain: token.Value}, nil
}

// GetRTCAuthToken issues the token of a co-streaming channel. What the client
// calls a room is the meeting of a room.
func (s *Server) GetRTCAuthToken(ctx context.Context, req api.GetRTCAuthTokenRequestObject) (api.GetRTCAuthTokenResponseObject, error) {
	in := req.Body
	if err := validText("room_id", in.RoomID, maxID); err != nil {
		return nil, err
	}
	user, err := caller(ctx, claim{"user_id", in.UserID})
	if err != nil {
		return nil, err
	}
	token, expires, err := s.Rooms.RTCToken(ctx, user, in.RoomID)
	if err != nil {
		return nil, err
	}
	return api.GetRTCAuthToken200JSONResponse{Code: http.StatusOK, AuthToken: token, Timestamp: expires.Unix()}, nil
}
