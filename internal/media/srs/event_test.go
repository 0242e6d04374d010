package srs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

// otherVersions are callbacks of versions that were not captured, with the
// fields that their sources send.
func otherVersions() []mediatest.Payload {
	version3 := published().with(object{"client_id": 117, "server_id": nil, "service_id": nil, "stream_url": nil, "stream_id": nil})
	version4 := version3.with(object{"client_id": "9a3b", "server_id": "vid-4"})
	recorded := object{"cwd": "/usr/local/srs", "file": "./objs/nginx/html/live/x.1420254068776.flv", "tcUrl": nil}
	as := func(base object, action string, changes object) mediatest.Payload {
		return callback("", action, base.with(object{"action": action}).with(changes))
	}
	named := func(name string, p mediatest.Payload) mediatest.Payload { p.Name = name; return p }
	return []mediatest.Payload{
		named("3: connect without stream and param", as(version3, "on_connect", object{"stream": nil, "param": nil, "pageUrl": "http://page.example/"})),
		named("3: publish with a numeric client id", as(version3, "on_publish", nil)),
		named("3: play without tcUrl", as(version3, "on_play", object{"tcUrl": nil, "pageUrl": ""})),
		named("3: unpublish", as(version3, "on_unpublish", object{"tcUrl": nil})),
		named("3: recording with a relative path", as(version3, "on_dvr", recorded)),
		named("3: close", as(version3, "on_close", object{"stream": nil, "param": nil, "tcUrl": nil, "send_bytes": 10, "recv_bytes": 20})),
		named("3: keys smuggled in through param", as(version3, "on_publish", object{
			"param": "?token=abc", "stream_url": "/live/mine", "service_id": "forged", "server_id": "forged"})),
		named("4: publish without server id", as(version4, "on_publish", object{"server_id": nil})),
		named("4: play of x.m3u8 without tcUrl", as(version4, "on_play", object{"stream": "x.m3u8", "tcUrl": nil})),
		named("4: name and app with slashes", as(version4, "on_publish", object{"app": "live", "stream": "/sub/x.flv"})),
		named("5.0.55: server id, no service id", as(published(), "on_publish", object{"service_id": nil})),
		named("5: null where a value is optional", as(published(), "on_play", object{"pageUrl": json.RawMessage("null")})),
		named("7: another vhost", as(published(), "on_publish", object{
			"vhost": "demo.example", "stream_url": "demo.example/live/x", "tcUrl": "rtmp://demo.example/live"})),
		named("7: HTTP-FLV of another vhost", as(published(), "on_play", object{
			"vhost": "demo.example", "stream_url": "demo.example/live/x", "tcUrl": "rtmp://demo.example/live"})),
		named("7: unknown keys", as(published(), "on_publish", object{"a": object{"b": []int{1}}, "stream_name": "evil"})),
	}
}

// TestClientURLShapes follows the table of param shapes in the wire reference.
func TestClientURLShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                string
		action              string
		changes             object
		stream, query       string
		protocol, host, app string
	}{
		{"query on the stream", "on_publish", object{"param": "?token=abc"},
			"x", "token=abc", "rtmp", "127.0.0.1", "live"},
		{"query on the server", "on_publish", object{"param": "?token=abc?token=abc", "tcUrl": "rtmp://h:1935/live?token=abc"},
			"x", "token=abc?token=abc", "rtmp", "h", "live"},
		{"vhost in the app", "on_publish", object{"param": "?token=t?vhost=v?vhost=v", "tcUrl": "rtmp://h:1935/live...vhost...v"},
			"x", "token=t?vhost=v?vhost=v", "rtmp", "h", "live"},
		{"an extension", "on_publish", object{"stream": "x.flv", "param": "?token=q"},
			"x", "token=q", "rtmp", "127.0.0.1", "live"},
		{"letters outside ASCII", "on_publish", object{"stream": "房间?token=abc", "param": "", "stream_url": "/live/房间?token=abc"},
			"房间", "token=abc", "rtmp", "127.0.0.1", "live"},
		{"query in name and param", "on_publish", object{"stream": "x?token=a", "param": "?token=b", "stream_url": "/live/x?token=a"},
			"x", "token=a&token=b", "rtmp", "127.0.0.1", "live"},
		{"HTTP-FLV", "on_play", object{"param": "?token=f&b=2", "tcUrl": "rtmp://__defaultVhost__/live"},
			"x", "token=f&b=2", "http-flv", "", "live"},
		{"HLS", "on_play", object{"stream": "x.m3u8", "param": "?token=h", "tcUrl": "http://h/live"},
			"x", "token=h", "hls", "h", "live"},
		{"WHEP", "on_play", object{"param": "app=live&stream=x&token=abc", "tcUrl": ""},
			"x", "app=live&stream=x&token=abc", "webrtc", "", "live"},
		{"WHIP with another order", "on_publish", object{"param": "?token=abc&stream=x&app=live", "tcUrl": ""},
			"x", "token=abc&stream=x&app=live", "webrtc", "", "live"},
		{"legacy RTC", "on_publish", object{"param": "?token=abc&upstream=rtc", "tcUrl": "webrtc://h/live"},
			"x", "token=abc&upstream=rtc", "webrtc", "h", "live"},
		{"SRT with host", "on_publish", object{"param": "vhost=host&token=abc", "tcUrl": "srt://host/live"},
			"x", "vhost=host&token=abc", "srt", "host", "live"},
		{"SRT without host", "on_publish", object{"param": "token=abc", "tcUrl": "srt://h/live"},
			"x", "token=abc", "srt", "h", "live"},
		{"SRT without mode, which means play", "on_play", object{"param": "token=abc", "tcUrl": "srt://h/live"},
			"x", "token=abc", "srt", "h", "live"},
		{"SRT without stream id", "on_publish", object{"stream": "livestream", "stream_url": "/live/livestream", "param": "", "tcUrl": "srt://h/live"},
			"livestream", "", "srt", "h", "live"},
		{"a dot that SRS keeps", "on_publish", object{"stream": "cam.front.hd", "stream_url": "/live/cam.front"},
			"cam.front", "token=abc", "rtmp", "127.0.0.1", "live"},
		{"extension and dots outside ASCII", "on_publish", object{"stream": "房间.flv?token=a.b", "param": "", "stream_url": "/live/房间.flv?token=a"},
			"房间", "token=a.b", "rtmp", "127.0.0.1", "live"},
		{"a dot in the application", "on_publish", object{"app": "a.b", "stream": "x", "stream_url": nil, "tcUrl": "rtmp://h/a.b"},
			"x", "token=abc", "rtmp", "h", "a.b"},
		{"nested application", "on_publish", object{"app": "live/sub", "stream_url": "/live/sub/x", "tcUrl": "rtmp://h:1935/live/sub"},
			"x", "token=abc", "rtmp", "h", "live/sub"},
		{"HTTP-FLV of the versions without tcUrl on play", "on_play", object{"stream": "x.flv", "tcUrl": nil, "stream_url": nil},
			"x", "token=abc", "http-flv", "", "live"},
		{"a name that SRS would call by another source", "on_publish", object{"app": "live", "stream": "x", "stream_url": "/live/other"},
			"other", "token=abc", "rtmp", "127.0.0.1", "live"},
		{"no application at all", "on_publish", object{"app": "", "stream_url": "x"},
			"x", "token=abc", "rtmp", "127.0.0.1", ""},
		{"RTMP play of the default vhost's real host", "on_play", object{"tcUrl": "rtmp://h/live"},
			"x", "token=abc", "rtmp", "h", "live"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := callback("", c.action, published().with(object{"action": c.action}).with(c.changes)).Body
			ev, problems := decode(c.action, []byte(body))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			want := media.Stream{Vhost: media.DefaultVhost, App: c.app, Name: c.stream}
			if ev.Stream != want || ev.Query != c.query || ev.Protocol != c.protocol || ev.Host != c.host {
				t.Errorf("got %+v", ev)
			}
		})
	}
}

func TestEveryActionHasItsMeaning(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]media.Action{
		"on_connect": media.Connecting, "on_close": media.Disconnected,
		"on_publish": media.Publishing, "on_unpublish": media.Unpublished,
		"on_play": media.Playing, "on_stop": media.Stopped,
		"on_dvr": media.Recorded, "on_hls": media.Informed,
	} {
		body := callback("", action, published().with(object{"action": action, "cwd": "/srs", "file": "f"})).Body
		ev, problems := decode(action, []byte(body))
		if len(problems) > 0 || ev.Action != want {
			t.Errorf("%s: %s %v", action, ev.Action, problems)
		}
		if (ev.File == "f" && ev.Dir == "/srs") != (want == media.Recorded) {
			t.Errorf("%s: file %q in %q", action, ev.File, ev.Dir)
		}
	}
}

func TestByteCountsThatAreNoneAreZero(t *testing.T) {
	t.Parallel()
	for _, odd := range []any{-1, "x", 1.5, nil, []int{1}, true, json.RawMessage("99999999999999999999")} {
		body := callback("", "on_close", published().with(object{"action": "on_close", "send_bytes": odd, "recv_bytes": 7})).Body
		ev, problems := decode("on_close", []byte(body))
		if len(problems) > 0 || ev.BytesOut != 0 || ev.BytesIn != 7 {
			t.Errorf("%v: in %d, out %d, %v", odd, ev.BytesIn, ev.BytesOut, problems)
		}
	}
}

func TestRepliesAreAmongTheOnesThatWereTried(t *testing.T) {
	t.Parallel()
	var tried []struct {
		Reply    string
		Accepted bool
	}
	load(t, "reply_matrix", &tried)
	accepted := make(map[string]bool)
	for _, r := range tried {
		accepted[r.Reply] = r.Accepted
	}
	for _, agent := range []string{"SRS/7.0.18(Hang)", "SRS/5.0.70"} {
		if _, body := acceptance(agent); !accepted[body] {
			t.Errorf("%s does not accept %q", agent, body)
		}
	}
	for _, refusal := range []string{"403+0", "422", "500"} {
		if yes, known := accepted[refusal]; yes || !known {
			t.Errorf("status %s does not refuse", refusal)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"callbacks_srt", "callbacks_webrtc"} {
		text, err := os.ReadFile(filepath.Join("testdata", "captures", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		var all []struct{ Callback json.RawMessage }
		if err := json.Unmarshal(text, &all); err != nil {
			f.Fatal(err)
		}
		for _, c := range all {
			f.Add("on_publish", []byte(c.Callback))
		}
	}
	f.Fuzz(func(t *testing.T, action string, body []byte) {
		ev, problems := decode(action, body)
		if inFull, all := decodeAny(action, body); ev != inFull || !reflect.DeepEqual(problems, all) {
			t.Errorf("%+v %v, in full %+v %v", ev, problems, inFull, all)
		}
		if len(problems) > 0 {
			if ev != (media.Event{}) {
				t.Errorf("an event in spite of %v: %+v", problems, ev)
			}
			if _, err := json.Marshal(problems); err != nil {
				t.Errorf("problems that cannot be told: %v", err)
			}
			return
		}
		if ev.ClientID == "" {
			t.Error("an event of no client")
		}
		if strings.ContainsAny(ev.Stream.Name, "?/") || strings.Contains(ev.Stream.App, "?") {
			t.Errorf("a name that is none: %+v", ev.Stream)
		}
		if ev.Serial < 0 || ev.BytesIn < 0 || ev.BytesOut < 0 || ev.Serial != 0 && ev.ServerID != "" {
			t.Errorf("impossible numbers: %+v", ev)
		}
	})
}
