package stagedoor

import (
	"context"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// roomStates are the states of a room in words.
var roomStates = map[room.Status]gen.RoomState{
	room.Prepare: gen.RoomStatePrepared, room.On: gen.RoomStateLive, room.Off: gen.RoomStateEnded,
}

// FindRooms returns one page.
func (s *Server) FindRooms(ctx context.Context, req gen.FindRoomsRequestObject) (gen.FindRoomsResponseObject, error) {
	p := req.Params
	limit, _, err := page(p.Limit, "")
	if err != nil {
		return nil, err
	}
	status, err := toStatus(p.State)
	if err != nil {
		return nil, err
	}
	rooms, next, err := s.Rooms.Find(ctx, room.Search{Status: status, Text: p.Text, After: p.Cursor, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := gen.FindRooms200JSONResponse{Rooms: make([]gen.ManagedRoom, len(rooms)), NextCursor: next}
	for i, r := range rooms {
		out.Rooms[i] = toManagedRoom(r.Room, r.Metrics, r.OnAir)
	}
	return out, nil
}

func toStatus(state *gen.FindRoomsParamsState) (*room.Status, error) {
	if state == nil {
		return nil, nil
	}
	for status, name := range roomStates {
		if string(name) == string(*state) {
			return &status, nil
		}
	}
	return nil, errs.InvalidField("state", "state is prepared, live or ended")
}

// InspectRoom shows one room.
func (s *Server) InspectRoom(ctx context.Context, req gen.InspectRoomRequestObject) (gen.InspectRoomResponseObject, error) {
	r, err := s.Rooms.Inspect(ctx, req.RoomID)
	if err != nil {
		return nil, err
	}
	return gen.InspectRoom200JSONResponse(toInspectedRoom(r)), nil
}

// StartAnyRoom puts a room on air.
func (s *Server) StartAnyRoom(ctx context.Context, req gen.StartAnyRoomRequestObject) (gen.StartAnyRoomResponseObject, error) {
	r, err := s.moveRoom(ctx, req.RoomID, room.On)
	if err != nil {
		return nil, err
	}
	return gen.StartAnyRoom200JSONResponse(r), nil
}

// PauseAnyRoom takes a room off air for a while.
func (s *Server) PauseAnyRoom(ctx context.Context, req gen.PauseAnyRoomRequestObject) (gen.PauseAnyRoomResponseObject, error) {
	r, err := s.moveRoom(ctx, req.RoomID, room.Prepare)
	if err != nil {
		return nil, err
	}
	return gen.PauseAnyRoom200JSONResponse(r), nil
}

// StopAnyRoom ends a room.
func (s *Server) StopAnyRoom(ctx context.Context, req gen.StopAnyRoomRequestObject) (gen.StopAnyRoomResponseObject, error) {
	r, err := s.moveRoom(ctx, req.RoomID, room.Off)
	if err != nil {
		return nil, err
	}
	return gen.StopAnyRoom200JSONResponse(r), nil
}

func (s *Server) moveRoom(ctx context.Context, id string, to room.Status) (gen.ManagedRoom, error) {
	if _, err := s.Rooms.MoveAny(ctx, id, to); err != nil {
		return gen.ManagedRoom{}, err
	}
	r, err := s.Rooms.Inspect(ctx, id)
	return toInspectedRoom(r), err
}

// DeleteAnyRoom removes a room.
func (s *Server) DeleteAnyRoom(ctx context.Context, req gen.DeleteAnyRoomRequestObject) (gen.DeleteAnyRoomResponseObject, error) {
	if _, err := s.Rooms.DeleteAny(ctx, req.RoomID); err != nil {
		return nil, err
	}
	return gen.DeleteAnyRoom204Response{}, nil
}

func toManagedRoom(r room.Room, m room.Metrics, onAir []room.OnAir) gen.ManagedRoom {
	out := gen.ManagedRoom{ID: r.ID, Title: r.Title, State: roomStates[r.Status], Mode: gen.ManagedRoomModeOrdinary, App: r.App,
		AnchorID: r.AnchorID, AnchorNick: r.AnchorNick, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		StartedAt: utc(r.StartedAt), StoppedAt: utc(r.StoppedAt),
		Online: m.Online, Plays: m.PV, Viewers: m.UV, Likes: m.Likes, Streams: make([]gen.RoomStream, len(onAir))}
	if r.Mode == room.ModeLink {
		out.Mode = gen.ManagedRoomModeLink
	}
	for i, st := range onAir {
		out.Streams[i] = gen.RoomStream{SessionID: strconv.FormatInt(st.SessionID, 10), Node: st.Node, Vhost: st.Stream.Vhost, App: st.Stream.App,
			Stream: st.Stream.Name, Protocol: st.Protocol, Address: st.Address, Since: st.Since.UTC()}
	}
	return out
}

func toInspectedRoom(r room.Inspection) gen.ManagedRoom {
	out := toManagedRoom(r.Room, r.Metrics, r.OnAir)
	expires, muted := r.ExpiresAt.UTC(), r.Muted
	out.Notice, out.CoverURL, out.Extends, out.Muted = r.Notice, r.CoverURL, r.Extends, &muted
	out.ChatID, out.IMServers, out.MeetingID, out.VODID = r.ChatID, r.IMServers, r.MeetingID, r.VODID
	for _, m := range r.Members {
		out.Members = append(out.Members, gen.RoomMember{UserID: m.UserID, UserNick: m.UserNick, UserAvatar: m.UserAvatar,
			CameraOpened: m.CameraOpened, MicOpened: m.MicOpened})
	}
	for _, f := range r.Recordings {
		out.Recordings = append(out.Recordings, gen.RoomRecording{URL: f.PlayURL, DurationSeconds: f.Duration.Seconds(), CreatedAt: f.CreatedAt.UTC()})
	}
	for _, f := range r.VOD {
		length, _ := strconv.ParseFloat(f.Duration, 64) // 0 where the service did not tell
		out.Recordings = append(out.Recordings, gen.RoomRecording{URL: f.PlayURL, DurationSeconds: max(length, 0), CreatedAt: f.CreatedAt.UTC()})
	}
	out.UrlsExpireAt = &expires
	if p := r.Links.Push; p != nil {
		out.Push = &gen.RoomURLs{RTMP: p.RTMP, RTS: p.RTS, SRT: p.SRT}
	}
	out.Pull = toRoomURLs(r.Links.Pull)
	if r.Links.Link != nil {
		out.LinkPull = toRoomURLs(r.Links.Link.CDN)
	}
	return out
}

func toRoomURLs(u room.PullURLs) *gen.RoomURLs {
	return &gen.RoomURLs{RTMP: u.RTMP, RTS: u.RTS, FLV: u.FLV, HLS: u.HLS}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	at := t.UTC()
	return &at
}
