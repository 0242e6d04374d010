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

// rules is a key's rotation, from its making to its end, and a ban.
func (w walk) rules(t *testing.T) {
	ctx, off := t.Context(), false
	made := good[*api.CreateRuleResponse](t)(w.admin.CreateRuleWithResponse(ctx, api.NewRule{Scene: api.NewRuleScenePublish, Domain: "walked.example.com"})).JSON201
	if len(made.Keys) != 1 || made.Keys[0].Secret == "" {
		t.Fatalf("the rule is %+v", made)
	}
	next := good[*api.CreateRuleKeyResponse](t)(w.admin.CreateRuleKeyWithResponse(ctx, made.ID, api.NewRuleKey{})).JSON201
	good[*api.ActivateRuleKeyResponse](t)(w.admin.ActivateRuleKeyWithResponse(ctx, made.ID, next.ID))
	good[*api.RevokeRuleKeyResponse](t)(w.admin.RevokeRuleKeyWithResponse(ctx, made.ID, made.Keys[0].ID))
	good[*api.RetireRuleKeyResponse](t)(w.admin.RetireRuleKeyWithResponse(ctx, made.ID, next.ID))
	good[*api.UpdateRuleResponse](t)(w.admin.UpdateRuleWithResponse(ctx, made.ID, api.RuleUpdate{Enabled: &off}))
	if r := good[*api.GetRuleResponse](t)(w.admin.GetRuleWithResponse(ctx, made.ID)).JSON200; r.Enabled || len(r.Keys) != 2 {
		t.Errorf("the rule is %+v", r)
	}
	good[*api.ListRulesResponse](t)(w.admin.ListRulesWithResponse(ctx, &api.ListRulesParams{Text: "walked"}))
	good[*api.DeleteRuleResponse](t)(w.admin.DeleteRuleWithResponse(ctx, made.ID))
	good[*api.CreateBanResponse](t)(w.admin.CreateBanWithResponse(ctx, api.NewBan{App: "live", Stream: "banned"}))
	if bans := good[*api.ListBansResponse](t)(w.admin.ListBansWithResponse(ctx, &api.ListBansParams{Stream: "BANNED"})).JSON200; len(bans.Bans) != 1 {
		t.Errorf("the bans are %+v", bans)
	}
	good[*api.DeleteBanResponse](t)(w.admin.DeleteBanWithResponse(ctx, &api.DeleteBanParams{App: "live", Stream: "banned"}))
}
