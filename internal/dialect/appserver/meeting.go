package appserver

import (
	"context"
	"net/http"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
)

// GetMeetingInfo lists the co-streaming members. The web client asks for every
// room, so one without co-streaming has none rather than failing.
func (s *Server) GetMeetingInfo(ctx context.Context, req api.GetMeetingInfoRequestObject) (api.GetMeetingInfoResponseObject, error) {
	if err := validText("id", req.Body.ID, maxID); err != nil {
		return nil, err
	}
	members, err := s.Rooms.Meeting(ctx, req.Body.ID)
	if err != nil {
		return nil, err
	}
	return api.GetMeetingInfo200JSONResponse{Code: http.StatusOK, Members: fromMembers(members)}, nil
}

// UpdateMeetingInfo replaces the co-streaming members.
func (s *Server) UpdateMeetingInfo(ctx context.Context, req api.UpdateMeetingInfoRequestObject) (api.UpdateMeetingInfoResponseObject, error) {
	user, err := s.roomCaller(ctx, req.Body.ID)
	if err != nil {
		return nil, err
	}
	wanted, err := toMembers(req.Body.Members)
	if err != nil {
		return nil, err
	}
	members, err := s.Rooms.SetMeeting(ctx, user, req.Body.ID, wanted)
	if err != nil {
		return nil, err
	}
	return api.UpdateMeetingInfo200JSONResponse{Code: http.StatusOK, Members: fromMembers(members)}, nil
}

// SendLikeMessage adds likes. Anybody may like, once or in batches.
func (s *Server) SendLikeMessage(ctx context.Context, req api.SendLikeMessageRequestObject) (api.SendLikeMessageResponseObject, error) {
	in := req.Body
	if err := validText("chatroom_id", in.ChatroomID, maxID); err != nil {
		return nil, err
	}
	if _, err := caller(ctx, claim{"user_id", in.UserID}); err != nil {
		return nil, err
	}
	total, err := s.Rooms.Like(ctx, in.ChatroomID, min(int(in.LikeCount), maxLikeBatch))
	if err != nil {
		return nil, err
	}
	return api.SendLikeMessage200JSONResponse{Code: http.StatusOK, Count: clamp(total)}, nil
}

// GetStatistics shows the figures of a room twice: Android reads them flat, iOS
// inside metrics.
func (s *Server) GetStatistics(ctx context.Context, req api.GetStatisticsRequestObject) (api.GetStatisticsResponseObject, error) {
	if err := validText("chatroom_id", req.Body.ChatroomID, maxID); err != nil {
		return nil, err
	}
	m, err := s.Rooms.Statistics(ctx, req.Body.ChatroomID)
	if err != nil {
		return nil, err
	}
	metrics := toMetrics(m)
	return api.GetStatistics200JSONResponse{
		Code: http.StatusOK, Pv: m.PV, Uv: metrics.Uv, LikeCount: metrics.LikeCount, OnlineCount: metrics.OnlineCount, Metrics: metrics,
	}, nil
}
