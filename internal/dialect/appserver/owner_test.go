package appserver

import (
	"strings"
	"testing"
)

// Who may do what: the anchor, a stranger, and a stranger who calls itself the
// anchor, with a room that exists and one that does not.
func TestOnlyTheAnchorChangesARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ops := []struct {
		path     string
		more     string
		stranger int
		named    bool // whether a client names itself in it
	}{
		{path: "/api/v1/live/start", stranger: 403, named: true},
		{path: "/api/v1/live/pause", stranger: 403, named: true},
		{path: "/api/v1/live/update", more: `,"title":"b"`, stranger: 403, named: true},
		{path: "/api/v1/live/updateMeetingInfo", more: `,"members":[]`, stranger: 403},
		{path: "/api/v1/live/stop", stranger: 403, named: true},
		{path: "/api/v1/live/get", stranger: 200, named: true},
		{path: "/api/v1/live/getMeetingInfo", stranger: 200},
		{path: "/api/v1/live/delete", stranger: 403, named: true},
	}
	for _, op := range ops {
		t.Run(op.path[strings.LastIndexByte(op.path, '/')+1:], func(t *testing.T) {
			t.Parallel()
			id := b.createLink(t).ID
			body := func(id, more string) string { return `{"id":"` + id + `"` + op.more + more + `}` }
			b.send(t, op.path, b.bob, body(id, "")).want(t, op.stranger)
			b.send(t, op.path, b.bob, body("none", "")).want(t, 404)
			if op.named {
				b.send(t, op.path, b.bob, body(id, `,"user_id":"alice"`)).want(t, 403)
				b.send(t, op.path, b.bob, body("none", `,"user_id":"alice"`)).want(t, 404)
				b.send(t, op.path, b.alice, body(id, `,"user_id":"bob"`)).want(t, 403)
				b.send(t, op.path, b.alice, body(id, `,"user_id":"ALICE"`)).want(t, 200)
				return
			}
			b.send(t, op.path, b.alice, body(id, "")).want(t, 200)
		})
	}
}

func TestNobodyActsForSomebodyElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	for path, body := range map[string]string{
		"/api/v1/live/token":           `{"device_id":"x","device_type":"ios","user_id":"alice"}`,
		"/api/v2/live/token":           `{"device_id":"x","device_type":"ios","im_server":["aliyun_new"],"user_id":"alice"}`,
		"/api/v1/live/create":          `{"title":"a","anchor":"alice"}`,
		"/api/v2/live/create":          `{"title":"a","anchor":"alice","im_server":["aliyun_new"]}`,
		"/api/v1/live/list":            `{"user_id":"alice"}`,
		"/api/v1/live/sendLikeMessage": `{"chatroom_id":"` + r.ChatID + `","like_count":1,"user_id":"alice"}`,
	} {
		b.send(t, path, b.bob, body).want(t, 403)
	}
	if got := b.get(t, b.alice, r.ID); got.Metrics.Likes != 0 {
		t.Errorf("%d likes in the name of somebody else", got.Metrics.Likes)
	}
}

func TestPushURLsAreTheAnchorsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.createLink(t).ID
	if own := b.get(t, b.alice, id); own.Push == nil || own.Push.RTMP == "" {
		t.Errorf("the anchor gets %+v", own.Push)
	}
	seen := b.get(t, b.bob, id)
	if seen.Push != nil {
		t.Errorf("a viewer gets %+v", seen.Push)
	}
	if !strings.Contains(seen.Link.RTCPush, "userId=bob&") {
		t.Errorf("the co-streaming URL of bob is %s", seen.Link.RTCPush)
	}
	b.act(t, "stop", b.alice, id).want(t, 200)
	if ended := b.get(t, b.alice, id); ended.Push != nil {
		t.Error("an ended room has push URLs")
	}
}
