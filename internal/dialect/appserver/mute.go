package appserver

import (
	"context"
	"net/http"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
)

// MuteChatroom silences the message group of a room.
func (s *Server) MuteChatroom(ctx context.Context, req api.MuteChatroomRequestObject) (api.MuteChatroomResponseObject, error) {
	out, err := s.setMuted(ctx, *req.Body, true)
	if err != nil {
		return nil, err
	}
	return api.MuteChatroom200JSONResponse(out), nil
}

// CancelMuteChatroom lets everybody speak again.
func (s *Server) CancelMuteChatroom(ctx context.Context, req api.CancelMuteChatroomRequestObject) (api.CancelMuteChatroomResponseObject, error) {
	out, err := s.setMuted(ctx, *req.Body, false)
	if err != nil {
		return nil, err
	}
	return api.CancelMuteChatroom200JSONResponse(out), nil
}

func (s *Server) setMuted(ctx context.Context, in api.ChatroomRef, muted bool) (api.MuteState, error) {
	if err := validText("chatroom_id", in.ChatroomID, maxID); err != nil {
		return api.MuteState{}, err
	}
	user, err := caller(ctx)
	if err != nil {
		return api.MuteState{}, err
	}
	now, err := s.Rooms.SetMuted(ctx, user, in.ChatroomID, muted)
	return api.MuteState{Code: http.StatusOK, Mute: now}, err
}

// IsMuteChatroom tells whether a message group is silent.
func (s *Server) IsMuteChatroom(ctx context.Context, req api.IsMuteChatroomRequestObject) (api.IsMuteChatroomResponseObject, error) {
	if err := validText("chatroom_id", req.Body.ChatroomID, maxID); err != nil {
		return nil, err
	}
	user, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	muted, err := s.Rooms.Muted(ctx, user, req.Body.ChatroomID)
	if err != nil {
		return nil, err
	}
	return api.IsMuteChatroom200JSONResponse{Code: http.StatusOK, Mute: muted}, nil
}
