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

// onAir is what an administrator sees of what runs, and ends.
func (w walk) onAir(t *testing.T) {
	ctx, app := t.Context(), "live"
	good[*api.ListRunningStreamsResponse](t)(w.admin.ListRunningStreamsWithResponse(ctx, &api.ListRunningStreamsParams{}))
	good[*api.ListStreamSamplesResponse](t)(w.admin.ListStreamSamplesWithResponse(ctx, &api.ListStreamSamplesParams{App: app, Stream: "nobody"}))
	if cut := good[*api.CutStreamResponse](t)(w.admin.CutStreamWithResponse(ctx, &api.CutStreamParams{App: app, Stream: "nobody"})).JSON200; cut.State != api.KickResultStateGone {
		t.Errorf("cutting off nobody: %+v", cut)
	}
	ended := api.ListSessionsParamsStateEnded
	good[*api.ListSessionsResponse](t)(w.admin.ListSessionsWithResponse(ctx, &api.ListSessionsParams{State: &ended}))
	open := good[*api.ListSessionsResponse](t)(w.admin.ListSessionsWithResponse(ctx, &api.ListSessionsParams{})).JSON200
	if len(open.Sessions) == 0 {
		t.Fatal("nothing is open")
	}
	if kicked := good[*api.KickSessionResponse](t)(w.admin.KickSessionWithResponse(ctx, open.Sessions[0].ID)).JSON200; kicked.State != api.KickResultStateImpossible || kicked.Message == "" {
		t.Errorf("kicked on a node that cannot be told: %+v", kicked)
	}
}
