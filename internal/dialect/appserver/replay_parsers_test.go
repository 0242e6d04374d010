package appserver

import (
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// What each shipped client does with a reply, as far as it can go wrong. What
// holds for all of them is in parsers_test.go.

// roomCalls are the operations whose reply is one room.
var roomCalls = []string{"create", "get", "update", "start", "stop"}

// object reads a reply as an object, whose numbers keep their digits.
func (e exchange) object(t testing.TB) map[string]any {
	t.Helper()
	object, ok := e.value(t).(map[string]any)
	if !ok {
		t.Fatalf("%s: no object: %s", e.call, e.Body)
	}
	return object
}

func (e exchange) value(t testing.TB) (v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(e.Body)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v in %s", e.call, err, e.Body)
	}
	return v
}

// rooms are the rooms of a reply, be it one or a list of them.
func (e exchange) rooms(t testing.TB) []map[string]any {
	t.Helper()
	if e.call != "list" {
		return []map[string]any{e.object(t)}
	}
	items, ok := e.value(t).([]any)
	if !ok {
		t.Fatalf("a list that is no array: %s", e.Body)
	}
	var out []map[string]any
	for _, item := range items {
		room, ok := item.(map[string]any)
		if !ok {
			t.Fatalf("an item that is no object: %s", e.Body)
		}
		out = append(out, room)
	}
	return out
}

// at follows keys into objects, and is nil where one is missing.
func at(v any, keys ...string) any {
	for _, key := range keys {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// number is an integer of so many bits, or the end of the test.
func number(t testing.TB, what string, v any, bits int) int64 {
	t.Helper()
	n, ok := v.(json.Number)
	i, err := n.Int64()
	if !ok || err != nil || bits == 32 && (i > math.MaxInt32 || i < math.MinInt32) {
		t.Fatalf("%s is %v, which is no integer of %d bits", what, v, bits)
	}
	return i
}

// parseAsAndroid: a call succeeds with 200 and nothing else; Jackson refuses
// unknown properties of the metrics and token classes, and reads 32-bit
// integers into int.
func parseAsAndroid(t testing.TB, e exchange) {
	t.Helper()
	if e.Status != 200 {
		return // the body is shown as it is; its length is checked for all
	}
	switch e.call {
	case "login":
		if text(e.object(t)["token"]) == "" {
			t.Error("the app goes on with a null token")
		}
		mustBeDate(t, e.object(t)["expire"])
	case "token":
		androidTokens(t, e.object(t))
	case "start", "stop": // the body is not looked at
	case "create", "get", "update", "list":
		for _, room := range e.rooms(t) {
			androidRoom(t, room, e.call == "list")
		}
	case "getMeetingInfo", "updateMeetingInfo":
		for _, m := range e.object(t)["members"].([]any) {
			if text(at(m, "user_id")) == "" {
				t.Errorf("a member without a name: %v", m)
			}
		}
	case "sendLikeMessage":
		number(t, "count", e.object(t)["count"], 32)
	case "getStatistics":
		for _, key := range []string{"uv", "like_count", "online_count"} {
			number(t, key, e.object(t)[key], 32)
		}
		number(t, "pv", e.object(t)["pv"], 64)
	case "muteChatroom", "cancelMuteChatroom", "isMuteChatroom":
		mute, ok := e.object(t)["mute"].(bool)
		if !ok || e.call != "isMuteChatroom" && mute != (e.call == "muteChatroom") {
			t.Errorf("%s: %s", e.call, e.Body)
		}
	default:
		t.Errorf("no rules for %s", e.call)
	}
}

func androidTokens(t testing.TB, o map[string]any) {
	t.Helper()
	im, _ := o["aliyun_new_im"].(map[string]any)
	strictly(t, im, "app_id", "app_sign", "app_token", "auth")
	auth, _ := im["auth"].(map[string]any)
	strictly(t, auth, "user_id", "nonce", "timestamp", "role")
	number(t, "timestamp", auth["timestamp"], 64)
	for _, v := range []any{im["app_id"], im["app_sign"], im["app_token"], auth["user_id"]} {
		if text(v) == "" {
			t.Errorf("the message service cannot be reached with %v", o)
		}
	}
}

// strictly fails on a property that a class of the app does not declare.
func strictly(t testing.TB, o map[string]any, known ...string) {
	t.Helper()
	if o == nil {
		t.Error("an object is missing")
	}
	for key := range o {
		if !slices.Contains(known, key) {
			t.Errorf("the app does not know the property %s", key)
		}
	}
}

func androidRoom(t testing.TB, room map[string]any, listed bool) {
	t.Helper()
	number(t, "status", room["status"], 32)
	mode := number(t, "mode", room["mode"], 32)
	// The list draws metrics.pv of every row, and the time without its last nine
	// characters, which has to leave minutes.
	metrics, _ := room["metrics"].(map[string]any)
	if metrics != nil || listed {
		strictly(t, metrics, "like_count", "online_count", "pv", "uv")
		for key, v := range metrics {
			number(t, key, v, 32)
		}
	}
	created := text(room["created_at"])
	if len(created) != 25 {
		t.Fatalf("created_at is %q", created)
	}
	if _, err := time.Parse("2006-01-02T15:04", created[:16]); err != nil {
		t.Errorf("the app shows %q", created[:16])
	}
	// It pushes and pulls through link_info wherever there is one.
	link := room["link_info"]
	if (link != nil) != (mode == 1) {
		t.Errorf("mode %d with link_info %v", mode, link)
	}
	if link != nil && (text(at(link, "rtc_push_url")) == "" || text(at(link, "rtc_pull_url")) == "") {
		t.Errorf("nowhere to push to: %v", link)
	}
	playlist, _ := at(room, "vod_info", "playlist").([]any)
	for _, item := range playlist {
		for _, key := range []string{"height", "width"} {
			number(t, key, at(item, key), 32)
		}
		number(t, "size", at(item, "size"), 64)
	}
}

// parseAsIOS: 200 is success and 400 or above failure; anything between leaves
// the call hanging. Types are asserted.
func parseAsIOS(t testing.TB, e exchange) {
	t.Helper()
	if e.Status != 200 && e.Status < 400 {
		t.Fatalf("status %d: the call never ends", e.Status)
	}
	if e.Status != 200 {
		if len(e.object(t)) == 0 {
			t.Error("an empty error loses its status")
		}
		return
	}
	switch {
	case e.call == "login":
		iosStrings(t, e.object(t), "token", "expire")
	case e.call == "token":
		o := e.object(t)
		iosObjects(t, o, "aliyun_new_im", "aliyun_old_im")
		if o["aliyun_new_im"] == nil && o["aliyun_old_im"] == nil {
			t.Error("no token at all")
		}
	case e.call == "list" || slices.Contains(roomCalls, e.call):
		for _, room := range e.rooms(t) {
			iosRoom(t, room)
		}
		if want, ok := map[string]int64{"start": 1, "stop": 2}[e.call]; ok {
			if got := number(t, "status", e.object(t)["status"], 64); got != want {
				t.Errorf("the app keeps status %d after %s", got, e.call)
			}
		}
	case e.call == "getMeetingInfo":
		if _, ok := e.object(t)["members"].([]any); !ok {
			t.Errorf("members: %s", e.Body)
		}
	case e.call == "sendLikeMessage":
		number(t, "count", e.object(t)["count"], 64)
	case e.call == "getStatistics":
		for _, key := range []string{"pv", "like_count"} {
			number(t, key, at(e.object(t), "metrics", key), 64)
		}
	case strings.HasSuffix(e.call, "uteChatroom"):
		if _, ok := e.object(t)["mute"].(bool); !ok {
			t.Errorf("mute: %s", e.Body)
		}
	default:
		t.Errorf("no rules for %s", e.call)
	}
}

func iosStrings(t testing.TB, o map[string]any, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, ok := o[key].(string); !ok && o[key] != nil {
			t.Errorf("%s is %v, where the app asserts a string", key, o[key])
		}
	}
}

func iosObjects(t testing.TB, o map[string]any, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, ok := o[key].(map[string]any); !ok && o[key] != nil {
			t.Errorf("%s is %v, where the app asserts an object", key, o[key])
		}
	}
}

func iosRoom(t testing.TB, room map[string]any) {
	t.Helper()
	iosStrings(t, room, "id", "created_at", "updated_at", "title", "notice", "anchor_id", "anchor_nick", "extends", "chat_id", "pk_id", "meeting_id", "vod_id", "cover_url")
	iosObjects(t, room, "metrics", "vod_info", "user_status", "push_url_info", "pull_url_info", "link_info")
	for _, urls := range []any{room["push_url_info"], room["pull_url_info"], at(room, "link_info", "cdn_pull_info")} {
		if o, ok := urls.(map[string]any); ok {
			iosStrings(t, o, "rtmp_url", "rts_url", "srt_url", "flv_url", "hls_url")
		}
	}
	if extends := text(room["extends"]); extends != "" {
		var user map[string]any
		decode(t, []byte(extends), &user)
		iosStrings(t, user, "userNick", "userAvatar")
	}
	// It pushes to rts_url when there is one, so there is none that nobody takes.
	if push := room["push_url_info"]; push != nil && (text(at(push, "rts_url")) != "" || !strings.HasPrefix(text(at(push, "rtmp_url")), "rtmp://")) {
		t.Errorf("the app would push to %v", push)
	}
}

// parseAsWeb: login needs the code 200 in the body; lists are mapped over and
// indexed unchecked; URLs are parsed, which throws on one that is not absolute.
func parseAsWeb(t testing.TB, e exchange) {
	t.Helper()
	switch {
	case e.call == "login":
		code, _ := e.object(t)["code"].(json.Number)
		if (code == "200") != (e.Status == 200) {
			t.Errorf("code %v with status %d", code, e.Status)
		}
		if e.Status == 200 {
			mustBeDate(t, e.object(t)["expire"])
		}
	case e.Status != 200:
	case e.call == "token":
		if text(at(e.object(t), "aliyun_new_im", "app_token")) == "" {
			t.Errorf("no token: %s", e.Body)
		}
	case e.call == "getMeetingInfo":
		if _, ok := e.object(t)["members"].([]any); !ok {
			t.Errorf("members.map is not a function: %s", e.Body)
		}
	case e.call == "list" || e.call == "get":
		for _, room := range e.rooms(t) {
			browserRoom(t, room)
			if _, ok := at(room, "user_status", "mute_source").([]any); !ok {
				t.Errorf("mute_source is %v", room["user_status"])
			}
		}
	default:
		t.Errorf("no rules for %s", e.call)
	}
}

// parseAsUniApp: the status alone tells failures; a room with co-streaming is
// played from link_info, unchecked.
func parseAsUniApp(t testing.TB, e exchange) {
	t.Helper()
	switch {
	case e.call == "login":
		if (text(e.object(t)["token"]) != "") != (e.Status == 200) {
			t.Errorf("status %d with the token %v", e.Status, e.object(t)["token"])
		}
	case e.Status != 200:
	case e.call == "token":
		if at(e.object(t), "aliyun_new_im", "auth", "role") != "" {
			t.Errorf("anybody becomes an administrator: %s", e.Body)
		}
	case e.call == "list" || e.call == "get":
		for _, room := range e.rooms(t) {
			browserRoom(t, room)
			if rtmp := playedFrom(t, room)["rtmp_url"]; !strings.HasPrefix(text(rtmp), "rtmp://") { // all that mini programs play
				t.Errorf("rtmp_url is %v", rtmp)
			}
		}
	default:
		t.Errorf("no rules for %s", e.call)
	}
}

// playedFrom is where the browser clients take URLs from.
func playedFrom(t testing.TB, room map[string]any) map[string]any {
	t.Helper()
	urls, ok := room["pull_url_info"].(map[string]any)
	if number(t, "mode", room["mode"], 32) == 1 {
		urls, ok = at(room, "link_info", "cdn_pull_info").(map[string]any)
	}
	if !ok {
		t.Fatalf("nothing to play in %v", room)
	}
	return urls
}

func browserRoom(t testing.TB, room map[string]any) {
	t.Helper()
	if status := number(t, "status", room["status"], 32); status < 0 || status > 2 {
		t.Errorf("status %d", status)
	}
	number(t, "pv", at(room, "metrics", "pv"), 32)
	urls := playedFrom(t, room)
	for _, key := range []string{"flv_url", "hls_url"} {
		// A link of another name is preferred, and must not lead nowhere.
		if _, preferred := urls[strings.Replace(key, "_", "_oriaac_", 1)]; preferred {
			t.Errorf("a stream that nobody makes: %v", urls)
		}
		if u, err := url.Parse(text(urls[key])); err != nil || u.Scheme != "https" || u.Host == "" {
			t.Errorf("new URL(%q) throws, or a secure page refuses it", urls[key])
		}
	}
	if vod := room["vod_info"]; vod != nil && number(t, "vod status", at(vod, "status"), 32) == 1 {
		if text(at(at(vod, "playlist").([]any)[0], "play_url")) == "" {
			t.Errorf("nothing to play in %v", vod)
		}
	}
}

// mustBeDate wants a time that no client takes for one of its own zone.
func mustBeDate(t testing.TB, v any) {
	t.Helper()
	if _, err := time.Parse(time.RFC3339, text(v)); err != nil || strings.HasSuffix(text(v), "Z") {
		t.Errorf("the date %v", v)
	}
}
