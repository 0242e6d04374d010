package mediamtx

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func asked(t testing.TB, changes ...any) media.Event {
	t.Helper()
	a, err := decodeAsk([]byte(question(changes...)))
	if err != nil {
		t.Fatal(err)
	}
	return a.event()
}

func TestATokenThatOnlyRepeatsIsNoBearer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask  []any
		want string
	}{
		"a password":               {[]any{"user", "a", "password", "pw", "token", "pw"}, ""},
		"a query of RTMP":          {[]any{"query", "token=abc", "token", "abc"}, ""},
		"a query of RTSP":          {[]any{"protocol", "rtsp", "query", "x=1&token=a%2Fb", "token", "a/b"}, ""},
		"a jwt in the query":       {[]any{"query", "jwt=abc", "token", "abc"}, "abc"},
		"a header of HLS":          {[]any{"protocol", "hls", "query", "token=abc", "token", "abc"}, "abc"},
		"a header of WHIP":         {[]any{"protocol", "webrtc", "query", "", "token", "abc"}, "abc"},
		"a query that is no query": {[]any{"query", "token=abc;%zz", "token", "abc"}, "abc"},
	} {
		if got := asked(t, c.ask...).Bearer; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestACredentialOnTheServerURLNamesNoStream(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]media.Stream{
		"token=abc/room1":     {Vhost: media.DefaultVhost, App: "live/room1"},
		"token=abc":           {Vhost: media.DefaultVhost, App: "live", Name: "room1"},
		"a=http%3A%2F%2Fhost": {Vhost: media.DefaultVhost, App: "live", Name: "room1"},
	} {
		if got := asked(t, "query", query).Stream; got != want {
			t.Errorf("%q: %+v", query, got)
		}
	}
	if got := asked(t, "protocol", "hls", "query", "token=abc/room1").Stream; got.Name != "room1" {
		t.Errorf("HLS has its query where it belongs: %+v", got)
	}
}

func TestPathsAreStreams(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]media.Stream{
		"live/room1":   {App: "live", Name: "room1"},
		"a/b/c":        {App: "a/b", Name: "c"},
		"room1":        {Name: "room1"}, // and refused: no application
		"live/x.m3u8":  {App: "live", Name: "x.m3u8"},
		"live/../etc":  {App: "live/..", Name: "etc"}, // and refused
		"live//double": {App: "live/", Name: "double"},
	} {
		want.Vhost = media.DefaultVhost
		if got := streamAt(path); got != want {
			t.Errorf("%q: %+v, want %+v", path, got, want)
		}
	}
}

func TestTheAddressIsOneOrNone(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::1", "<nil>": "", "": ""} {
		if got := asked(t, "ip", ip).Address; got != want {
			t.Errorf("%q: %q", ip, got)
		}
	}
}

func TestWithoutASessionNothingIsRecorded(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string][]any{
		"options of WHIP": {"protocol", "webrtc", "id", nil},
		"a page of HLS":   {"action", "read", "protocol", "hls", "id", nil},
		"playback":        {"action", "playback", "protocol", ""},
		"RTSP DESCRIBE":   {"action", "read", "protocol", "rtsp", "userAgent", ""},
	} {
		if e := asked(t, ask...); !e.Tentative {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, protocol := range []string{"rtmp", "rtsp", "srt", "webrtc"} {
		if e := asked(t, "protocol", protocol, "userAgent", ""); e.Tentative || e.Action != media.Publishing {
			t.Errorf("a publisher by %s: %+v", protocol, e)
		}
	}
}

func TestOnlyConnectionsThatAreSessionsEndWithTheirConnection(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]media.Action{"rtmpConn": media.Disconnected, "rtmpsConn": media.Disconnected, "srtConn": media.Disconnected,
		"rtspConn": media.Informed, "rtspsConn": media.Informed, "somethingNew": media.Informed} {
		_, e, err := decodeHook(report("event", "disconnect", "type", kind, "id", session).Body)
		if err != nil || e.Action != want || e.Stream.Name != "" {
			t.Errorf("%s: %+v, %v", kind, e, err)
		}
	}
}

func TestPullsOfTheServerAreNobodys(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{"rtspSource": true, "rtmpSource": true, "redirect": true, "rtspSession": false, "rtmpConn": false} {
		_, e, err := decodeHook(report("event", "unavailable", "path", "live/room1", "type", kind, "id", session).Body)
		if err != nil || e.Relay != want {
			t.Errorf("%s: %+v, %v", kind, e, err)
		}
	}
	if _, e, err := decodeHook(report("event", "unavailable", "path", "live/room1", "type", "rtspSource", "id", "").Body); err != nil || !e.Relay {
		t.Errorf("without an id: %+v, %v", e, err)
	}
}

func TestADurationThatMakesNoSenseIsUnknown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"4.5": 4.5, "": 0, "NaN": 0, "-1": 0, "1e99": 0, "x": 0} {
		if got := seconds(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// addCaptures seeds a fuzz test with everything that was recorded.
func addCaptures(f *testing.F, add func(ask json.RawMessage, form string)) {
	f.Helper()
	for _, file := range captures(f) {
		var c capture
		load(f, filepath.Base(file), &c)
		for _, e := range c.Events {
			if p, ok := payload(e.Ask, e.Hook, e.Env); ok {
				add(e.Ask, p.Body)
			}
		}
	}
}

func FuzzQuestion(f *testing.F) {
	addCaptures(f, func(ask json.RawMessage, _ string) {
		if ask != nil {
			f.Add([]byte(ask))
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := decodeAsk(body)
		if err != nil || !a.aboutMedia() {
			return
		}
		e := a.event()
		if !e.Action.Asks() || e.Scene() == "" || e.Fact {
			t.Errorf("%s: %+v", body, e)
		}
		if e.ClientID == "" && !e.Tentative {
			t.Errorf("recorded without an id: %+v", e)
		}
	})
}

func FuzzReport(f *testing.F) {
	addCaptures(f, func(ask json.RawMessage, form string) {
		if ask == nil {
			f.Add(form)
		}
	})
	f.Fuzz(func(t *testing.T, body string) {
		hook, e, err := decodeHook(body)
		if err != nil {
			return
		}
		if hook == "" || e.Action == "" || e.Action == media.Publishing || e.Username != "" || e.Password != "" {
			t.Errorf("%q: %q %+v", body, hook, e)
		}
	})
}

func FuzzLists(f *testing.F) {
	text, err := os.ReadFile("testdata/captures/lists.json")
	if err != nil {
		f.Fatal(err)
	}
	var lists map[string]struct{ Items []json.RawMessage }
	if err := json.Unmarshal(text, &lists); err != nil {
		f.Fatal(err)
	}
	for _, l := range lists {
		for _, item := range l.Items {
			f.Add([]byte(item))
		}
	}
	f.Fuzz(func(t *testing.T, item []byte) {
		var p path
		if json.Unmarshal(item, &p) == nil && p.live() {
			_ = p.stream(noon())
		}
		var l live
		if json.Unmarshal(item, &l) == nil {
			if c := l.client("rtsp", noon()); (c.Scene == "") != (c.Stream == media.Stream{}) {
				t.Errorf("%+v", c)
			}
		}
	})
}
