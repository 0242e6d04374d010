package appserver

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

const (
	jumpPath   = "/api/v1/live/getLiveJumpUrl"
	verifyPath = "/api/v1/live/verifyAuthToken"
	rtcPath    = "/api/v1/live/getRtcAuthToken"
)

// link makes a link to a room of alice and returns its parameters.
func (b *bench) link(t *testing.T, id, more string) (string, url.Values) {
	t.Helper()
	got := b.send(t, jumpPath, b.alice, `{"user_id":"alice","live_id":"`+id+`"`+more+`}`).want(t, 200)
	link, _ := got.object["liveJumpUrl"].(string)
	if link == "" || got.object["live_jump_url"] != link {
		t.Fatalf("%s", got.Body)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return link, u.Query()
}

func (b *bench) verify(t *testing.T, q url.Values, more string) reply {
	t.Helper()
	return b.send(t, verifyPath, "", `{"user_id":"`+q.Get("user_id")+`","live_id":"`+q.Get("live_id")+`","app_server":"`+q.Get("app_server")+
		`","token":"`+q.Get("token")+`"`+more+`}`)
}

func TestAJumpLinkOpensTheAnchorsRoomOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "").ID
	link, q := b.link(t, id, `,"user_name":"美女主播"`)
	if want := "auipusher://page/live-room?app_server=https%3A%2F%2Flive.example.com&token=" + q.Get("token") +
		"&user_id=alice&user_name=%E7%BE%8E%E5%A5%B3%E4%B8%BB%E6%92%AD&live_id=" + id; link != want {
		t.Errorf("%s", link)
	}
	got := b.verify(t, q, `,"user_name":"美女主播"`).want(t, 200)
	token, _ := got.object["loginToken"].(string)
	if got.object["login_token"] != token {
		t.Errorf("%s", got.Body)
	}
	b.send(t, "/api/v1/live/start", token, `{"id":"`+id+`","user_id":"alice"}`).want(t, 200)
	b.verify(t, q, "").want(t, 401)
}

func TestAJumpLinkCarriesAVersionOnlyWhenThereIsOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "").ID
	if link, _ := b.link(t, id, `,"version":"2.0"`); !strings.HasSuffix(link, "&live_id="+id+"&version=2.0") {
		t.Errorf("%s", link)
	}
	link, q := b.link(t, id, `,"version":null,"user_name":null`)
	if !strings.HasSuffix(link, "&user_name=&live_id="+id) {
		t.Errorf("%s", link)
	}
	b.verify(t, q, `,"user_name":null`).want(t, 200)
}

func TestJumpLinksAreForTheAnchorOfTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "").ID
	b.send(t, jumpPath, b.bob, `{"live_id":"`+id+`"}`).want(t, 403)
	b.send(t, jumpPath, b.bob, `{"live_id":"`+id+`","user_id":"alice"}`).want(t, 403)
	b.send(t, jumpPath, b.bob, `{"live_id":"none","user_id":"alice"}`).want(t, 404)
	b.send(t, jumpPath, b.alice, `{"live_id":"`+id+`","user_id":"bob"}`).want(t, 403)
}

func TestAJumpTokenIsNeitherInAnswersOfRefusalsNorInTheLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, q := b.link(t, b.create(t, "").ID, "")
	b.verify(t, q, "").want(t, 200)
	refused := b.verify(t, q, "").want(t, 401)
	if strings.Contains(string(refused.Body)+b.server.Log.String(), q.Get("token")) {
		t.Errorf("%s", refused.Body)
	}
	dialecttest.CheckLoggedOnce(t, b.server.Log, refused.Answer)
}

func TestACoStreamingTokenIsForTheCallerAndARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	meeting := b.createLink(t).MeetingID
	got := b.send(t, rtcPath, b.bob, `{"room_id":"`+meeting+`","user_id":"bob"}`).want(t, 200)
	at := int64(startOfTest + 24*60*60)
	if got.object["auth_token"] != urlsign.RTCToken(rtcAppID, rtcAppKey, meeting, "bob", "", at) || got.object["timestamp"] != float64(at) {
		t.Errorf("%s", got.Body)
	}
	b.send(t, rtcPath, b.bob, `{"room_id":"`+meeting+`","user_id":null}`).want(t, 200)
	b.send(t, rtcPath, b.bob, `{"room_id":"`+meeting+`","user_id":"alice"}`).want(t, 403)
	b.send(t, rtcPath, b.bob, `{"room_id":"none"}`).want(t, 404)
	b.send(t, rtcPath, b.bob, `{"room_id":"`+b.create(t, "").ID+`"}`).want(t, 404)
	b.send(t, rtcPath, b.addAccount(t, "b@b"), `{"room_id":"`+meeting+`"}`).want(t, 400)
}
