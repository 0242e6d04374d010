package nms

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func decoded(t *testing.T, body string) media.Event {
	t.Helper()
	ev, err := decode([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return ev
}

func TestEveryActionHasItsMeaning(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]media.Event{
		"prePublish":  {Action: media.Publishing, Tentative: true},
		"postPublish": {Action: media.Publishing, Fact: true},
		"prePlay":     {Action: media.Playing, Tentative: true},
		"postPlay":    {Action: media.Playing, Fact: true},
		"donePublish": {Action: media.Disconnected, BytesIn: 3477},
		"donePlay":    {Action: media.Disconnected, BytesIn: 3477},
		"postRecord":  {Action: media.Informed},
	} {
		want.ClientID, want.Stream = "mwr2syiev5r5kqwc", media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}
		want.Address, want.Protocol = "127.0.0.1", "rtmp"
		if got := decoded(t, event(action)); got != want {
			t.Errorf("%s\ngot  %+v\nwant %+v", action, got, want)
		}
	}
	got := decoded(t, event("doneRecord", "ip", "", "endtime", 1795305952948, "filePath", "record/a.flv"))
	want := media.Event{Action: media.Recorded, Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}, File: "record/a.flv",
		Began: time.UnixMilli(1795305941948).UTC(), Ended: time.UnixMilli(1795305952948).UTC(), Duration: 11}
	if got != want {
		t.Errorf("doneRecord\ngot  %+v\nwant %+v", got, want)
	}
}

func TestAConnectionThatNeverSaidWhatItWantsLeavesNothing(t *testing.T) {
	t.Parallel()
	if got := decoded(t, event("donePlay", "app", "", "name", "")); got.Action != media.Informed {
		t.Errorf("its end is %+v", got)
	}
	for _, action := range []string{"prePublish", "postPublish", "prePlay", "postPlay"} {
		for _, empty := range []string{"app", "name"} {
			if got := decoded(t, event(action, empty, "")); !got.Tentative || got.Fact {
				t.Errorf("%s without %s is %+v", action, empty, got)
			}
		}
	}
	left := decoded(t, `{"id":"mwr2syiev5r5kqwc","app":"x","action":"postPlay"}`) // a WebSocket at /x
	if !left.Tentative || left.Fact {
		t.Errorf("without a name: %+v", left)
	}
}

func TestAddressesLoseTheirPort(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string]string{
		"127.0.0.1:47866": "127.0.0.1", "::1:5000": "::1", "::ffff:192.0.2.7:5000": "192.0.2.7", "2001:db8::7:1": "2001:db8::7",
		"cam.example.com:554": "cam.example.com", "": "", "x": "", "rtsp://user:secret@cam.example.com/a": "cam.example.com", "undefined:undefined": "undefined",
	} {
		if got := address(ip); got != want {
			t.Errorf("%q is %q, want %q", ip, got, want)
		}
	}
}

// What lets a pull in must be what no client can bring about.
func TestPullsAreRecognisedByWhatNoClientCanDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes []any
		want    bool
	}{
		"a client":                               {nil, false},
		"a client that says nothing else":        {[]any{"query", map[string]any{}, "ip", "198.51.100.7:1935"}, false},
		"RTSP":                                   {[]any{"protocol", "rtsp", "inbytes", 99999}, true},
		"RTMP without a handshake":               {[]any{"inbytes", 24}, true},
		"RTMP just short of one":                 {[]any{"inbytes", 3072}, true},
		"the least that a client sends":          {[]any{"inbytes", 3073}, false},
		"RTMP that ended before it began":        {[]any{"inbytes", 99999, "endtime", 1795305941990}, true},
		"a publisher over HTTP has no handshake": {[]any{"protocol", "flv", "inbytes", 0}, false},
		"nor is it told by its end":              {[]any{"protocol", "flv", "endtime", 1795305941990}, false},
	} {
		for _, action := range []string{"prePublish", "postPublish"} {
			if got := decoded(t, event(action, c.changes...)); got.Relay != c.want {
				t.Errorf("%s, %s: %v", name, action, got.Relay)
			}
		}
		for _, action := range []string{"prePlay", "postPlay", "donePublish", "donePlay", "doneRecord"} {
			if got := decoded(t, event(action, c.changes...)); got.Relay {
				t.Errorf("%s, %s is a relay", name, action)
			}
		}
	}
}

func TestWhoComesBackIsRecognisedByHisStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action  string
		created int64
		want    bool
	}{
		"anew":                     {"postPublish", 1795305941948, false},
		"the id is of a bit later": {"postPublish", 1795305941940, false},
		"back":                     {"postPublish", 1795305936000, true},
		"before it is recorded":    {"prePublish", 1795305936000, false},
		"no start":                 {"postPublish", 0, false},
		"a start that lies ahead":  {"postPublish", 1795305999999, false},
	} {
		if got := decoded(t, event(c.action, "createtime", c.created)); got.Resumes != c.want {
			t.Errorf("%s: %v", name, got.Resumes)
		}
	}
}

func TestQueriesArePutTogetherAgain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{}`: "", `null`: "", `[]`: "", `"a=b"`: "", `7`: "",
		`{"token":"abc","x":"1"}`:                 "token=abc&x=1",
		`{"x":"1","token":"abc"}`:                 "x=1&token=abc",
		`{"a":["1","2"],"b":" x&y","c":""}`:       "a=1&a=2&b=+x%26y&c=",
		`{"":"v","k":""}`:                         "=v&k=",
		`{"a":{"b":"c"},"d":7,"e":null,"f":"g"}`:  "f=g",
		`{"a":["1",2],"b":[[]],"c":[],"d":["x"]}`: "d=x",
		`{"a":"1","a":"2"}`:                       "a=1&a=2",
		`{"é":"\u0000"}`:                          "%C3%A9=%00",
	} {
		body := strings.Replace(event("postPlay"), `"query":{}`, `"query":`+in, 1)
		if got := decoded(t, body).Query; got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestNumbersBeyondAllTimeAreNone(t *testing.T) {
	t.Parallel()
	for _, n := range []any{-1, 1e300, 253402300800000, -1e300} {
		ev := decoded(t, event("donePublish", "endtime", n, "inbytes", n))
		if !ev.Ended.IsZero() || ev.BytesIn < 0 || ev.BytesIn > 1<<53 {
			t.Errorf("%v: %+v", n, ev)
		}
	}
	if ev := decoded(t, event("doneRecord", "createtime", 2000, "endtime", 1000)); ev.Duration != 0 {
		t.Errorf("a recording of %v seconds", ev.Duration)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range captures() {
		for _, e := range load(f, name).Events {
			f.Add([]byte(e.Request.Body))
		}
	}
	f.Add([]byte(`{"id":"mwr2syiev5r5kqwc","action":"postPublish","query":{"a":[["b"]],"c":{"d":1}},"ip":"::1"}`))
	f.Add([]byte(`{"id":"aaaaaaaaa","action":"postPublish","createtime":1e308,"endtime":-1,"inbytes":1e400}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := decode(body)
		if err != nil {
			return
		}
		if ev.Action == "" || ev.Fact && ev.Tentative || ev.Fact && (ev.Stream.App == "" || ev.Stream.Name == "") {
			t.Errorf("%s gives %+v", body, ev)
		}
		if ev.Action != media.Recorded && !sessionID.MatchString(ev.ClientID) {
			t.Errorf("client %q", ev.ClientID)
		}
		if ev.BytesIn < 0 || ev.BytesOut < 0 || ev.Duration < 0 {
			t.Errorf("below zero: %+v", ev)
		}
		if _, err := url.ParseQuery(ev.Query); err != nil || !utf8.ValidString(ev.Query) {
			t.Errorf("query %q: %v", ev.Query, err)
		}
		if _, err := json.Marshal(ev); err != nil {
			t.Error(err)
		}
	})
}

// A list of the API comes from the same program, but may come from anywhere.
func FuzzLists(f *testing.F) {
	for _, name := range captures() {
		c := load(f, name)
		for _, e := range append(c.Observed.API, c.Observed.Exchanges...) {
			f.Add([]byte(e.text()))
		}
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		var sessions envelope[struct {
			Sessions []session `json:"sessions"`
		}]
		var streams envelope[struct {
			Streams []stream `json:"streams"`
		}]
		if json.Unmarshal(page, &sessions) != nil || json.Unmarshal(page, &streams) != nil {
			return
		}
		at := time.Date(2026, 11, 22, 0, 5, 46, 0, time.UTC)
		for _, c := range join(sessions.Data.Sessions, streams.Data.Streams, nil, at) {
			if c.Uptime < 0 || c.BytesIn < 0 || c.BytesOut < 0 || c.Scene == media.Publish && c.ID == "" && c.Stream == (media.Stream{}) {
				t.Errorf("%+v", c)
			}
		}
		for _, s := range streams.Data.Streams {
			if s.onAir() {
				if live := s.live(at); live.Uptime < 0 || live.RecvKbps < 0 || live.BytesIn < 0 {
					t.Errorf("%+v", live)
				}
			}
		}
	})
}
