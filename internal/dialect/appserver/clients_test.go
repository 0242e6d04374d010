package appserver

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

var update = flag.Bool("update", false, "write the golden files again")

// step is one request of a client. In the body, ROOM stands for the id of the
// room that the client created or was given. Before changes the world first.
type step struct {
	name   string
	path   string
	header map[string]string
	body   string
	before func(t *testing.T, b *bench, roomID string)
}

// walk plays the steps of one client and compares what was said, both ways,
// with testdata/<client>.golden.
func walk(t *testing.T, client string, b *bench, token, roomID string, steps []step) {
	t.Helper()
	var said bytes.Buffer
	for _, st := range steps {
		if st.before != nil {
			st.before(t, b, roomID)
		}
		r := dialecttest.JSON(st.path, token, strings.ReplaceAll(st.body, "ROOM", roomID))
		maps.Copy(r.Header, st.header)
		got := b.do(t, t.Context(), r).want(t, 200)
		if strings.HasSuffix(st.path, "/create") {
			roomID = got.room.ID
		}
		transcribe(t, &said, st, r, got.Answer)
	}
	golden(t, client+".golden", said.Bytes())
}

func transcribe(t *testing.T, w *bytes.Buffer, st step, r dialecttest.Request, a dialecttest.Answer) {
	t.Helper()
	fmt.Fprintf(w, "=== %s\nPOST %s\n", st.name, r.Path)
	for _, name := range slices.Sorted(maps.Keys(st.header)) {
		fmt.Fprintf(w, "%s: %s\n", name, st.header[name])
	}
	fmt.Fprintf(w, "\n%s\n\n%d\n", r.Body, a.Status)
	if total := a.Header.Get("X-Total-Count"); total != "" {
		fmt.Fprintf(w, "X-Total-Count: %s\n", total)
	}
	fmt.Fprintf(w, "\n%s\n", indent(t, hideLogin(t, a.Body)))
}

// indent keeps the order and the escapes of the bytes on the wire.
func indent(t *testing.T, body []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(body), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

// hideLogin takes the signature of a login token, the one thing that differs
// each time, out of an answer.
func hideLogin(t *testing.T, body []byte) []byte {
	t.Helper()
	var login struct{ Token string }
	if bytes.HasPrefix(body, []byte("[")) || json.Unmarshal(body, &login) != nil || login.Token == "" {
		return body
	}
	return bytes.Replace(body, []byte(login.Token), []byte("JWT"), 1)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update and review the change. Got:\n%s", path, got)
	}
}

const (
	loginPath = "/api/v1/live/login"
	login     = `{"username":"alice","password":"` + password + `"}`
	extends   = `{\"userNick\":\"Alice 爱丽丝\",\"userAvatar\":\"https://img.example.com/a.png?x=1&y=2\"}`
)

func later(d time.Duration) func(*testing.T, *bench, string) {
	return func(_ *testing.T, b *bench, _ string) { b.clock.advance(d) }
}

// The Android client writes every field that is unset as null, sends the
// environment with each call, and its old token when it logs in again.
func TestAndroidAnchorLivesThroughARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	env := map[string]string{"x-live-env": "production"}
	stale := map[string]string{"x-live-env": "production", "Authorization": "Bearer expired"}
	walk(t, "android", b, b.alice, "", []step{
		{name: "log in with a stale token", path: loginPath, header: stale, body: login},
		{name: "message token", path: "/api/v2/live/token", header: env,
			body: `{"device_id":"8b1f2c3d4e5f","device_type":"android","im_server":["aliyun_new"],"role":null,"user_id":"alice"}`},
		{name: "create", path: "/api/v2/live/create", header: env,
			body: `{"anchor":"alice","anchor_nick":null,"extends":"` + extends + `","im_server":["aliyun_new"],"mode":1,"notice":null,"title":"晚间秀"}`},
		{name: "update right after", path: "/api/v1/live/update", header: env, before: later(time.Second),
			body: `{"anchor":"alice","extends":"` + extends + `","id":"ROOM","notice":"Starts at eight","title":null}`},
		{name: "start on the first frame", path: "/api/v1/live/start", header: env, before: later(time.Second),
			body: `{"id":"ROOM","user_id":"alice"}`},
		{name: "members before replacing them", path: "/api/v1/live/getMeetingInfo", header: env, body: `{"id":"ROOM"}`},
		{name: "replace the members", path: "/api/v1/live/updateMeetingInfo", header: env,
			body: `{"id":"ROOM","members":[{"user_id":"alice","user_nick":null,"user_avatar":null,"camera_opened":true,"mic_opened":true,"rtc_pull_url":"artc://live.aliyun.com/play/x?a=1&b=2"}]}`},
		{name: "show", path: "/api/v1/live/get", header: env,
			before: func(t *testing.T, b *bench, id string) { b.addPlays(t, id, "bob", "bob", "carol") },
			body:   `{"id":"ROOM","im_server":["aliyun_new"],"user_id":"alice"}`},
		{name: "list", path: "/api/v1/live/list", header: env, body: `{"im_server":["aliyun_new"],"page_num":1,"page_size":10,"user_id":"alice"}`},
		{name: "list past the end", path: "/api/v1/live/list", header: env, body: `{"im_server":["aliyun_new"],"page_num":2,"page_size":10,"user_id":"alice"}`},
		{name: "statistics", path: "/api/v1/live/getStatistics", header: env, body: `{"chatroom_id":"ROOM"}`},
		{name: "stop", path: "/api/v1/live/stop", header: env, before: later(time.Hour), body: `{"id":"ROOM","user_id":"alice"}`},
		{name: "show the recording", path: "/api/v1/live/get", header: env,
			before: func(t *testing.T, b *bench, id string) { b.addRecording(t, id, "/rec/first.flv", 67.685) },
			body:   `{"id":"ROOM","im_server":["aliyun_new"],"user_id":"alice"}`},
	})
}

// The iOS client sends "Bearer live" before its first login, upper-case device
// ids and likes in batches, and keeps the status that start and stop return.
func TestIOSAnchorLivesThroughARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	env := map[string]string{"x-live-env": "production", "Content-Type": "application/json; charset=utf-8"}
	first := map[string]string{"x-live-env": "production", "Authorization": "Bearer live"}
	walk(t, "ios", b, b.alice, "", []step{
		{name: "first log in", path: loginPath, header: first, body: login},
		{name: "message tokens of both services", path: "/api/v2/live/token", header: env,
			body: `{"user_id":"alice","device_id":"6D3B1F2C-5C0E-4C7E-9A3E-0F3F0B6F2C11","device_type":"ios","im_server":["aliyun_new","aliyun_old"],"role":"user"}`},
		{name: "create", path: "/api/v2/live/create", header: env,
			body: `{"title":"Evening show","notice":"","anchor":"alice","anchor_nick":"Alice","mode":0,"extends":"` + extends + `","im_server":["aliyun_new"]}`},
		{name: "start together with the pusher", path: "/api/v1/live/start", header: env, body: `{"id":"ROOM","user_id":"alice"}`},
		{name: "likes", path: "/api/v1/live/sendLikeMessage", header: env, body: `{"chatroom_id":"ROOM","user_id":"alice","like_count":12}`},
		{name: "only the notice", path: "/api/v1/live/update", header: env, before: later(time.Minute), body: `{"id":"ROOM","notice":"Soon over"}`},
		{name: "members of a plain room", path: "/api/v1/live/getMeetingInfo", header: env, body: `{"id":"ROOM"}`},
		{name: "list", path: "/api/v1/live/list", header: env, body: `{"user_id":"alice","page_num":1,"page_size":10,"im_server":["aliyun_new"]}`},
		{name: "stop", path: "/api/v1/live/stop", header: env, before: later(time.Minute), body: `{"id":"ROOM","user_id":"alice"}`},
		{name: "stop again", path: "/api/v1/live/stop", header: env, before: later(time.Minute), body: `{"id":"ROOM","user_id":"alice"}`},
		{name: "show without a recording", path: "/api/v1/live/get", header: env, body: `{"id":"ROOM","user_id":"alice","im_server":["aliyun_new"]}`},
	})
}

// The web client watches. It asks for admin rights only as the anchor, and for
// the members of every room.
func TestWebViewerWatchesARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, `,"mode":1,"extends":"`+extends+`"`)
	b.act(t, "start", b.alice, r.ID).want(t, 200)
	walk(t, "web", b, b.bob, r.ID, []step{
		{name: "log in", path: loginPath, body: `{"username":"bob","password":"` + password + `"}`},
		{name: "message token", path: "/api/v2/live/token", header: map[string]string{"x-live-env": "staging"},
			body: `{"user_id":"bob","device_id":"0f3f0b6f-2c11-4c7e-9a3e-6d3b1f2c5c0e","device_type":"web","im_server":["aliyun_new"]}`},
		{name: "list", path: "/api/v1/live/list", body: `{"user_id":"bob","page_num":1,"page_size":20,"im_server":["aliyun_new"]}`},
		{name: "show", path: "/api/v1/live/get", body: `{"id":"ROOM","user_id":"bob","im_server":["aliyun_new"]}`},
		{name: "members", path: "/api/v1/live/getMeetingInfo", body: `{"id":"ROOM"}`},
		{name: "show after the end", path: "/api/v1/live/get",
			before: func(t *testing.T, b *bench, id string) { b.act(t, "stop", b.alice, id).want(t, 200) },
			body:   `{"id":"ROOM","user_id":"bob","im_server":["aliyun_new"]}`},
	})
}

// The uni-app client names no message service when it shows a room, and calls
// every device the same.
func TestUniAppViewerWatchesARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	walk(t, "uniapp", b, b.bob, r.ID, []step{
		{name: "log in", path: loginPath, body: `{"username":"bob","password":"` + password + `"}`},
		{name: "message token as if it were the anchor", path: "/api/v2/live/token",
			body: `{"user_id":"bob","device_id":"isuniapp","device_type":"web","im_server":["aliyun_new"],"role":"admin"}`},
		{name: "list with keys of its own", path: "/api/v1/live/list",
			body: `{"user_id":"bob","page_num":1,"page_size":20,"im_server":["aliyun_new"],"pageNum":3,"extra":{"nested":[null]}}`},
		{name: "show without im_server", path: "/api/v1/live/get", body: `{"id":"ROOM","user_id":"bob"}`},
	})
}

// The paths from before the newer message service answer in the same forms.
func TestFirstVersionOfTheAPIStillWorks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	walk(t, "v1", b, b.alice, "", []step{
		{name: "log in on the documented path", path: "/login", header: map[string]string{"Authorization": "Basic x"}, body: login},
		{name: "message token", path: "/api/v1/live/token", body: `{"user_id":"alice","device_id":"pc-1","device_type":"pc"}`},
		{name: "create without im_server", path: "/api/v1/live/create", body: `{"title":"Evening show","anchor":"alice","mode":0}`},
		{name: "start", path: "/api/v1/live/start", before: later(time.Second), body: `{"id":"ROOM","user_id":"alice"}`},
		{name: "pause", path: "/api/v1/live/pause", before: later(time.Second), body: `{"id":"ROOM","user_id":"alice"}`},
		{name: "delete", path: "/api/v1/live/delete", before: later(time.Second), body: `{"id":"ROOM","user_id":"alice"}`},
	})
	if b.groups.deleted[0] != vectorRoom {
		t.Errorf("the message group of a deleted room stays: %v", b.groups.deleted)
	}
}
