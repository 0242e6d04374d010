package appserver

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// wireRoom is a room as the strictest of the clients reads it.
type wireRoom struct {
	Code        *int
	ID          string
	ChatID      string `json:"chat_id"`
	Title       string
	Notice      string
	Extends     string
	CoverURL    string `json:"cover_url"`
	AnchorID    string `json:"anchor_id"`
	AnchorNick  string `json:"anchor_nick"`
	Status      int
	Mode        int
	MeetingID   string  `json:"meeting_id"`
	MeetingInfo string  `json:"meeting_info"`
	CreatedAt   string  `json:"created_at"`
	UpdatedAt   string  `json:"updated_at"`
	StartedAt   *string `json:"started_at"`
	StoppedAt   *string `json:"stopped_at"`
	Metrics     *struct {
		Likes  int32 `json:"like_count"`
		Online int32 `json:"online_count"`
		PV     int32
		UV     int32
	}
	VOD *struct {
		Status   int
		Playlist []map[string]any
	} `json:"vod_info"`
	Push *struct {
		RTMP string `json:"rtmp_url"`
		RTS  string `json:"rts_url"`
		SRT  string `json:"srt_url"`
	} `json:"push_url_info"`
	Pull wirePull `json:"pull_url_info"`
	Link *struct {
		RTCPush string    `json:"rtc_push_url"`
		RTCPull string    `json:"rtc_pull_url"`
		CDN     *wirePull `json:"cdn_pull_info"`
	} `json:"link_info"`
}

type wirePull struct {
	RTMP string `json:"rtmp_url"`
	RTS  string `json:"rts_url"`
	FLV  string `json:"flv_url"`
	HLS  string `json:"hls_url"`
}

// checkParsers holds an answer against what the parsers of the shipped clients
// can bear. The names in the messages are those of the reference.
func checkParsers(t *testing.T, path string, a dialecttest.Answer) {
	t.Helper()
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	if a.Status != 200 {
		checkEnvelope(t, a)
		return
	}
	text := strings.TrimSpace(string(a.Body))
	if text == "" || text == "null" || text == "{}" {
		t.Errorf("P2: the body of a success is %q", text)
	}
	if strings.Contains(text, "oriaac") {
		t.Errorf("P15: an URL of a stream that nobody transcodes: %s", text)
	}
	if strings.HasPrefix(text, "[") {
		checkList(t, a.Body)
		return
	}
	var object map[string]json.RawMessage
	decode(t, a.Body, &object)
	if string(object["code"]) != "200" {
		t.Errorf("code is %s in %s", object["code"], text)
	}
	checkTokens(t, object)
	if members, ok := object["members"]; ok && !strings.HasPrefix(string(members), "[") {
		t.Errorf("P9: members is %s", members)
	}
	if _, ok := object["anchor_id"]; ok {
		checkRoom(t, object, strings.HasSuffix(path, "/create"))
	}
}

// checkEnvelope holds an error against the dialect's one envelope.
func checkEnvelope(t *testing.T, a dialecttest.Answer) {
	t.Helper()
	if a.Status >= 200 && a.Status < 400 {
		t.Errorf("P1: status %d hangs a client", a.Status)
	}
	var body map[string]any
	decode(t, a.Body, &body)
	if len(body) != 2 || body["code"] != float64(a.Status) || body["message"] == "" || body["message"] == nil {
		t.Errorf("P3: the envelope of status %d is %s", a.Status, a.Body)
	}
	if len(a.Body) > 120 {
		t.Errorf("a toast of %d characters: %s", len(a.Body), a.Body)
	}
	if auth := a.Header.Get("WWW-Authenticate"); (auth == "Bearer") != (a.Status == 401) {
		t.Errorf("P17: status %d with WWW-Authenticate %q", a.Status, auth)
	}
	if retry := a.Header.Get("Retry-After"); (retry != "") != (a.Status == 429 || a.Status == 503) {
		t.Errorf("status %d with Retry-After %q", a.Status, retry)
	}
}

func checkList(t *testing.T, body []byte) {
	t.Helper()
	var items []map[string]json.RawMessage
	decode(t, body, &items)
	for _, item := range items {
		if item == nil {
			t.Fatalf("P13: a null element: %s", body)
		}
		if _, ok := item["code"]; ok {
			t.Errorf("an item of a list has a code: %s", body)
		}
		checkRoom(t, item, false)
	}
}

// checkTokens refuses any key that the Android token classes do not declare.
func checkTokens(t *testing.T, object map[string]json.RawMessage) {
	t.Helper()
	onlyKeys(t, "P6: aliyun_new_im", object["aliyun_new_im"], "app_id", "app_sign", "app_token", "auth")
	onlyKeys(t, "P6: aliyun_old_im", object["aliyun_old_im"], "access_token", "refresh_token")
	if raw, ok := object["aliyun_new_im"]; ok {
		var token map[string]json.RawMessage
		decode(t, raw, &token)
		onlyKeys(t, "P6: auth", token["auth"], "nonce", "role", "timestamp", "user_id")
	}
}

func onlyKeys(t *testing.T, what string, raw json.RawMessage, keys ...string) {
	t.Helper()
	if raw == nil {
		return
	}
	var object map[string]json.RawMessage
	decode(t, raw, &object)
	if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, keys) {
		t.Errorf("%s has the keys %v", what, got)
	}
}

func checkRoom(t *testing.T, object map[string]json.RawMessage, created bool) {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var r wireRoom // fails where a type or an int32 is wrong: P7, P8
	decode(t, raw, &r)

	if _, ok := object["metrics"]; ok == created {
		t.Errorf("P5: metrics present is %v", ok)
	}
	onlyKeys(t, "P4: metrics", object["metrics"], "like_count", "online_count", "pv", "uv")
	checkUserStatus(t, object["user_status"])
	if r.Status < 0 || r.Status > 2 {
		t.Errorf("P14: status %d", r.Status)
	}
	if _, ok := object["pk_id"]; ok {
		t.Error("pk_id is there")
	}
	for _, key := range []string{"title", "notice", "cover_url", "anchor_nick", "extends", "meeting_id", "meeting_info", "vod_id"} {
		if !strings.HasPrefix(string(object[key]), `"`) {
			t.Errorf("P8: %s is %s", key, object[key])
		}
	}
	checkTimes(t, r, created)
	checkVOD(t, r)
	checkURLs(t, r)
}

// checkUserStatus demands a reason wherever somebody is muted, and nowhere else.
func checkUserStatus(t *testing.T, raw json.RawMessage) {
	t.Helper()
	onlyKeys(t, "user_status", raw, "mute", "mute_source")
	var status struct {
		Mute    *bool
		Sources []string `json:"mute_source"`
	}
	decode(t, raw, &status)
	if status.Mute == nil || status.Sources == nil || *status.Mute != (len(status.Sources) > 0) {
		t.Fatalf("user_status is %s", raw)
	}
	for _, source := range status.Sources {
		if source != "group" && source != "user" {
			t.Errorf("user_status is %s", raw)
		}
	}
}

func checkTimes(t *testing.T, r wireRoom, created bool) {
	t.Helper()
	for _, text := range []string{r.CreatedAt, r.UpdatedAt} {
		if len(text) != 25 || strings.HasSuffix(text, "Z") || text[19] != '+' && text[19] != '-' {
			t.Errorf("the time %q has not 25 characters with an offset", text)
		}
	}
	if created != (r.StartedAt == nil) || created != (r.StoppedAt == nil) {
		t.Errorf("started_at and stopped_at belong everywhere but in create")
	}
	if created {
		return
	}
	for _, text := range []string{*r.StartedAt, *r.StoppedAt} {
		if text != notYet && len(text) != 25 {
			t.Errorf("the time %q is neither unset nor of 25 characters", text)
		}
	}
}

func checkVOD(t *testing.T, r wireRoom) {
	t.Helper()
	if (r.VOD != nil) != (r.Status == 2) {
		t.Errorf("vod_info present is %v in status %d", r.VOD != nil, r.Status)
	}
	if r.VOD == nil {
		return
	}
	if (r.VOD.Status == 1) != (len(r.VOD.Playlist) > 0) {
		t.Errorf("P10: vod_info %+v", r.VOD)
	}
	for _, item := range r.VOD.Playlist {
		if u, _ := item["play_url"].(string); u == "" {
			t.Errorf("P10: no play_url in %v", item)
		}
		for _, key := range []string{"bit_rate", "creation_time", "definition", "duration", "format", "fps", "status", "stream_type"} {
			if _, ok := item[key].(string); !ok {
				t.Errorf("P8: %s is %v", key, item[key])
			}
		}
	}
}

func checkURLs(t *testing.T, r wireRoom) {
	t.Helper()
	pulls := []wirePull{r.Pull}
	if (r.Link != nil) != (r.Mode == 1) || (r.MeetingID != "") != (r.Mode == 1) {
		t.Errorf("P11: link_info present is %v, meeting_id %q in mode %d", r.Link != nil, r.MeetingID, r.Mode)
	}
	if r.Link != nil {
		if r.Link.CDN == nil {
			t.Fatal("P12: no cdn_pull_info")
		}
		pulls = append(pulls, *r.Link.CDN)
	}
	for _, p := range pulls {
		for _, text := range []string{p.RTMP, p.FLV, p.HLS} {
			if u, err := url.Parse(text); err != nil || !u.IsAbs() || u.Host == "" {
				t.Errorf("P16: %q is no absolute URL", text)
			}
		}
	}
	if r.Push != nil && r.Status == 2 {
		t.Error("push URLs of a room that has ended")
	}
}
