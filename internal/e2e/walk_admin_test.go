package e2e

import (
	"testing"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// anyRoom is what an administrator does with the rooms of others.
func (w walk) anyRoom(t *testing.T) {
	ctx := t.Context()
	found := good[*api.FindRoomsResponse](t)(w.admin.FindRoomsWithResponse(ctx, &api.FindRoomsParams{Text: "FIRST"})).JSON200
	if len(found.Rooms) != 1 || found.Rooms[0].Title != "first" {
		t.Fatalf("found %+v", found)
	}
	id := found.Rooms[0].ID
	if r := good[*api.InspectRoomResponse](t)(w.admin.InspectRoomWithResponse(ctx, id)).JSON200; r.Push == nil || r.Push.RTMP == "" || r.Pull.FLV == "" {
		t.Errorf("the room is %+v", r)
	}
	good[*api.StartAnyRoomResponse](t)(w.admin.StartAnyRoomWithResponse(ctx, id))
	good[*api.PauseAnyRoomResponse](t)(w.admin.PauseAnyRoomWithResponse(ctx, id))
	if r := good[*api.StopAnyRoomResponse](t)(w.admin.StopAnyRoomWithResponse(ctx, id)).JSON200; r.State != api.RoomStateEnded || r.Push != nil {
		t.Errorf("the room is %+v", r)
	}
	good[*api.DeleteAnyRoomResponse](t)(w.admin.DeleteAnyRoomWithResponse(ctx, id))
}
