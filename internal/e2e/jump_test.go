package e2e

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// link makes a link into a room and returns what the desktop client reads from it.
func (a account) link(t *testing.T, roomID string) api.AuthTokenCheck {
	t.Helper()
	resp := good[*api.GetLiveJumpURLResponse](t)(a.GetLiveJumpURLWithResponse(t.Context(), api.JumpURLRequest{LiveID: roomID, UserID: a.name, UserName: "The admin"}))
	u, err := url.Parse(resp.JSON200.LiveJumpURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	return api.AuthTokenCheck{UserID: q.Get("user_id"), LiveID: q.Get("live_id"), AppServer: q.Get("app_server"), Token: q.Get("token")}
}

func (s *server) redeem(t *testing.T, check api.AuthTokenCheck) int {
	t.Helper()
	resp, err := s.anonymous(t).VerifyAuthTokenWithResponse(t.Context(), check)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode()
}

func TestAJumpTokenWorksOnceWhoeverCrashes(t *testing.T) {
	t.Parallel()
	first := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t), "MASTER_KEY": strings.Repeat("5a", 32), "PUBLIC_URL": "https://live.example.com"})
	second := first.neighbour(t)
	admin := first.logIn(t)
	room := admin.createRoom(t, "linked")

	check := admin.link(t, room.ID)
	first.kill(t)
	if code := second.redeem(t, check); code != http.StatusOK {
		t.Errorf("at another process: %d", code)
	}
	second.kill(t)
	first.start(t)
	second.start(t)
	for _, s := range []*server{first, second} {
		if code := s.redeem(t, check); code != http.StatusUnauthorized {
			t.Errorf("again, after kill -9: %d", code)
		}
	}

	check = admin.link(t, room.ID)
	codes := make([]int, 16)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = []*server{first, second}[i%2].redeem(t, check) })
	}
	wg.Wait()
	in := 0
	for _, code := range codes {
		if code == http.StatusOK {
			in++
		} else if code != http.StatusUnauthorized {
			t.Errorf("status %d", code)
		}
	}
	if in != 1 {
		t.Errorf("%d of %d got in", in, len(codes))
	}
}

// pushCallbackKey is the key of the CDN in the walk.
const pushCallbackKey = "a key of the CDN's callback"

// links is what the AppServer has beside rooms: links, renewed logins, muted
// groups, and reports of a CDN.
func (w walk) links(t *testing.T, room api.Room) {
	ctx, me, chat := t.Context(), w.admin.name, api.ChatroomRef{ChatroomID: room.ChatID}
	good[*api.VerifyAuthTokenResponse](t)(w.anonymous(t).VerifyAuthTokenWithResponse(ctx, w.admin.link(t, room.ID)))
	good[*api.GetRTCAuthTokenResponse](t)(w.admin.GetRTCAuthTokenWithResponse(ctx, api.RTCTokenRequest{RoomID: room.MeetingID, UserID: me}))
	good[*api.RefreshTokenResponse](t)(w.admin.RefreshTokenWithResponse(ctx))
	good[*api.RefreshTokenGetResponse](t)(w.admin.RefreshTokenGetWithResponse(ctx))
	good[*api.MuteChatroomResponse](t)(w.admin.MuteChatroomWithResponse(ctx, chat))
	good[*api.CancelMuteChatroomResponse](t)(w.admin.CancelMuteChatroomWithResponse(ctx, chat))
	good[*api.IsMuteChatroomResponse](t)(w.admin.IsMuteChatroomWithResponse(ctx, chat))

	now, host := time.Now().Unix(), strings.Split(strings.TrimPrefix(w.url, "http://"), ":")[0]
	stamp := strconv.FormatInt(now, 10)
	sign := func(_ context.Context, r *http.Request) error {
		r.Header.Set("ALI-LIVE-SIGNATURE", urlsign.PushCallbackSignature(host, stamp, pushCallbackKey))
		return nil
	}
	good[*api.HandlePushStreamEventResponse](t)(w.anonymous(t).HandlePushStreamEventWithResponse(ctx, &api.HandlePushStreamEventParams{
		Action: api.PushActionPublish, App: host, Appname: "live", ID: room.ID, Time: now, ALILIVETIMESTAMP: stamp}, sign))
	if got := w.admin.room(t, room.ID); got.Status != 1 {
		t.Errorf("published to the CDN, the room has status %d", got.Status)
	}
	good[*api.HandlePushStreamEventPostResponse](t)(w.anonymous(t).HandlePushStreamEventPostWithResponse(ctx, &api.HandlePushStreamEventPostParams{
		Action: api.PushActionPublishDone, App: host, Appname: "live", ID: room.ID, Time: now, ALILIVETIMESTAMP: stamp}, sign))
	if got := w.admin.room(t, room.ID); got.Status != 0 {
		t.Errorf("no longer published, the room has status %d", got.Status)
	}
}
