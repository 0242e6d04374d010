package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// walk calls operations one after the other, as a client generated from the
// spec does; each must succeed.
type walk struct {
	*server
	admin account
}

// TestTheGeneratedClientWalksEveryOperation fails as well when an operation is
// added to the spec and not here.
func TestTheGeneratedClientWalksEveryOperation(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"PUSH_CALLBACK_KEY": pushCallbackKey, "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"})
	w := walk{s, s.logIn(t)}
	w.operations(t)
	w.users(t)
	w.accounts(t)
	w.nodes(t)
	w.webhooks(t)
	w.ipchub(t)
	room := w.room(t)
	w.links(t, room)
	w.machines(t)
	w.callbacks(t, room)
	w.otherServers(t, room)
	w.onAir(t)
	w.rules(t)
	w.anyRoom(t)
	w.ends(t, room)
	if missed := s.spec.Uncovered(); len(missed) > 0 {
		t.Errorf("never called: %s", strings.Join(missed, ", "))
	}
}

// good takes the result of a call and fails the test unless it is a success.
func good[R interface{ StatusCode() int }](t *testing.T) func(R, error) R {
	return func(resp R, err error) R {
		t.Helper()
		if err != nil {
			t.Fatalf("%T: %v", resp, err)
		}
		if resp.StatusCode()/100 != 2 {
			t.Fatalf("%T: status %d, %s", resp, resp.StatusCode(), body(any(resp).(interface{ GetBody() []byte })))
		}
		return resp
	}
}

func (w walk) operations(t *testing.T) {
	ctx, c := t.Context(), w.anonymous(t)
	good[*api.HealthzResponse](t)(c.HealthzWithResponse(ctx))
	good[*api.ReadyzResponse](t)(c.ReadyzWithResponse(ctx))
	good[*api.MetricsResponse](t)(c.MetricsWithResponse(ctx))
	good[*api.OpenapiYAMLResponse](t)(c.OpenapiYAMLWithResponse(ctx))
	good[*api.OpenapiJSONResponse](t)(c.OpenapiJSONWithResponse(ctx))
	good[*api.DocsResponse](t)(c.DocsWithResponse(ctx))
	good[*api.JWKSResponse](t)(c.JWKSWithResponse(ctx))
	good[*api.ConsoleFileResponse](t)(c.ConsoleFileWithResponse(ctx, "0/app.js"))
}

// users is live_auth.
func (w walk) users(t *testing.T) {
	ctx, c := t.Context(), w.anonymous(t)
	good[*api.LoginForAccessTokenResponse](t)(c.LoginForAccessTokenWithFormdataBodyWithResponse(ctx,
		api.PasswordGrant{Username: "admin", Password: w.password}))
	good[*api.CreateUserResponse](t)(w.admin.CreateUserWithResponse(ctx,
		api.UserCreate{Username: "walker", Password: "a long way to go", Email: "walker@example.com", FullName: "Walker"}))
	good[*api.ReadUsersMeResponse](t)(w.admin.ReadUsersMeWithResponse(ctx))
	good[*api.CreateLiveTokenResponse](t)(w.admin.CreateLiveTokenWithResponse(ctx, &api.CreateLiveTokenParams{Stream: "spare"}))
	tokens := *good[*api.ListLiveTokensResponse](t)(w.admin.ListLiveTokensWithResponse(ctx)).JSON200
	good[*api.DestroyLiveTokenResponse](t)(w.admin.DestroyLiveTokenWithResponse(ctx, &api.DestroyLiveTokenParams{Token: tokens[0].Token}))
	good[*api.ListStreamsResponse](t)(w.admin.ListStreamsWithResponse(ctx))
}

// accounts is our own addition.
func (w walk) accounts(t *testing.T) {
	ctx, name := t.Context(), "Walker, the second"
	good[*api.ListAccountsResponse](t)(w.admin.ListAccountsWithResponse(ctx, &api.ListAccountsParams{}))
	good[*api.UpdateAccountResponse](t)(w.admin.UpdateAccountWithResponse(ctx, "walker", api.AccountUpdate{FullName: &name}))
	got := good[*api.GetAccountResponse](t)(w.admin.GetAccountWithResponse(ctx, "walker")).JSON200
	if got.FullName != name {
		t.Errorf("the account is called %q", got.FullName)
	}
	key := good[*api.CreateAccessKeyResponse](t)(w.admin.CreateAccessKeyWithResponse(ctx, api.NewAccessKey{Username: "walker"})).JSON201
	listed := good[*api.ListAccessKeysResponse](t)(w.admin.ListAccessKeysWithResponse(ctx, &api.ListAccessKeysParams{Username: "walker"})).JSON200
	if len(listed.AccessKeys) != 1 || listed.AccessKeys[0].AccessKeyID != key.AccessKeyID {
		t.Errorf("the keys are %+v", listed.AccessKeys)
	}
	good[*api.RevokeAccessKeyResponse](t)(w.admin.RevokeAccessKeyWithResponse(ctx, key.AccessKeyID))
	good[*api.DeleteAccountResponse](t)(w.admin.DeleteAccountWithResponse(ctx, "walker"))
}

// nodes is our own addition too, as is asking why.
func (w walk) nodes(t *testing.T) {
	ctx, user := t.Context(), "operator"
	made := good[*api.CreateNodeResponse](t)(w.admin.CreateNodeWithResponse(ctx, api.NewNode{Name: "walked", Kind: "nginx-rtmp"})).JSON201
	x := good[*api.ExplainURLResponse](t)(w.admin.ExplainURLWithResponse(ctx, api.ExplainRequest{URL: "rtmp://push.example.com/live/walked"})).JSON200
	if x.Allowed || x.Reason != "no_credential" || len(x.Changes) == 0 {
		t.Errorf("explained %+v", x)
	}
	good[*api.ListRefusalsResponse](t)(w.admin.ListRefusalsWithResponse(ctx, &api.ListRefusalsParams{Stream: "live/elsewhere"}))
	good[*api.CreateLiveTokenResponse](t)(w.admin.CreateLiveTokenWithResponse(ctx, &api.CreateLiveTokenParams{Stream: "walked-pair"}))
	if p := good[*api.FindLiveTokensResponse](t)(w.admin.FindLiveTokensWithResponse(ctx, &api.FindLiveTokensParams{Stream: "walked-pair"})).JSON200; len(p.Tokens) != 1 {
		t.Errorf("the tokens are %+v", p.Tokens)
	}
	good[*api.RevokeLiveTokenResponse](t)(w.admin.RevokeLiveTokenWithResponse(ctx, &api.RevokeLiveTokenParams{Stream: "walked-pair"}))
	if o := good[*api.GetOverviewResponse](t)(w.admin.GetOverviewWithResponse(ctx)).JSON200; !o.Ready || o.OnAir == nil || o.Nodes == nil || o.Refusals == nil {
		t.Errorf("the overview is %+v", o)
	}
	good[*api.ListEventsResponse](t)(w.admin.ListEventsWithResponse(ctx, &api.ListEventsParams{Type: []string{"room.*"}}))
	good[*api.FollowEventsResponse](t)(w.admin.FollowEventsWithResponse(ctx, &api.FollowEventsParams{LastEventID: "9223372036854775807"}))
	good[*api.ListNodesResponse](t)(w.admin.ListNodesWithResponse(ctx, &api.ListNodesParams{}))
	good[*api.UpdateNodeResponse](t)(w.admin.UpdateNodeWithResponse(ctx, "walked", api.NodeUpdate{ControlUsername: &user}))
	if got := good[*api.GetNodeResponse](t)(w.admin.GetNodeWithResponse(ctx, "walked")).JSON200; got.ControlUsername != user {
		t.Errorf("the node is %+v", got)
	}
	turned := good[*api.RotateNodeSecretResponse](t)(w.admin.RotateNodeSecretWithResponse(ctx, "walked")).JSON200
	lines := good[*api.GetNodeConfigurationResponse](t)(w.admin.GetNodeConfigurationWithResponse(ctx, "walked")).JSON200
	if made.Secret == turned.Secret || lines.Configuration != turned.Configuration || !strings.Contains(lines.Configuration, turned.Secret) {
		t.Errorf("created\n%s\nrotated\n%s\nlines\n%s", made.Secret, turned.Configuration, lines.Configuration)
	}
	good[*api.DeleteNodeResponse](t)(w.admin.DeleteNodeWithResponse(ctx, "walked"))
	good[*api.ListRelaysResponse](t)(w.admin.ListRelaysWithResponse(ctx, &api.ListRelaysParams{}))
}

// webhooks are our own as well.
func (w walk) webhooks(t *testing.T) {
	ctx, off := t.Context(), false
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	made := good[*api.CreateWebhookResponse](t)(w.admin.CreateWebhookWithResponse(ctx, api.NewWebhook{URL: receiver.URL, Types: []string{"recording.*"}})).JSON201
	id := made.Webhook.ID
	d := good[*api.TestWebhookResponse](t)(w.admin.TestWebhookWithResponse(ctx, id)).JSON202
	eventually(t, "the test event arrives", func() bool {
		listed := good[*api.ListWebhookDeliveriesResponse](t)(w.admin.ListWebhookDeliveriesWithResponse(ctx, id, &api.ListWebhookDeliveriesParams{})).JSON200
		return len(listed.Deliveries) == 1 && listed.Deliveries[0].ID == d.ID && listed.Deliveries[0].State == "delivered"
	})
	good[*api.RetryWebhookDeliveryResponse](t)(w.admin.RetryWebhookDeliveryWithResponse(ctx, id, d.ID))
	good[*api.ReplayWebhookResponse](t)(w.admin.ReplayWebhookWithResponse(ctx, id, api.WebhookReplay{Since: time.Now().Add(-time.Hour)}))
	turned := good[*api.RotateWebhookSecretResponse](t)(w.admin.RotateWebhookSecretWithResponse(ctx, id, api.WebhookRotation{})).JSON200
	if turned.Secret == made.Secret {
		t.Error("the secret is the same")
	}
	good[*api.UpdateWebhookResponse](t)(w.admin.UpdateWebhookWithResponse(ctx, id, api.WebhookUpdate{Enabled: &off}))
	if got := good[*api.GetWebhookResponse](t)(w.admin.GetWebhookWithResponse(ctx, id)).JSON200; got.Enabled {
		t.Errorf("the webhook is %+v", got)
	}
	good[*api.ListWebhooksResponse](t)(w.admin.ListWebhooksWithResponse(ctx, &api.ListWebhooksParams{}))
	good[*api.DeleteWebhookResponse](t)(w.admin.DeleteWebhookWithResponse(ctx, id))
}

// machines is the volcengine dialect.
func (w walk) machines(t *testing.T) {
	m := w.machine(t)
	m.call(t, "DescribeAuth", `{"Vhost":"push.example.com","SceneType":"push"}`, &api.DescribeAuthResult{})
	if got := m.state(t, "push.example.com", "nobody"); got != "offline" {
		t.Errorf("state %s", got)
	}
}

// room is the AppServer up to a room on air.
func (w walk) room(t *testing.T) api.Room {
	ctx, me := t.Context(), w.admin.name
	good[*api.AppLoginResponse](t)(w.anonymous(t).AppLoginWithResponse(ctx, api.LoginRequest{Username: me, Password: w.password}))
	good[*api.IssueTokenV1Response](t)(w.admin.IssueTokenV1WithResponse(ctx,
		api.IMTokenV1Request{DeviceID: "d1", DeviceType: api.DeviceTypeWeb, UserID: me}))
	good[*api.IssueTokenV2Response](t)(w.admin.IssueTokenV2WithResponse(ctx,
		api.IMTokenV2Request{DeviceID: "d1", DeviceType: api.DeviceTypeWeb, UserID: me, IMServer: []api.IMServer{api.IMServerAliyunNew}}))
	good[*api.CreateRoomV1Response](t)(w.admin.CreateRoomV1WithResponse(ctx, api.RoomCreateV1{Title: "first", Anchor: me}))
	room := *good[*api.CreateRoomV2Response](t)(w.admin.CreateRoomV2WithResponse(ctx,
		api.RoomCreateV2{Title: "second", Anchor: me, Mode: 1, IMServer: []api.IMServer{api.IMServerAliyunNew}})).JSON200
	ref := api.RoomRef{ID: room.ID, UserID: me}
	good[*api.ListRoomsResponse](t)(w.admin.ListRoomsWithResponse(ctx, api.RoomListRequest{UserID: me}))
	good[*api.GetRoomResponse](t)(w.admin.GetRoomWithResponse(ctx, api.RoomGetRequest{ID: room.ID, UserID: me}))
	good[*api.UpdateRoomResponse](t)(w.admin.UpdateRoomWithResponse(ctx, api.RoomUpdate{ID: room.ID, Title: "the second"}))
	good[*api.UpdateMeetingInfoResponse](t)(w.admin.UpdateMeetingInfoWithResponse(ctx,
		api.MeetingUpdate{ID: room.ID, Members: []api.MeetingMemberInput{{UserID: me, CameraOpened: true}}}))
	good[*api.GetMeetingInfoResponse](t)(w.admin.GetMeetingInfoWithResponse(ctx, api.MeetingGetRequest{ID: room.ID}))
	good[*api.SendLikeMessageResponse](t)(w.admin.SendLikeMessageWithResponse(ctx,
		api.LikeRequest{ChatroomID: room.ChatID, UserID: me, LikeCount: 3}))
	good[*api.GetStatisticsResponse](t)(w.admin.GetStatisticsWithResponse(ctx, api.StatisticsRequest{ChatroomID: room.ChatID}))
	good[*api.StartRoomResponse](t)(w.admin.StartRoomWithResponse(ctx, ref))
	good[*api.PauseRoomResponse](t)(w.admin.PauseRoomWithResponse(ctx, ref))
	return room
}

// callbacks is what a media server says of one publisher and one player.
func (w walk) callbacks(t *testing.T, room api.Room) {
	ctx, c := t.Context(), w.anonymous(t)
	_, query, _ := strings.Cut(room.PushURLInfo.RTMPURL, "?")
	const vhost, ip = "__defaultVhost__", "192.0.2.10"
	id := json.RawMessage(`"w1"`)
	event := api.LiveStreamCallback{Action: "on_publish", App: "live", ClientID: id, IP: ip, Vhost: vhost, Stream: room.ID, Param: "?" + query}
	good[*api.SRSOnConnectResponse](t)(c.SRSOnConnectWithResponse(ctx, api.ConnectCallback{Action: "on_connect", App: "live", ClientID: id, IP: ip, Vhost: vhost}))
	good[*api.SRSOnPublishResponse](t)(c.SRSOnPublishWithResponse(ctx, event))
	good[*api.IpchubGetStreamResponse](t)(w.admin.IpchubGetStreamWithResponse(ctx, "live/"+room.ID, nil))
	good[*api.SRSOnHLSResponse](t)(c.SRSOnHLSWithResponse(ctx, api.HLSCallback{Action: "on_hls", App: "live", ClientID: id, IP: ip, Vhost: vhost,
		Stream: room.ID, Cwd: "/srv", File: "a.ts"}))
	good[*api.SRSOnDVRResponse](t)(c.SRSOnDVRWithResponse(ctx, api.DVRCallback{Action: "on_dvr", App: "live", ClientID: id, IP: ip, Vhost: vhost,
		Stream: room.ID, Cwd: "/srv", File: "a.flv"}))
	event.Action = "on_unpublish"
	good[*api.SRSOnUnpublishResponse](t)(c.SRSOnUnpublishWithResponse(ctx, event))
	_, event.Param, _ = strings.Cut(room.PullURLInfo.RTMPURL, "?")
	event.Action = "on_play"
	good[*api.SRSOnPlayResponse](t)(c.SRSOnPlayWithResponse(ctx, event))
	good[*api.NginxAuthRequestResponse](t)(c.NginxAuthRequestWithResponse(ctx, &api.NginxAuthRequestParams{XOriginalURI: "/live/" + room.ID + ".m3u8?" + event.Param}))
	event.Action = "on_stop"
	good[*api.SRSOnStopResponse](t)(c.SRSOnStopWithResponse(ctx, event))
	good[*api.SRSOnCloseResponse](t)(c.SRSOnCloseWithResponse(ctx, api.CloseCallback{Action: "on_close", App: "live", ClientID: id, IP: ip, Vhost: vhost}))
	// nginx-rtmp writes its fields in an order that tells them from the client's,
	// which follow; a form that is encoded in another order is not its.
	form := "app=live&flashver=&swfurl=&tcurl=&pageurl=&addr=" + ip + "&clientid=1&call=publish&name=" + room.ID + "&type=live&" + query
	good[*api.NginxRTMPCallbackResponse](t)(c.NginxRTMPCallbackWithBodyWithResponse(ctx,
		"application/x-www-form-urlencoded", strings.NewReader(form)))
	good[*api.NodeMediaServerCallbackResponse](t)(c.NodeMediaServerCallbackWithTextBodyWithResponse(ctx,
		`{"id":"mwr2syiev5r5kqwc","ip":"`+ip+`:40000","app":"live","name":"`+room.ID+`","protocol":"rtmp","action":"donePlay"}`))
	path, session := "live/"+room.ID, "88781d41-7615-4fed-8a97-8cb073773bb9"
	good[*api.MediamtxCallbackResponse](t)(c.MediamtxCallbackWithResponse(ctx, api.MediamtxQuestion{Action: "read", Path: path, Protocol: "hls",
		ID: session, IP: ip, Query: strings.TrimPrefix(event.Param, "?")}))
	good[*api.MediamtxEventResponse](t)(c.MediamtxEventWithFormdataBodyWithResponse(ctx, api.MediamtxEvent{Event: "read", Path: path,
		ID: session, Type: "hlsSession"}))
}

// otherServers are those that report in a way of their own.
func (w walk) otherServers(t *testing.T, room api.Room) {
	ctx, c := t.Context(), w.anonymous(t)
	_, query, _ := strings.Cut(room.PullURLInfo.RTMPURL, "?")
	good[*api.ZlmediakitCallbackResponse](t)(c.ZlmediakitCallbackWithResponse(ctx, "on_play", api.ZlmediakitEvent{MediaServerID: "z", ID: "1-2",
		IP: "192.0.2.10", Vhost: "__defaultVhost__", App: "live", Stream: room.ID, Schema: "rtmp", Params: query}))
	event := api.OvenmediaengineEvent{}
	event.Client.Address, event.Client.Port = "192.0.2.10", 4711
	event.Request.Direction, event.Request.Status, event.Request.Protocol = "outgoing", "opening", "WebRTC"
	event.Request.URL, event.Request.Time = "ws://127.0.0.1:3333/live/"+room.ID+"/master?"+query, time.Now().Format(time.RFC3339)
	good[*api.OvenmediaengineCallbackResponse](t)(c.OvenmediaengineCallbackWithResponse(ctx, &api.OvenmediaengineCallbackParams{}, event))
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	good[*api.AliyunCallbackResponse](t)(c.AliyunCallbackWithResponse(ctx, &api.AliyunCallbackParams{Action: "publish", App: "push.example.com",
		Appname: "live", ID: "elsewhere", Time: time.Now().Unix(), ALILIVETIMESTAMP: stamp}))
	good[*api.AliyunRecordingCallbackResponse](t)(c.AliyunRecordingCallbackWithResponse(ctx, &api.AliyunRecordingCallbackParams{ALILIVETIMESTAMP: stamp},
		api.AliyunRecording{App: "live", Stream: "elsewhere", URI: "a.m3u8", Duration: 1}))
}

func (w walk) ends(t *testing.T, room api.Room) {
	ctx, ref := t.Context(), api.RoomRef{ID: room.ID, UserID: w.admin.name}
	good[*api.StopRoomResponse](t)(w.admin.StopRoomWithResponse(ctx, ref))
	good[*api.DeleteRoomResponse](t)(w.admin.DeleteRoomWithResponse(ctx, ref))
	resp, err := w.admin.LogoutWithResponse(ctx)
	if err != nil || resp.StatusCode() != http.StatusNoContent {
		t.Errorf("log out: %v, %d", err, resp.StatusCode())
	}
}

// ipchub is the dialect of that name. Nothing is on air: a stream that is not
// there may be cut off, and is all but listed.
func (w walk) ipchub(t *testing.T) {
	ctx, c := t.Context(), w.anonymous(t)
	good[*api.IpchubServerResponse](t)(c.IpchubServerWithResponse(ctx))
	good[*api.IpchubRuntimeResponse](t)(c.IpchubRuntimeWithResponse(ctx, &api.IpchubRuntimeParams{Extra: "1"}))
	pair := *good[*api.IpchubLoginResponse](t)(c.IpchubLoginWithResponse(ctx, api.IpchubCredentials{Username: "admin", Password: w.password})).JSON200
	good[*api.IpchubRefreshResponse](t)(c.IpchubRefreshWithResponse(ctx, &api.IpchubRefreshParams{Token: pair.RefreshToken}))
	good[*api.IpchubSaveUserResponse](t)(w.admin.IpchubSaveUserWithResponse(ctx, nil, api.IpchubUserSave{Name: "camera1", Password: "a long way to go", Pull: "/live/*"}))
	if got := good[*api.IpchubGetUserResponse](t)(w.admin.IpchubGetUserWithResponse(ctx, "camera1")).JSON200; got.Pull != "/live/*" {
		t.Errorf("the account is %+v", got)
	}
	good[*api.IpchubListUsersResponse](t)(w.admin.IpchubListUsersWithResponse(ctx, nil))
	good[*api.IpchubDeleteUserResponse](t)(w.admin.IpchubDeleteUserWithResponse(ctx, "camera1"))
	good[*api.IpchubSaveRouteResponse](t)(w.admin.IpchubSaveRouteWithResponse(ctx, api.IpchubRoute{Pattern: "/HR/Door", URL: "rtsp://203.0.113.9/video"}))
	if got := good[*api.IpchubGetRouteResponse](t)(w.admin.IpchubGetRouteWithResponse(ctx, "hr/door")).JSON200; got.Pattern != "/hr/door" {
		t.Errorf("the route is %+v", got)
	}
	good[*api.IpchubListRoutesResponse](t)(w.admin.IpchubListRoutesWithResponse(ctx, nil))
	good[*api.IpchubDeleteRouteResponse](t)(w.admin.IpchubDeleteRouteWithResponse(ctx, "hr/door"))
	good[*api.IpchubListStreamsResponse](t)(w.admin.IpchubListStreamsWithResponse(ctx, nil))
	good[*api.IpchubDeleteStreamResponse](t)(w.admin.IpchubDeleteStreamWithResponse(ctx, "live/none"))
	good[*api.IpchubDeleteConsumerResponse](t)(w.admin.IpchubDeleteConsumerWithResponse(ctx, "live/none", &api.IpchubDeleteConsumerParams{Cid: 1}))
}
