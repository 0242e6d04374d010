package appserver

import (
	"context"
	"net/http"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// CreateRoomV1 creates a room. Its clients are from before the newer message
// service, so that one has to be asked for.
func (s *Server) CreateRoomV1(ctx context.Context, req api.CreateRoomV1RequestObject) (api.CreateRoomV1ResponseObject, error) {
	in := api.RoomCreateV2(*req.Body)
	if len(in.IMServer) == 0 {
		in.IMServer = []api.IMServer{im.ServerOld}
	}
	out, err := s.create(ctx, in)
	if err != nil {
		return nil, err
	}
	return api.CreateRoomV1200JSONResponse(out), nil
}

// CreateRoomV2 creates a room.
func (s *Server) CreateRoomV2(ctx context.Context, req api.CreateRoomV2RequestObject) (api.CreateRoomV2ResponseObject, error) {
	out, err := s.create(ctx, *req.Body)
	if err != nil {
		return nil, err
	}
	return api.CreateRoomV2200JSONResponse(out), nil
}

func (s *Server) create(ctx context.Context, in api.RoomCreateV2) (api.Room, error) {
	if err := validServers(in.IMServer); err != nil {
		return api.Room{}, err
	}
	anchor, err := caller(ctx, claim{"anchor", in.Anchor})
	if err != nil {
		return api.Room{}, err
	}
	r, err := s.Rooms.Create(ctx, anchor, toInput(in, anchor))
	if err != nil {
		return api.Room{}, err
	}
	// Nobody has watched yet, and it was created at the moment of this request.
	out := s.toRoom(room.Detail{Room: r, Links: s.Rooms.LinksFor(r, anchor, r.CreatedAt)})
	out.Code, out.Metrics, out.StartedAt, out.StoppedAt = http.StatusOK, nil, "", ""
	return out, nil
}

// The page that a client gets who does not say which.
const (
	defaultPage     = 1
	defaultPageSize = 10
)

// ListRooms lists a page of rooms, newest first.
func (s *Server) ListRooms(ctx context.Context, req api.ListRoomsRequestObject) (api.ListRoomsResponseObject, error) {
	in := req.Body
	user, err := caller(ctx, claim{"user_id", in.UserID})
	if err != nil {
		return nil, err
	}
	status, err := toStatus(in.Status)
	if err != nil {
		return nil, err
	}
	page, err := s.Rooms.List(ctx, orDefault(in.PageNum, defaultPage), orDefault(in.PageSize, defaultPageSize), status)
	if err != nil {
		return nil, err
	}
	details, err := s.Rooms.Describe(ctx, user, page.Rooms...)
	if err != nil {
		return nil, err
	}
	out := api.ListRooms200JSONResponse{Body: make([]api.Room, len(details))}
	out.Headers.XTotalCount = int64(page.Total)
	for i, d := range details {
		out.Body[i] = s.toRoom(d)
	}
	return out, nil
}

func orDefault(v *int32, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return int(*v)
}

func toStatus(v *int32) (*room.Status, error) {
	if v == nil {
		return nil, nil
	}
	if *v < 0 || *v > int32(room.Off) {
		return nil, errs.InvalidField("status", "status is 0, 1 or 2")
	}
	st := room.Status(*v)
	return &st, nil
}

// GetRoom shows a room to anybody. The message service is the room's own,
// whatever the client names: one of them names none.
func (s *Server) GetRoom(ctx context.Context, req api.GetRoomRequestObject) (api.GetRoomResponseObject, error) {
	get := func(ctx context.Context, _, id string) (room.Room, error) { return s.Rooms.Get(ctx, id) }
	out, err := s.with(ctx, get, api.RoomRef{ID: req.Body.ID, UserID: req.Body.UserID})
	if err != nil {
		return nil, err
	}
	return api.GetRoom200JSONResponse(out), nil
}

// StartRoom puts a room on air.
func (s *Server) StartRoom(ctx context.Context, req api.StartRoomRequestObject) (api.StartRoomResponseObject, error) {
	out, err := s.with(ctx, s.Rooms.Start, *req.Body)
	if err != nil {
		return nil, err
	}
	return api.StartRoom200JSONResponse(out), nil
}

// StopRoom ends a room.
func (s *Server) StopRoom(ctx context.Context, req api.StopRoomRequestObject) (api.StopRoomResponseObject, error) {
	out, err := s.with(ctx, s.Rooms.Stop, *req.Body)
	if err != nil {
		return nil, err
	}
	return api.StopRoom200JSONResponse(out), nil
}

// PauseRoom takes a room off air for a while.
func (s *Server) PauseRoom(ctx context.Context, req api.PauseRoomRequestObject) (api.PauseRoomResponseObject, error) {
	out, err := s.with(ctx, s.Rooms.Pause, *req.Body)
	if err != nil {
		return nil, err
	}
	return api.PauseRoom200JSONResponse(out), nil
}

// DeleteRoom removes a room and shows what is left of it.
func (s *Server) DeleteRoom(ctx context.Context, req api.DeleteRoomRequestObject) (api.DeleteRoomResponseObject, error) {
	out, err := s.with(ctx, s.Rooms.Delete, *req.Body)
	if err != nil {
		return nil, err
	}
	return api.DeleteRoom200JSONResponse(out), nil
}

// UpdateRoom changes the texts of a room. No client sends its name here except
// the Android one, which sends it as anchor.
func (s *Server) UpdateRoom(ctx context.Context, req api.UpdateRoomRequestObject) (api.UpdateRoomResponseObject, error) {
	in := req.Body
	update := func(ctx context.Context, user, id string) (room.Room, error) {
		return s.Rooms.Update(ctx, user, id, room.Changes{Title: in.Title, Notice: in.Notice, Extends: in.Extends})
	}
	out, err := s.with(ctx, update, api.RoomRef{ID: in.ID, UserID: in.UserID}, claim{"anchor", in.Anchor})
	if err != nil {
		return nil, err
	}
	return api.UpdateRoom200JSONResponse(out), nil
}

// with does something with the room that a request names and shows the outcome
// to the caller.
func (s *Server) with(ctx context.Context, do func(ctx context.Context, user, id string) (room.Room, error), ref api.RoomRef, more ...claim) (api.Room, error) {
	user, err := s.roomCaller(ctx, ref.ID, append(more, claim{"user_id", ref.UserID})...)
	if err != nil {
		return api.Room{}, err
	}
	r, err := do(ctx, user, ref.ID)
	if err != nil {
		return api.Room{}, err
	}
	details, err := s.Rooms.Describe(ctx, user, r)
	if err != nil {
		return api.Room{}, err
	}
	out := s.toRoom(details[0])
	out.Code = http.StatusOK
	return out, nil
}
