package appserver

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

const pushPath = "/api/v1/live/handlePushStreamEventCallback"

// pushReport is what the CDN sends of a stream, signed at this moment.
func (b *bench) pushReport(method, action, stream string, at time.Time, change map[string]string) dialecttest.Request {
	q := url.Values{"action": {action}, "app": {"push.example.com"}, "appname": {"live"}, "id": {stream}, "time": {strconv.FormatInt(at.Unix(), 10)},
		"ip": {"192.0.2.10"}, "node": {"edge-7"}, "usrargs": {"auth_key=1700000000-0-0-523b274c6a48b65036d6228ff206d4d7"}, "width": {"1280"}, "height": {"720"}}
	for name, value := range change {
		q.Set(name, value)
		if value == "" {
			q.Del(name)
		}
	}
	now := strconv.FormatInt(b.clock.now().Unix(), 10)
	return dialecttest.Request{Method: method, Path: pushPath + "?" + q.Encode(), Header: map[string]string{
		"ALI-LIVE-TIMESTAMP": now, "ALI-LIVE-SIGNATURE": urlsign.PushCallbackSignature("push.example.com", now, pushCBKey)}}
}

func (b *bench) push(t *testing.T, action, stream string, at time.Time) reply {
	t.Helper()
	return b.do(t, t.Context(), b.pushReport(http.MethodGet, action, stream, at, nil))
}

func TestReportsOfTheCDNMoveARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, at := b.create(t, "").ID, b.clock.now()
	for i, step := range []struct {
		action string
		after  time.Duration
		want   int
	}{
		{"publish", time.Second, 1}, {"publish", time.Second, 1}, {"publish_done", 3 * time.Second, 0}, {"publish", 2 * time.Second, 0},
		{"publish", 4 * time.Second, 1}, {"publish_done", 3 * time.Second, 1},
	} {
		got := b.push(t, step.action, id, at.Add(step.after)).want(t, 200)
		if string(got.Body) != `{"code":200}`+"\n" {
			t.Errorf("%s", got.Body)
		}
		if status := b.get(t, b.bob, id).Status; status != step.want {
			t.Errorf("step %d: status %d, want %d", i, status, step.want)
		}
	}
	r := b.pushReport(http.MethodPost, "publish_done", id, at.Add(5*time.Second), nil)
	r.Header["Content-Type"], r.Body = "application/x-www-form-urlencoded", "a=b"
	b.do(t, spectest.BadRequest(t.Context()), r).want(t, 200) // a body is no part of it, and does no harm
	if status := b.get(t, b.bob, id).Status; status != 0 {
		t.Errorf("status %d after a POST", status)
	}
	if strings.Contains(b.server.Log.String(), "523b274c") {
		t.Error("the publisher's query is in the log")
	}
}

func TestReportsThatConcernNobodyAreAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, at := b.createLink(t), b.clock.now()
	ended := b.create(t, "")
	b.act(t, "stop", b.alice, ended.ID).want(t, 200)
	for _, stream := range []string{"unknown", rtcAppID + "_" + r.MeetingID + "_bob_camera", ended.ID} {
		b.push(t, "publish", stream, at).want(t, 200)
	}
	b.do(t, t.Context(), b.pushReport(http.MethodGet, "publish", r.ID, at, map[string]string{"appname": "vod"})).want(t, 200)
	for id, want := range map[string]int{r.ID: 0, ended.ID: 2} {
		if got := b.get(t, b.alice, id).Status; got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	b.push(t, "publish", rtcAppID+"_"+r.MeetingID+"_alice_camera", at).want(t, 200)
	if got := b.get(t, b.alice, r.ID).Status; got != 1 {
		t.Errorf("the anchor's own stream: status %d", got)
	}
}

func TestReportsThatTheCDNDidNotSignAreRefusedFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, at := b.create(t, "").ID, b.clock.now()
	old := strconv.FormatInt(at.Add(-301*time.Second).Unix(), 10)
	for name, change := range map[string]map[string]string{
		"no signature": {"ALI-LIVE-SIGNATURE": ""},
		"no timestamp": {"ALI-LIVE-TIMESTAMP": ""},
		"bad":          {"ALI-LIVE-SIGNATURE": strings.Repeat("0", 32)},
		"stale":        {"ALI-LIVE-TIMESTAMP": old, "ALI-LIVE-SIGNATURE": urlsign.PushCallbackSignature("push.example.com", old, pushCBKey)},
		"a login":      {"ALI-LIVE-SIGNATURE": "", "Authorization": "Bearer " + b.alice},
	} {
		for _, r := range []dialecttest.Request{
			b.pushReport(http.MethodGet, "publish", id, at, nil),
			b.pushReport(http.MethodPost, "publish", id, at, map[string]string{"time": "soon"}),
			b.pushReport(http.MethodGet, "publish", id, at, map[string]string{"id": ""}),
		} {
			maps.Copy(r.Header, change)
			maps.DeleteFunc(r.Header, func(_, v string) bool { return v == "" })
			if got := b.do(t, spectest.BadRequest(t.Context()), r); got.Status != 403 {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
	}
	b.rooms.PushKey = ""
	b.push(t, "publish", id, at).want(t, 403)
	if got := b.get(t, b.alice, id).Status; got != 0 {
		t.Errorf("status %d", got)
	}
}

func TestReportsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, at := b.create(t, "").ID, b.clock.now()
	for name, c := range map[string]struct {
		change map[string]string
		status int
	}{
		"another domain":  {map[string]string{"app": "pull.example.com"}, 403},
		"unknown action":  {map[string]string{"action": "pause"}, 400},
		"no action":       {map[string]string{"action": ""}, 400},
		"no stream":       {map[string]string{"id": ""}, 400},
		"no time":         {map[string]string{"time": ""}, 400},
		"time is text":    {map[string]string{"time": "soon"}, 400},
		"time is huge":    {map[string]string{"time": "9223372036854775807"}, 400},
		"time before all": {map[string]string{"time": "-1"}, 400},
		"the future":      {map[string]string{"time": strconv.FormatInt(at.Add(301*time.Second).Unix(), 10)}, 400},
	} {
		r := b.pushReport(http.MethodGet, "publish", id, at, c.change)
		if got := b.do(t, spectest.BadRequest(t.Context()), r); got.Status != c.status {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := b.get(t, b.alice, id).Status; got != 0 {
		t.Errorf("status %d", got)
	}
}
