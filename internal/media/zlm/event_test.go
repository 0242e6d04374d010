package zlm

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func event(t testing.TB, name, body string) media.Event {
	t.Helper()
	ev, err := decode(name, []byte(body), noon)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestProtocolAndPathAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schema, protocol, want, path string }{
		{"rtmp", "rtmp", "rtmp", "/live/room1"},
		{"rtmp", "rtmps", "rtmp", "/live/room1"},
		{"rtmp", "", "rtmp", "/live/room1"},
		{"rtmp", "http", "http-flv", "/live/room1.live.flv"},
		{"rtmp", "wss", "http-flv", "/live/room1.live.flv"},
		{"rtsp", "rtsps", "rtsp", "/live/room1"},
		{"ts", "https", "http-ts", "/live/room1.live.ts"},
		{"fmp4", "ws", "http-fmp4", "/live/room1.live.mp4"},
		{"hls", "hls", "hls", "/live/room1/hls.m3u8"},
		{"hls.fmp4", "hls.fmp4", "hls", "/live/room1/hls.fmp4.m3u8"},
		{"rtc", "rtc", "webrtc", "/live/room1"},
		{"srt", "srt", "srt", "/live/room1"},
	} {
		body := strings.Replace(publishing(""), `"schema":"rtmp","protocol":"rtmp"`, `"schema":"`+c.schema+`","protocol":"`+c.protocol+`"`, 1)
		if ev := event(t, "on_play", body); ev.Protocol != c.want || ev.Path != c.path {
			t.Errorf("%s over %s became %s %s", c.schema, c.protocol, ev.Protocol, ev.Path)
		}
	}
}

func TestAVhostIsTheHostThatClientsConnectTo(t *testing.T) {
	t.Parallel()
	ev := event(t, "on_publish", strings.Replace(publishing(""), "__defaultVhost__", "Push.Example.com", 1))
	if ev.Host != "push.example.com" || ev.Stream.Vhost != "Push.Example.com" {
		t.Errorf("%+v", ev)
	}
	if ev := event(t, "on_publish", publishing("")); ev.Host != "" || ev.Stream.Vhost != media.DefaultVhost {
		t.Errorf("%+v", ev)
	}
}

// A publisher that was refused is reported as a player, so that the connection
// counts and not the word; a viewer of HLS shares its connection.
func TestTheEndIsThatOfTheConnection(t *testing.T) {
	t.Parallel()
	report := func(schema, extra string) media.Event {
		body := strings.Replace(publishing(""), `"schema":"rtmp"`, `"schema":"`+schema+`","totalBytes":7,`+extra, 1)
		return event(t, "on_flow_report", body)
	}
	for _, player := range []string{`"player":true`, `"player":false`} {
		ev := report("rtmp", player)
		if ev.Action != media.Disconnected || ev.ClientID != "2-15" || ev.BytesIn+ev.BytesOut != 7 || (ev.BytesOut == 7) != strings.Contains(player, "true") {
			t.Errorf("%s: %+v", player, ev)
		}
	}
	if ev := report("hls", `"player":true`); ev.Action != media.Stopped || ev.Scene() != media.Play || ev.Stream.Name != "room1" {
		t.Errorf("%+v", ev)
	}
}

func TestOnlyTheEndOfHLSEndsItsAudience(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"rtmp", "rtsp", "ts", "fmp4", "hls", "hls.fmp4"} {
		for _, registered := range []string{"true", "false"} {
			ev := event(t, "on_stream_changed", `{"mediaServerId":"z","schema":"`+schema+`","vhost":"v","app":"a","stream":"s","regist":`+registered+`}`)
			ends := strings.HasPrefix(schema, "hls") && registered == "false"
			if ends != (ev.Action == media.Stopped) || ends && (ev.ClientID != "" || ev.Protocol != "hls") || !ends && ev.Action != media.Informed {
				t.Errorf("%s %s: %+v", schema, registered, ev)
			}
		}
	}
}

// The first hook of a process is of its start; a repeated one may come after
// others.
func TestAStartThatIsToldLateEndsOnlyWhatIsOld(t *testing.T) {
	t.Parallel()
	if ev := event(t, "on_server_started", `{"mediaServerId":"z","hook_index":0}`); ev.Action != media.Restarted || !ev.At.Equal(noon) || ev.ServerID != "z/" {
		t.Errorf("%+v", ev)
	}
	if ev := event(t, "on_server_started", `{"mediaServerId":"z","hook_index":3}`); ev.Action != media.Restarted || !ev.At.Equal(noon.Add(-30*time.Second)) {
		t.Errorf("%+v", ev)
	}
	if ev := event(t, "on_server_exited", `{"mediaServerId":"z","hook_index":90}`); ev.Action != media.Restarted || !ev.At.Equal(noon) {
		t.Errorf("%+v", ev)
	}
}

func TestARepeatedHookIsTheSameEvent(t *testing.T) {
	t.Parallel()
	first := event(t, "on_publish", publishing("token=a"))
	if again := event(t, "on_publish", strings.Replace(publishing("token=a"), `"hook_index":4`, `"hook_index":5`, 1)); again != first {
		t.Errorf("%+v\n%+v", first, again)
	}
}

func TestLinesNameEveryEventThatMatters(t *testing.T) {
	t.Parallel()
	lines := Lines(media.Setup{Base: "https://door.example.com", Node: "edge", Secret: "s"})
	for _, want := range []string{"mediaServerId=edge\n", "flowThreshold=0\n", "enable=1\n",
		"on_publish=https://door.example.com/callback/zlmediakit/on_publish?secret=s\n",
		"on_server_started=https://door.example.com/callback/zlmediakit/on_server_started?secret=s\n"} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not in\n%s", want, lines)
		}
	}
	for line := range strings.Lines(lines) {
		if name, _, ok := strings.Cut(line, "=https://"); ok && answers()[name] == nil {
			t.Errorf("%s is not an event", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range captures() {
		for _, c := range load(f, name) {
			f.Add(c.Event, c.Body)
		}
	}
	f.Fuzz(func(t *testing.T, name, body string) {
		ev, err := decode(name, []byte(body), noon)
		if err != nil {
			if ev != (media.Event{}) {
				t.Errorf("an event in spite of %v: %+v", err, ev)
			}
			return
		}
		if ev.Action.Asks() && (ev.ClientID == "" || ev.Address == "" || ev.Stream.App == "") {
			t.Errorf("nobody asks: %+v", ev)
		}
		if ev.Action == media.Recorded && (ev.File == "" || ev.Stream.Name == "" || ev.Duration < 0) {
			t.Errorf("no file: %+v", ev)
		}
		if ev.Action == media.Restarted && (ev.ServerID == "" || ev.At.After(noon)) {
			t.Errorf("no restart: %+v", ev)
		}
		if ev.Action == media.Unpublished {
			t.Errorf("%+v", ev)
		}
	})
}
