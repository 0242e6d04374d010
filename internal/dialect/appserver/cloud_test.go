package appserver

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/aliyun/aliyuntest"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/im"
	imaliyun "github.com/stagedoor-live/stagedoor/internal/im/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/vod"
)

// cloudBench is an AppServer whose message groups and recordings are in a
// cloud.
type cloudBench struct {
	*bench
	cloud *aliyuntest.Server
}

// setupCloud gives each call to the cloud all the time that a busy machine takes,
// unless the cloud hangs.
func setupCloud(t *testing.T) *cloudBench {
	t.Helper()
	c := &cloudBench{}
	c.bench = setup(t, func(b *bench) {
		c.cloud = aliyuntest.New(t, b.clock.now)
		endpoint, err := url.Parse(c.cloud.URL)
		if err != nil {
			t.Fatal(err)
		}
		client := func(version, signature string) *aliyun.Client {
			return aliyun.New(aliyun.Config{Endpoint: endpoint, Version: version, Signature: signature, HTTP: c.cloud.Impatient(), Now: b.clock.now, Rand: rand.Reader,
				Key: aliyun.Key{ID: aliyuntest.KeyID, Secret: aliyuntest.Secret}, Timeout: time.Minute, Slots: 8})
		}
		live := client(imaliyun.Version, aliyun.V1)
		calls := imaliyun.Calls{Commands: live, Queries: live.Apart(8)}
		families := im.Families{Old: &imaliyun.Old{Calls: calls, AppID: "oldapp"},
			New: &imaliyun.New{Calls: calls, AppID: "demoapp", DataCenter: "cn-shanghai",
				Tokens: &builtin.Provider{AppID: "demoapp", AppKey: imAppKey, AppSign: "demosign", Now: b.clock.now, Rand: rand.Reader}}}
		b.rooms.Groups, b.app.Groups = families, families
		b.rooms.PageBudget = time.Minute
		b.rooms.Library = &vod.Library{Client: client(vod.Version, aliyun.V3)}
	})
	c.server.Secrets = append(c.server.Secrets, aliyuntest.Secret, aliyuntest.KeyID, "Signature=")
	return c
}

// in makes a room of alice in these message services.
func (b *cloudBench) in(t *testing.T, servers string) wireRoom {
	t.Helper()
	return b.send(t, "/api/v2/live/create", b.alice, `{"title":"a","im_server":[`+servers+`]}`).want(t, 200).room
}

const (
	oldOnly = `"aliyun_old"`
	newOnly = `"aliyun_new"`
	bothIMs = `"aliyun_new","aliyun_old"`
)

func (b *cloudBench) actions() (out []string) {
	for _, c := range b.cloud.Calls("") {
		out = append(out, c.Action)
	}
	return out
}

func TestRoomsGetTheirGroupsFromTheServicesTheyAskFor(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	old := b.send(t, "/api/v1/live/create", b.alice, `{"title":"a"}`).want(t, 200).room
	both, newer := b.in(t, bothIMs), b.in(t, newOnly)
	if old.ID != "old-group-1" || both.ID != "old-group-2" || len(newer.ID) != 32 {
		t.Errorf("ids %q, %q, %q", old.ID, both.ID, newer.ID)
	}
	for _, r := range []wireRoom{old, both, newer} {
		if r.ChatID != r.ID {
			t.Errorf("chat %q of room %q", r.ChatID, r.ID)
		}
	}
	if want := []string{"CreateMessageGroup", "CreateMessageGroup", "CreateLiveMessageGroup", "CreateLiveMessageGroup"}; !slices.Equal(b.actions(), want) {
		t.Errorf("called %q, want %q", b.actions(), want)
	}
	if second := b.cloud.Calls("CreateLiveMessageGroup")[0].Params; second["GroupId"] != both.ID || second["CreatorId"] != "alice" {
		t.Errorf("the second group of the room is %q", second)
	}
}

// refused checks that a request ended as a bad gateway that says nothing.
func (b *cloudBench) refused(t *testing.T, r dialecttest.Request) {
	t.Helper()
	got := b.do(t, t.Context(), r).want(t, 502)
	if string(got.Body) != `{"code":502,"message":"the message service did not answer"}`+"\n" {
		t.Errorf("%s answers %s", r.Path, got.Body)
	}
	dialecttest.CheckNothingLeaked(t, b.server, r, got.Answer)
	dialecttest.CheckLoggedOnce(t, b.server.Log, got.Answer)
}

// outages are the ways in which the cloud fails while a room cannot be without
// it.
var outages = map[string]aliyuntest.Fault{
	"refusal":   aliyuntest.Reply(aliyuntest.Refuse(400, "InvalidParameter")),
	"forbidden": aliyuntest.Reply(aliyuntest.Refuse(403, "Forbidden.RAM")),
	"failure":   aliyuntest.Reply(aliyuntest.Refuse(500, "InternalError")),
	"garbage":   aliyuntest.Reply(aliyuntest.Answer{Body: "<html>" + aliyuntest.Secret}),
	"huge":      aliyuntest.Reply(aliyuntest.Answer{Body: `{"Result":"` + strings.Repeat("x", 2<<20) + `"}`}),
	"odd id":    aliyuntest.Reply(aliyuntest.Answer{Body: `{"GroupId":"../x","Result":{"GroupId":"a b"}}`}),
	"dropped":   aliyuntest.Drop,
	"silence":   aliyuntest.Hang,
	"redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	},
	"empty answer": aliyuntest.Reply(aliyuntest.Answer{Body: ""}),
}

func TestWithoutAGroupThereIsNoRoomWhateverIsWrong(t *testing.T) {
	t.Parallel()
	for name, fault := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupCloud(t)
			b.cloud.Fail("CreateMessageGroup", fault)
			b.cloud.Fail("CreateLiveMessageGroup", fault)
			for _, servers := range []string{oldOnly, newOnly, bothIMs} {
				b.refused(t, dialecttest.JSON("/api/v2/live/create", b.alice, `{"title":"a","im_server":[`+servers+`]}`))
			}
			if r := b.send(t, "/api/v1/live/list", b.alice, `{}`).want(t, 200); len(r.objects) != 0 {
				t.Errorf("rooms %v", r.objects)
			}
			for _, action := range []string{"CreateMessageGroup", "CreateLiveMessageGroup"} { // nothing is sent twice
				if n := len(b.cloud.Calls(action)); n != 2 && action == "CreateMessageGroup" || n != 1 && action == "CreateLiveMessageGroup" {
					t.Errorf("%d calls of %s", n, action)
				}
			}
		})
	}
}

func TestHalfOfTheGroupsIsTakenBack(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	b.cloud.Fail("CreateLiveMessageGroup", aliyuntest.Reply(aliyuntest.Refuse(400, "ErrorTooManyGroups")))
	b.refused(t, dialecttest.JSON("/api/v2/live/create", b.alice, `{"title":"a","im_server":[`+bothIMs+`]}`))
	// The older service cannot remove a group, so that one is remembered.
	var left string
	if err := b.pool.QueryRow(t.Context(), "SELECT string_agg(server || ' ' || group_id, ',') FROM stray_groups").Scan(&left); err != nil || left != "aliyun_old old-group-1" {
		t.Errorf("left behind: %q, error %v", left, err)
	}
	if !strings.Contains(b.server.Log.String(), `"msg":"message group left behind","server":"aliyun_old","group":"old-group-1"`) {
		t.Error("nobody is told")
	}
}

func TestAGroupOfARoomThatCannotBeStoredIsRemoved(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	b.exec(t, `ALTER TABLE rooms ADD CONSTRAINT full_up CHECK (title <> 'a') NOT VALID`)
	b.send(t, "/api/v2/live/create", b.alice, `{"title":"a","im_server":["aliyun_new"]}`).want(t, 400)
	if got := b.cloud.Groups(); len(got) != 0 || len(b.cloud.Calls("DeleteLiveMessageGroup")) != 1 {
		t.Errorf("groups %q, calls %q", got, b.actions())
	}
}

func TestAGroupOfUncertainFateIsRemovedLater(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	b.cloud.Fail("CreateLiveMessageGroup", aliyuntest.Hang)
	b.refused(t, dialecttest.JSON("/api/v2/live/create", b.alice, `{"title":"a","im_server":["aliyun_new"]}`))
	b.clock.advance(15 * time.Minute)
	if err := b.rooms.SweepGroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, removed := b.cloud.Calls("CreateLiveMessageGroup"), b.cloud.Calls("DeleteLiveMessageGroup")
	if len(removed) != 1 || removed[0].Params["GroupId"] != made[0].Params["GroupId"] {
		t.Errorf("made %+v, removed %+v", made, removed)
	}
}

func TestDeletingARoomDeletesItsGroup(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	newer, both := b.in(t, newOnly), b.in(t, bothIMs)
	b.act(t, "delete", b.alice, newer.ID).want(t, 200)
	b.act(t, "delete", b.alice, both.ID).want(t, 200)
	if got := b.cloud.Groups(); len(got) != 0 {
		t.Errorf("left %q", got)
	}
	if want := []string{"DeleteLiveMessageGroup", "DeleteLiveMessageGroup"}; !slices.Equal(b.actions()[3:], want) {
		t.Errorf("called %q", b.actions())
	}
}

func TestADeletedRoomIsGoneWhateverItsProviderDoes(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	r := b.in(t, newOnly)
	b.cloud.Fail("DeleteLiveMessageGroup", aliyuntest.Hang)
	b.act(t, "delete", b.alice, r.ID).want(t, 200)
	b.act(t, "get", b.alice, r.ID).want(t, 404)
	b.cloud.Fail("DeleteLiveMessageGroup", nil)
	b.clock.advance(15 * time.Minute)
	if err := b.rooms.SweepGroups(t.Context()); err != nil || len(b.cloud.Groups()) != 0 {
		t.Errorf("left %q, error %v", b.cloud.Groups(), err)
	}
}

func TestTokensComeFromTheirServices(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	got := b.issue(t, `["aliyun_old","aliyun_new"]`, "")
	if got.AliyunOldIM.AccessToken != "access.alice.x.web" || got.AliyunOldIM.RefreshToken != "refresh.alice.x.web" || got.AliyunNewIM.AppID != "demoapp" {
		t.Errorf("%+v, %+v", got.AliyunOldIM, got.AliyunNewIM)
	}
	v1 := b.send(t, "/api/v1/live/token", b.bob, `{"device_id":"5B-AF","device_type":"ios"}`).want(t, 200)
	if v1.object["access_token"] != "access.bob.5b-af.ios" || v1.object["refresh_token"] != "refresh.bob.5b-af.ios" {
		t.Errorf("%v", v1.object)
	}
	for _, fault := range outages {
		b.cloud.Fail("GetMessageToken", fault)
		b.refused(t, dialecttest.JSON(v2Token, b.alice, `{"device_id":"x","device_type":"web","im_server":["aliyun_new","aliyun_old"]}`))
		b.refused(t, dialecttest.JSON("/api/v1/live/token", b.alice, `{"device_id":"x","device_type":"web"}`))
		b.issue(t, `["aliyun_new"]`, "") // computed here
	}
}

// figures are metrics as clients read them.
type figures struct {
	Online int64 `json:"online_count"`
	Likes  int64 `json:"like_count"`
	PV     int64 `json:"pv"`
	UV     int64 `json:"uv"`
}

func (b *cloudBench) list(t *testing.T) map[string]figures {
	t.Helper()
	r := b.send(t, "/api/v1/live/list", b.bob, `{"page_size":100}`).want(t, 200)
	var rooms []struct {
		ID      string
		Metrics *figures
	}
	decode(t, r.Body, &rooms)
	out := map[string]figures{}
	for _, room := range rooms {
		if room.Metrics == nil {
			t.Fatalf("no metrics in %s", r.Body)
		}
		out[room.ID] = *room.Metrics
	}
	return out
}

func TestAPageShowsWhatTheServicesCount(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	old, newer := b.in(t, oldOnly), b.in(t, newOnly)
	b.cloud.Join(old.ID, 2, 10)
	b.cloud.Join(newer.ID, 3, 5_000_000_000)
	for range 5 {
		got := b.list(t)
		if got[old.ID] != (figures{Online: 2, PV: 10, UV: 5}) || got[newer.ID] != (figures{Online: 3, PV: 2147483647}) {
			t.Errorf("%+v", got)
		}
	}
	// One call for each row, and none for the next pages.
	if want := []string{"DescribeLiveMessageGroup", "GetGroupStatistics"}; !slices.Equal(slices.Sorted(slices.Values(b.actions()[2:])), want) {
		t.Errorf("called %q", b.actions())
	}
	b.clock.advance(4 * time.Second)
	b.cloud.Join(old.ID, 1, 11)
	if got := b.list(t)[old.ID]; got != (figures{Online: 1, PV: 11, UV: 5}) {
		t.Errorf("a while later: %+v", got)
	}
	stats := b.send(t, "/api/v1/live/getStatistics", b.bob, `{"chatroom_id":"`+newer.ChatID+`"}`).want(t, 200)
	if stats.object["online_count"] != 3.0 || stats.object["pv"] != 5_000_000_000.0 {
		t.Errorf("%v", stats.object)
	}
}

func TestAPageComesWhateverTheServicesDo(t *testing.T) {
	t.Parallel()
	for name, fault := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupCloud(t)
			var made []wireRoom
			for i := range 30 {
				made = append(made, b.in(t, []string{oldOnly, newOnly}[i%2]))
			}
			good := made[1]
			b.cloud.Join(good.ID, 4, 40)
			b.cloud.Fail("GetGroupStatistics", fault)
			b.cloud.Fail("ListMessageGroupUserById", fault)
			got := b.list(t)
			if len(got) != 30 {
				t.Errorf("%d rooms", len(got))
			}
			if got[made[0].ID] != (figures{}) {
				t.Errorf("without an answer: %+v", got[made[0].ID])
			}
			if name != "silence" && got[good.ID] != (figures{Online: 4, PV: 40}) { // others may take all the time there is
				t.Errorf("the other service's: %+v", got[good.ID])
			}
			shown := b.get(t, b.bob, made[0].ID)
			if shown.ID != made[0].ID {
				t.Errorf("%+v", shown)
			}
			if log := b.server.Log.String(); strings.Contains(log, aliyuntest.Secret) || strings.Contains(log, aliyuntest.KeyID) || strings.Contains(log, "Signature=") {
				t.Error("a secret is in the log")
			}
		})
	}
}

func (b *cloudBench) userStatus(t *testing.T, token, id string) string {
	t.Helper()
	status, err := json.Marshal(b.send(t, getPath, token, `{"id":"`+id+`"}`).want(t, 200).object["user_status"])
	if err != nil {
		t.Fatal(err)
	}
	return string(status)
}

func TestTheMuteStateIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	r := b.in(t, oldOnly)
	b.cloud.Silence(r.ID, "bob")
	for token, want := range map[string]string{b.alice: `{"mute":false,"mute_source":[]}`, b.bob: `{"mute":true,"mute_source":["user"]}`} {
		if got := b.userStatus(t, token, r.ID); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	b.mute(t, "muteChatroom", b.alice, r.ChatID).want(t, 200)
	if got := b.userStatus(t, b.bob, r.ID); got != `{"mute":true,"mute_source":["group","user"]}` {
		t.Errorf("in a silent group: %s", got)
	}
}

func TestMutingTellsTheServicesOfTheRoom(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	old, newer, both := b.in(t, oldOnly), b.in(t, newOnly), b.in(t, bothIMs)
	for _, r := range []wireRoom{old, newer, both} {
		b.mute(t, "muteChatroom", b.alice, r.ChatID).want(t, 200)
		if muted, _ := b.cloud.Muted(r.ID); !muted {
			t.Errorf("%s is not muted", r.ID)
		}
		b.mute(t, "cancelMuteChatroom", b.alice, r.ChatID).want(t, 200)
		if muted, _ := b.cloud.Muted(r.ID); muted {
			t.Errorf("%s is muted", r.ID)
		}
	}
	for name, fault := range outages {
		if name == "odd id" || name == "garbage" || name == "empty answer" { // 200 is success whatever it says
			continue
		}
		b.cloud.Fail("BanLiveMessageGroup", fault)
		b.refused(t, dialecttest.JSON("/api/v1/live/muteChatroom", b.alice, `{"chatroom_id":"`+both.ChatID+`"}`))
		if muted, _ := b.cloud.Muted(both.ID); muted {
			t.Errorf("%s: the older group stays muted", name)
		}
		if got := b.mute(t, "isMuteChatroom", b.bob, both.ChatID).want(t, 200); got.object["mute"] != false {
			t.Errorf("%s: %v", name, got.object)
		}
	}
	b.mute(t, "muteChatroom", b.bob, both.ChatID).want(t, 403)
}

func TestTheRecordingOfAnEndedRoomIsListed(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	r := b.in(t, newOnly)
	b.addRecording(t, r.ID, "/rec/own.flv", 1.5)
	b.cloud.Record(r.ID, "media-1", json.RawMessage(`{"Bitrate":"858.198","CreationTime":"2023-11-07T22:15:00Z","Definition":"LD","Duration":"67.685","Encrypt":0,
		"Format":"m3u8","Fps":"25","HDRType":"SDR","Height":720,"Width":1280,"PlayURL":"https://vod.example.com/a.m3u8","Size":7260000,"Status":"Normal","StreamType":"video","BitDepth":8}`))
	if got := b.send(t, getPath, b.bob, `{"id":"`+r.ID+`"}`).object; got["vod_info"] != nil || len(b.cloud.Calls("SearchMedia")) != 0 {
		t.Errorf("before the end: %v", got["vod_info"])
	}
	b.act(t, "stop", b.alice, r.ID).want(t, 200)
	for range 3 {
		got := b.send(t, getPath, b.bob, `{"id":"`+r.ID+`"}`).want(t, 200).object
		text, err := json.Marshal(got["vod_info"])
		if err != nil || got["vod_id"] != "media-1" {
			t.Errorf("vod_id %v, error %v", got["vod_id"], err)
		}
		const first = `{"playlist":[{"bit_depth":8,"bit_rate":"858.198","creation_time":"2023-11-07T22:15:00Z","definition":"LD","duration":"67.685","format":"m3u8",` +
			`"fps":"25","hdr_type":"SDR","height":720,"play_url":"https://vod.example.com/a.m3u8","size":7260000,"status":"Normal","stream_type":"video","width":1280},{`
		if !strings.HasPrefix(string(text), first) || !strings.Contains(string(text), `/rec/own.flv"`) || !strings.HasSuffix(string(text), `"status":1}`) {
			t.Errorf("%s", text)
		}
		b.clock.advance(2 * time.Minute)
	}
	if n := len(b.cloud.Calls("SearchMedia")); n != 1 {
		t.Errorf("searched %d times", n)
	}
}

func TestARoomIsShownWithoutItsLibrary(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	r := b.in(t, newOnly)
	b.act(t, "stop", b.alice, r.ID).want(t, 200)
	for name, fault := range outages {
		b.cloud.Fail("SearchMedia", fault)
		b.clock.advance(time.Hour)
		got := b.send(t, getPath, b.bob, `{"id":"`+r.ID+`"}`).want(t, 200).object
		if fmt.Sprint(got["vod_info"]) != "map[status:0]" || got["vod_id"] != "" {
			t.Errorf("%s: %v, %v", name, got["vod_info"], got["vod_id"])
		}
	}
}

func TestLikesReachTheGroup(t *testing.T) {
	t.Parallel()
	b := setupCloud(t)
	old, newer := b.in(t, oldOnly), b.in(t, newOnly)
	for range 2 {
		for _, r := range []wireRoom{old, newer} {
			b.send(t, "/api/v1/live/sendLikeMessage", b.bob, `{"chatroom_id":"`+r.ChatID+`","user_id":"bob","like_count":4}`).want(t, 200)
		}
	}
	b.rooms.FlushLikes(t.Context())
	if sent := b.cloud.Calls("SendLiveMessageGroup"); len(sent) != 1 || sent[0].Params["MsgType"] != "1001" || sent[0].Params["Body"] != `{"likeCount":8}` {
		t.Errorf("told %+v", sent)
	}
	if got := b.list(t); got[old.ID].Likes != 8 || got[newer.ID].Likes != 8 {
		t.Errorf("%+v", got)
	}
}
