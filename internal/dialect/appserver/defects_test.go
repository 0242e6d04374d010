package appserver

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// The defects of the older servers of this API, by their numbers in the
// reference. Those of configuration and CORS (2, 21) have tests in other
// packages; 6, 8, 19, 22 to 24 and 34 beside the operations they are about.
func TestDefectsOfOlderServersAreNotCopied(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(*testing.T, *bench){
		"1 the user name is no password":                       defect1,
		"3 and 9 the owner is the subject of the token":        defect3,
		"4 a missing room is missed before rights are":         defect4,
		"5 updates are for the owner and show its URLs only":   defect5,
		"7 no name and no header makes anybody an anchor":      defect7,
		"10 co-streaming tokens are of rooms and callers":      defect10,
		"11 a jump link is its anchor's, once":                 defect11,
		"12 a jump link names the configured server":           defect12,
		"13 a meeting is matched as a whole":                   defect13,
		"14 only the anchor's stream moves a room":             defect14,
		"15 a callback does not wake an ended room":            defect15,
		"16 late and repeated reports change nothing":          defect16,
		"17 a report's signature ends":                         defect17,
		"18 no token, password or signed URL is logged":        defect18,
		"20 no success is empty or null":                       defect20,
		"25 and 26 reading a room asks no message service":     defect26,
		"27 the URL of the mixed stream is signed as it reads": defect27,
		"28 a group without a room is removed":                 defect28,
		"29 a room is validated":                               defect29,
		"30 zero values are stored":                            defect30,
		"31 no header replaces credentials":                    defect31,
		"32 a token counts in the header only":                 defect32,
		"33 a token can be revoked":                            defect33,
		"35 the life of URLs is configured":                    defect35,
		"36 stream names are taken apart by known parts":       defect36,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, setup(t))
		})
	}
}

func defect1(t *testing.T, b *bench) {
	for _, path := range []string{"/login", loginPath} {
		b.send(t, path, "", `{"username":"alice","password":"alice"}`).want(t, 401)
	}
}

func defect3(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	for _, op := range []string{"start", "stop", "pause", "delete"} {
		b.send(t, "/api/v1/live/"+op, b.bob, `{"id":"`+id+`","user_id":"alice"}`).want(t, 403)
	}
	if got := b.get(t, b.alice, id).Status; got != 0 {
		t.Errorf("status %d", got)
	}
}

func defect4(t *testing.T, b *bench) {
	for _, op := range []string{"get", "start", "stop", "pause", "delete", "update", "getMeetingInfo"} {
		b.act(t, op, b.bob, "none").want(t, 404)
	}
}

func defect5(t *testing.T, b *bench) {
	id := b.createLink(t).ID
	b.send(t, "/api/v1/live/update", b.bob, `{"id":"`+id+`","title":"mine"}`).want(t, 403)
	b.send(t, "/api/v1/live/updateMeetingInfo", b.bob, `{"id":"`+id+`","members":[]}`).want(t, 403)
	if got := b.send(t, "/api/v1/live/update", b.alice, `{"id":"`+id+`","title":"mine"}`).want(t, 200).room; got.Push == nil || got.Title != "mine" {
		t.Errorf("%+v", got)
	}
}

func defect7(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	admin := b.addAccount(t, "admin")
	for _, req := range []dialecttest.Request{
		dialecttest.JSON(getPath, admin, `{"id":"`+id+`","user_id":"admin"}`),
		dialecttest.JSON(getPath, b.bob, `{"id":"`+id+`"}`),
	} {
		req.Header["x-key-style"], req.Header["x-app-id"] = "LowerCamel", "console"
		if got := b.do(t, t.Context(), req).want(t, 200).room; got.Push != nil {
			t.Errorf("push URLs: %+v", got.Push)
		}
	}
}

func defect10(t *testing.T, b *bench) {
	b.send(t, rtcPath, b.bob, `{"room_id":"0a7656c4-c01b-424d-9882-a8bf44bd3a4b"}`).want(t, 404)
	meeting := b.createLink(t).MeetingID
	b.send(t, rtcPath, b.bob, `{"room_id":"`+meeting+`","user_id":"alice"}`).want(t, 403)
	got := b.send(t, rtcPath, b.bob, `{"room_id":"`+meeting+`","user_id":null}`).want(t, 200)
	if got.object["auth_token"] != urlsign.RTCToken(rtcAppID, rtcAppKey, meeting, "bob", "", int64(got.object["timestamp"].(float64))) {
		t.Errorf("not the caller's: %s", got.Body)
	}
}

func defect11(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	b.send(t, jumpPath, b.bob, `{"live_id":"`+id+`","user_id":"bob"}`).want(t, 403)
	_, q := b.link(t, id, `,"user_name":"bob"`)
	login := b.verify(t, q, `,"user_name":"bob"`).want(t, 200).object["loginToken"].(string)
	if p, err := b.accounts.Authenticate(t.Context(), login); err != nil || p.Username != "alice" {
		t.Errorf("logs in as %q: %v", p.Username, err)
	}
	b.verify(t, q, `,"user_name":"bob"`).want(t, 401)
}

func defect12(t *testing.T, b *bench) {
	r := dialecttest.JSON(jumpPath, b.alice, `{"live_id":"`+b.create(t, "").ID+`"}`)
	r.Header["X-Forwarded-Host"], r.Header["X-Forwarded-Proto"], r.Header["Forwarded"] = "evil.example.com", "http", "host=evil.example.com"
	if got := b.do(t, t.Context(), r).want(t, 200); !strings.Contains(string(got.Body), "app_server=https%3A%2F%2Flive.example.com\\u0026") {
		t.Errorf("%s", got.Body)
	}
}

func defect13(t *testing.T, b *bench) {
	rooms := []wireRoom{b.createLink(t), b.createLink(t)}
	for _, r := range rooms {
		for _, meeting := range []string{r.MeetingID[:8], "0", r.MeetingID + "0", strings.ToUpper(r.MeetingID)} {
			b.push(t, "publish", rtcAppID+"_"+meeting+"_alice_camera", b.clock.now()).want(t, 200)
		}
	}
	b.push(t, "publish", rtcAppID+"_"+rooms[1].MeetingID+"_alice_camera", b.clock.now()).want(t, 200)
	for i, r := range rooms {
		if got := b.get(t, b.alice, r.ID).Status; got != i {
			t.Errorf("room %d is in %d", i, got)
		}
	}
}

func defect14(t *testing.T, b *bench) {
	r := b.createLink(t)
	b.push(t, "publish", rtcAppID+"_"+r.MeetingID+"_bob_camera", b.clock.now()).want(t, 200)
	if got := b.get(t, b.alice, r.ID).Status; got != 0 {
		t.Errorf("status %d", got)
	}
}

func defect16(t *testing.T, b *bench) {
	id, at := b.create(t, "").ID, b.clock.now()
	for _, step := range []struct {
		action string
		after  time.Duration
	}{{"publish", 5}, {"publish_done", 4}, {"publish", 5}, {"publish_done", 4}} {
		b.push(t, step.action, id, at.Add(step.after*time.Second)).want(t, 200)
		if got := b.get(t, b.alice, id).Status; got != 1 {
			t.Errorf("status %d after %v", got, step)
		}
	}
}

func defect17(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	seen := b.pushReport("GET", "publish", id, b.clock.now(), nil)
	b.clock.advance(301 * time.Second)
	b.do(t, t.Context(), seen).want(t, 403)
	if got := b.get(t, b.alice, id).Status; got != 0 {
		t.Errorf("status %d", got)
	}
}

func defect15(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	b.act(t, "stop", b.alice, id).want(t, 200)
	b.stream(t, id, true)
	b.push(t, "publish", id, b.clock.now()).want(t, 200)
	if got := b.get(t, b.alice, id).Status; got != 2 {
		t.Errorf("status %d", got)
	}
}

func defect18(t *testing.T, b *bench) {
	b.send(t, loginPath, "", `{"username":"alice","password":"`+password+`"}`).want(t, 200)
	b.send(t, loginPath, b.bob, `{"username":"alice","password":"a wrong guess"}`).want(t, 401)
	r := b.createLink(t)
	b.get(t, b.bob, r.ID)
	logged := b.server.Log.String()
	for _, secret := range append(b.server.Secrets, b.alice, b.bob, "a wrong guess", "auth_key", r.Link.RTCPush) {
		if strings.Contains(logged, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func defect20(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	b.send(t, "/api/v1/live/list", b.bob, `{"page_num":9}`).want(t, 200)
	b.act(t, "getMeetingInfo", b.bob, id).want(t, 200)
	b.act(t, "delete", b.alice, id).want(t, 200)
}

func defect26(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	b.groups.panicing.Store(true)
	b.get(t, b.bob, id)
	b.send(t, getPath, b.bob, `{"id":"`+id+`","im_server":["aliyun_old"]}`).want(t, 200)
	b.bad(t, getPath, b.bob, `{"id":"`+id+`","im_server":[""]}`).want(t, 200)
}

func defect27(t *testing.T, b *bench) {
	r := b.createLink(t)
	if !strings.HasPrefix(r.Link.CDN.FLV, "https://pull.example.com/live/") {
		t.Errorf("%s", r.Link.CDN.FLV)
	}
	if d := b.decide(t, media.Playing, r.Link.CDN.FLV); !d.Allow {
		t.Errorf("refused as %s", d.Reason)
	}
}

func defect28(t *testing.T, b *bench) {
	b.exec(t, `ALTER TABLE rooms ADD CONSTRAINT nothing CHECK (title <> 'refused')`)
	b.send(t, "/api/v2/live/create", b.alice, `{"title":"refused","im_server":["aliyun_new"]}`).want(t, 400)
	if len(b.groups.created) != 1 || len(b.groups.deleted) != 1 || b.groups.created[0] != b.groups.deleted[0] {
		t.Errorf("created %v, deleted %v", b.groups.created, b.groups.deleted)
	}
}

func defect29(t *testing.T, b *bench) {
	for _, more := range []string{`"mode":2`, `"mode":-1`, `"mode":1.5`, `"mode":"1"`, `"title":""`, `"im_server":["x"]`,
		`"anchor_nick":"` + strings.Repeat("n", 257) + `"`, `"cover_url":"` + strings.Repeat("c", 257) + `"`} {
		b.bad(t, "/api/v2/live/create", b.alice, `{"title":"a","im_server":["aliyun_new"],`+more+`}`).want(t, 400)
	}
	b.send(t, "/api/v2/live/create", b.alice, `{"title":"a","im_server":["aliyun_new"],"anchor":"bob"}`).want(t, 403)
}

func defect30(t *testing.T, b *bench) {
	id := b.create(t, "").ID
	b.act(t, "start", b.alice, id).want(t, 200)
	if got := b.act(t, "pause", b.alice, id).want(t, 200).room.Status; got != 0 {
		t.Errorf("paused is %d", got)
	}
	if got := b.get(t, b.bob, id).Status; got != 0 {
		t.Errorf("stored is %d", got)
	}
}

func defect31(t *testing.T, b *bench) {
	plain := b.create(t, "")
	req := dialecttest.JSON(getPath, b.alice, `{"id":"`+plain.ID+`"}`)
	req.Header["x-fc-access-key-id"], req.Header["x-fc-access-key-secret"] = "id", "secret"
	if got := b.do(t, t.Context(), req).want(t, 200).room; got.Push.RTMP != plain.Push.RTMP {
		t.Errorf("%s", got.Push.RTMP)
	}
}

func defect32(t *testing.T, b *bench) {
	req := dialecttest.JSON("/api/v1/live/list?token="+b.alice+"&access_token="+b.alice, "", `{}`)
	req.Header["Cookie"] = "jwt=" + b.alice
	got := b.do(t, t.Context(), req).want(t, 401)
	dialecttest.CheckNothingLeaked(t, b.server, dialecttest.JSON("", b.alice, ""), got.Answer)
	for _, scheme := range []string{"bearer ", "BEARER ", "Bearer "} {
		req := dialecttest.JSON("/api/v1/live/list", "", `{}`)
		req.Header["Authorization"] = scheme + b.alice
		b.do(t, t.Context(), req).want(t, 200)
	}
}

func defect33(t *testing.T, b *bench) {
	p, err := b.accounts.Authenticate(t.Context(), b.alice)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.accounts.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	b.send(t, "/api/v1/live/list", b.alice, `{}`).want(t, 401)
	b.clock.advance(account.MaxTTL)
	b.send(t, "/api/v1/live/list", b.bob, `{}`).want(t, 401)
}

func defect35(t *testing.T, b *bench) {
	b.rooms.Links.TTL = time.Hour
	r := b.create(t, "")
	if d := b.decide(t, media.Playing, r.Pull.RTMP); !d.Allow {
		t.Errorf("%s", d.Reason)
	}
	b.clock.advance(time.Hour + time.Second)
	if d := b.decide(t, media.Playing, r.Pull.RTMP); d.Allow {
		t.Error("the URL is good for longer than configured")
	}
	if d := b.decide(t, media.Playing, b.get(t, b.bob, r.ID).Pull.RTMP); !d.Allow {
		t.Errorf("get does not renew it: %s", d.Reason)
	}
}

func defect36(t *testing.T, b *bench) {
	under := b.addAccount(t, "a_b_c")
	r := b.send(t, "/api/v2/live/create", under, `{"title":"a","mode":1,"im_server":["aliyun_new"]}`).want(t, 200).room
	name := r.Link.CDN.RTMP[strings.LastIndexByte(r.Link.CDN.RTMP, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	owner, err := b.rooms.StreamOwner(t.Context(), "live", name)
	if err != nil || owner != "a_b_c" {
		t.Errorf("the stream %s belongs to %q: %v", name, owner, err)
	}
}
