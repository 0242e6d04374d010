package aliyun_test

import (
	"crypto/rand"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/aliyun/aliyuntest"
	"github.com/stagedoor-live/stagedoor/internal/im"
	imaliyun "github.com/stagedoor-live/stagedoor/internal/im/aliyun"
	"github.com/stagedoor-live/stagedoor/internal/im/builtin"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

func clock() time.Time { return time.Unix(1_700_000_000, 0) }

// bench is both providers before a cloud.
type bench struct {
	cloud *aliyuntest.Server
	old   *imaliyun.Old
	new   *imaliyun.New
}

func setup(t *testing.T) *bench {
	t.Helper()
	cloud := aliyuntest.New(t, clock)
	endpoint, err := url.Parse(cloud.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := aliyun.New(aliyun.Config{Endpoint: endpoint, Version: imaliyun.Version, Signature: aliyun.V1,
		Key:  aliyun.Key{ID: aliyuntest.KeyID, Secret: aliyuntest.Secret},
		HTTP: cloud.Client(), Now: clock, Rand: rand.Reader, Timeout: 10 * time.Second, Slots: 4})
	calls := imaliyun.Calls{Commands: client, Queries: client.Apart(4)}
	tokens := &builtin.Provider{AppID: "newapp", AppKey: "newkey", AppSign: "newsign", Now: clock, Rand: rand.Reader}
	return &bench{cloud: cloud, old: &imaliyun.Old{Calls: calls, AppID: "oldapp"},
		new: &imaliyun.New{Calls: calls, Tokens: tokens, AppID: "newapp", DataCenter: "cn-shanghai"}}
}

// wantCall checks the parameters of the last call of an operation.
func (b *bench) wantCall(t *testing.T, action string, want map[string]string) {
	t.Helper()
	calls := b.cloud.Calls(action)
	if len(calls) == 0 {
		t.Errorf("%s was not called", action)
		return
	}
	if last := calls[len(calls)-1]; !maps.Equal(last.Params, want) || last.Version != "2016-11-01" {
		t.Errorf("%s %s with %q, want %q", action, last.Version, last.Params, want)
	}
}

func must[V any](t *testing.T) func(V, error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestGroupsOfTheOlderService(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := must[string](t)(b.old.CreateGroup(t.Context(), "alice", "wanted"))
	b.wantCall(t, "CreateMessageGroup", map[string]string{"AppId": "oldapp", "CreatorId": "alice"})
	b.cloud.Join(id, 3, 9)
	if err := b.old.Like(t.Context(), id, "bob", 7, 100); err != nil {
		t.Fatal(err)
	}
	b.wantCall(t, "SendLike", map[string]string{"AppId": "oldapp", "GroupId": id, "OperatorUserId": "bob", "Count": "7"})
	got := must[im.Statistics](t)(b.old.Statistics(t.Context(), id))
	if want := (im.Statistics{Likes: 7, Online: 3, PV: 9, UV: 4}); got != want {
		t.Errorf("statistics %+v, want %+v", got, want)
	}
	b.wantCall(t, "GetGroupStatistics", map[string]string{"AppId": "oldapp", "GroupId": id})
	if err := b.old.DeleteGroup(t.Context(), id); !errors.Is(err, im.ErrKept) {
		t.Errorf("removing it: %v", err)
	}
}

func TestUsersOfTheOlderServiceAreMutedTogetherOrAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := must[string](t)(b.old.CreateGroup(t.Context(), "alice", ""))
	state := func(want im.MuteState) {
		t.Helper()
		if got := must[im.MuteState](t)(b.old.MuteState(t.Context(), id, `b"o`)); got != want {
			t.Errorf("state %+v, want %+v", got, want)
		}
	}
	mute := func(muted bool) {
		t.Helper()
		if err := b.old.MuteGroup(t.Context(), id, "alice", muted); err != nil {
			t.Fatal(err)
		}
	}
	state(im.MuteState{})
	b.wantCall(t, "ListMessageGroupUserById", map[string]string{"AppId": "oldapp", "GroupId": id, "UserIdList": `["b\"o"]`})
	mute(true)
	b.wantCall(t, "MuteAllGroupUser", map[string]string{"AppId": "oldapp", "GroupId": id, "OperatorUserId": "alice"})
	state(im.MuteState{Muted: true, ByGroup: true})
	b.cloud.Silence(id, `b"o`)
	state(im.MuteState{Muted: true, ByGroup: true, ByUser: true})
	mute(false)
	b.wantCall(t, "CancelMuteAllGroupUser", map[string]string{"AppId": "oldapp", "GroupId": id, "OperatorUserId": "alice"})
	state(im.MuteState{Muted: true, ByUser: true})
}

func TestOddAnswersAboutAUserMeanNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, want := range map[string]im.MuteState{
		`{}`: {}, `{"Result":{}}`: {}, `{"Result":{"UserList":[]}}`: {}, `{"Result":{"UserList":null}}`: {},
		`{"Result":{"UserList":[{"IsMute":"true","MuteBy":["user",5,null]}]}}`: {Muted: true, ByUser: true},
		`{"Result":{"UserList":[{"IsMute":false,"MuteBy":["group"]}]}}`:        {},
		`{"Result":{"UserList":[{"IsMute":true,"MuteBy":null}]}}`:              {Muted: true},
	} {
		b.cloud.Fail("ListMessageGroupUserById", aliyuntest.Reply(aliyuntest.Answer{Body: body}))
		if got, err := b.old.MuteState(t.Context(), "g", "bob"); err != nil || got != want {
			t.Errorf("%s: %+v, error %v", body, got, err)
		}
	}
	b.cloud.Fail("ListMessageGroupUserById", aliyuntest.Reply(aliyuntest.Answer{Body: `{"Result":{"UserList":{}}}`}))
	if _, err := b.old.MuteState(t.Context(), "g", "bob"); err == nil {
		t.Error("no error for a list that is none")
	}
}

func TestTokensOfTheOlderServiceAreItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := must[im.OldToken](t)(b.old.OldToken(t.Context(), "user1", im.Device{ID: "5B-AF", Type: "ios"}))
	b.wantCall(t, "GetMessageToken", map[string]string{"AppId": "oldapp", "UserId": "user1", "DeviceId": "5b-af", "DeviceType": "ios"})
	if want := (im.OldToken{Access: "access.user1.5b-af.ios", Refresh: "refresh.user1.5b-af.ios"}); got != want {
		t.Errorf("tokens %+v", got)
	}
	b.cloud.Fail("GetMessageToken", aliyuntest.Reply(aliyuntest.Answer{Body: `{"Result":{"RefreshToken":"r"}}`}))
	if _, err := b.old.OldToken(t.Context(), "user1", im.Device{}); err == nil || errors.Is(err, im.ErrRefused) {
		t.Errorf("without a token: %v", err)
	}
}

func TestGroupsOfTheNewerService(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const id = "c8d619e2e7ec445db8a1e1ebf967d6c3"
	if got := must[string](t)(b.new.CreateGroup(t.Context(), "alice", id)); got != id {
		t.Errorf("made %q", got)
	}
	own := map[string]string{"AppId": "newapp", "GroupId": id, "DataCenter": "cn-shanghai"}
	with := func(more ...string) map[string]string {
		out := maps.Clone(own)
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	b.wantCall(t, "CreateLiveMessageGroup", with("CreatorId", "alice"))
	b.cloud.Join(id, 2, 50)
	if got := must[im.Statistics](t)(b.new.Statistics(t.Context(), id)); got != (im.Statistics{Online: 2, PV: 50}) {
		t.Errorf("statistics %+v", got)
	}
	b.wantCall(t, "DescribeLiveMessageGroup", own)
	for _, err := range []error{b.new.MuteGroup(t.Context(), id, "alice", true), b.new.MuteGroup(t.Context(), id, "a@b", true),
		b.new.MuteGroup(t.Context(), id, "alice", false), b.new.Like(t.Context(), id, "bob", 3, 45), b.new.DeleteGroup(t.Context(), id)} {
		if err != nil {
			t.Error(err)
		}
	}
	if first := b.cloud.Calls("BanLiveMessageGroup")[0].Params; first["ExceptUsers"] != "alice" {
		t.Errorf("muted with %q", first)
	}
	b.wantCall(t, "BanLiveMessageGroup", own) // a name that the service does not take cannot be an exception
	b.wantCall(t, "UnbanLiveMessageGroup", own)
	b.wantCall(t, "SendLiveMessageGroup", with("SenderId", "bob", "MsgType", "1001", "Body", `{"likeCount":45}`, "NoStorage", "true", "NoCache", "true"))
	b.wantCall(t, "DeleteLiveMessageGroup", own)
	if len(b.cloud.Groups()) != 0 {
		t.Errorf("left %q", b.cloud.Groups())
	}
}

func TestRemovingAGroupThatIsGoneIsNoError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.new.DeleteGroup(t.Context(), "nothing"); err != nil {
		t.Error(err)
	}
	for _, a := range []aliyuntest.Answer{aliyuntest.Refuse(404, "InvalidAccessKeyId.NotFound"), aliyuntest.Refuse(500, "ResourceNotExist"),
		aliyuntest.Refuse(400, "Throttling.User"), aliyuntest.Refuse(403, "")} {
		b.cloud.Fail("DeleteLiveMessageGroup", aliyuntest.Reply(a))
		if err := b.new.DeleteGroup(t.Context(), "nothing"); err == nil {
			t.Errorf("%+v is taken for success", a)
		}
	}
}

func TestAGroupThatIsNotThereHasNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, p := range []interface {
		im.Counter
		im.Muter
		im.Liker
	}{b.old, b.new} {
		if got, err := p.Statistics(t.Context(), "nothing"); err != nil || got != (im.Statistics{}) {
			t.Errorf("statistics %+v, error %v", got, err)
		}
		for _, err := range []error{p.MuteGroup(t.Context(), "nothing", "alice", true), p.MuteGroup(t.Context(), "nothing", "alice", false),
			p.Like(t.Context(), "nothing", "alice", 1, 1)} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	if got, err := b.old.MuteState(t.Context(), "nothing", "alice"); err != nil || got != (im.MuteState{}) {
		t.Errorf("state %+v, error %v", got, err)
	}
}

func TestARefusalIsToldFromDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		fault   aliyuntest.Fault
		refused bool
	}{
		"bad parameter": {aliyuntest.Reply(aliyuntest.Refuse(400, "InputInvalid")), true},
		"throttled":     {aliyuntest.Reply(aliyuntest.Refuse(503, "Throttling")), false},
		"failed":        {aliyuntest.Reply(aliyuntest.Refuse(500, "InternalError")), false},
		"dropped":       {aliyuntest.Drop, false},
		"garbage":       {aliyuntest.Reply(aliyuntest.Answer{Body: "ok"}), false},
	} {
		b.cloud.Fail("CreateLiveMessageGroup", c.fault)
		b.cloud.Fail("CreateMessageGroup", c.fault)
		for _, p := range []im.Provider{b.old, b.new} {
			id, err := p.CreateGroup(t.Context(), "alice", "wanted")
			if id != "" || err == nil || errors.Is(err, im.ErrRefused) != c.refused {
				t.Errorf("%s: %q, error %v", name, id, err)
			}
			if err != nil && strings.Contains(err.Error(), aliyuntest.Secret) {
				t.Errorf("%s: a secret in %v", name, err)
			}
		}
	}
}

func TestTokensOfTheNewerServiceAreComputedHere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := must[im.NewToken](t)(b.new.NewToken(t.Context(), "user1"))
	if want := urlsign.IMToken("newapp", "newkey", "user1", got.Nonce, got.Expires.Unix(), ""); got.Token != want || got.AppSign != "newsign" || got.Role != "" {
		t.Errorf("token %+v", got)
	}
	if len(b.cloud.Calls("")) != 0 {
		t.Error("the cloud was asked")
	}
}

func TestDataCentersAreTwo(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"cn-shanghai": "cn-shanghai", "ap-southeast-1": "ap-southeast-1", "eu-central-1": "", "cn-beijing": ""} {
		if got := imaliyun.DataCenter(region); got != want {
			t.Errorf("%s: %q", region, got)
		}
	}
}
