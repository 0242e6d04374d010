package ome

import (
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func event(t testing.TB, body string) media.Event {
	t.Helper()
	r, err := decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r.event()
}

func TestTheURLTellsStreamAndCredentials(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]media.Event{
		"rtmp://h:1935/live/x?token=a":               {Host: "h", Stream: media.Stream{App: "live", Name: "x"}, Query: "token=a", Path: "/live/x"},
		"RTMP://H/live/x":                            {Host: "h", Stream: media.Stream{App: "live", Name: "x"}, Path: "/live/x"},
		"ws://h:3333/live/x/master?token=a&b=c?d":    {Host: "h", Stream: media.Stream{App: "live", Name: "x"}, Query: "token=a&b=c?d", Path: "/live/x/master"},
		"https://h/live/x/a/b/llhls.m3u8":            {Host: "h", Stream: media.Stream{App: "live", Name: "x"}, Path: "/live/x/a/b/llhls.m3u8"},
		"srt://[2001:db8::1]:9999/live/x":            {Host: "2001:db8::1", Stream: media.Stream{App: "live", Name: "x"}, Path: "/live/x"},
		"rtmp://h/live":                              {Host: "h", Stream: media.Stream{App: "live"}, Path: "/live"},
		"rtmp://h/live/":                             {Host: "h", Stream: media.Stream{App: "live"}, Path: "/live/"},
		"rtmp://h/live?token=a/x":                    {Host: "h", Stream: media.Stream{App: "live"}, Query: "token=a/x", Path: "/live"},
		"rtmp://h/li%20ve/x%zz":                      {Host: "h", Stream: media.Stream{App: "li%20ve", Name: "x%zz"}, Path: "/li%20ve/x%zz"},
		"rtmp://u:p@h/live/x":                        {Host: "h", Stream: media.Stream{App: "live", Name: "x"}, Path: "/live/x"},
		"rtmp://evil/live/x?u=rtmp://h/live/y?a=b#c": {Host: "evil", Stream: media.Stream{App: "live", Name: "x"}, Query: "u=rtmp://h/live/y?a=b#c", Path: "/live/x"},
	} {
		ev := event(t, strings.Replace(opening(""), "rtmp://media.example.com:1935/live/room1?", raw, 1))
		want.Stream.Vhost = media.DefaultVhost
		if ev.Host != want.Host || ev.Stream != want.Stream || ev.Query != want.Query || ev.Path != want.Path {
			t.Errorf("%s: %+v", raw, ev)
		}
	}
}

// After a reconnect the closing of the old connection comes behind the opening
// of the new one; they are not the same. Repeated openings are.
func TestConnectionsAreToldApartByDirectionAddressAndPort(t *testing.T) {
	t.Parallel()
	first := event(t, opening("token=a"))
	for name, c := range map[string]struct {
		body string
		same bool
	}{
		"opened twice, with a doubled query": {opening("token=a&token=a"), true},
		"its own closing":                    {closing(), true},
		"closing of the one before":          {strings.Replace(closing(), "41000", "40999", 1), false},
		"another address":                    {strings.ReplaceAll(closing(), "192.0.2.10", "192.0.2.11"), false},
		"another claim behind a proxy":       {strings.Replace(closing(), `"real_ip":"192.0.2.10"`, `"real_ip":"6.6.6.6"`, 1), true},
		"a player from there":                {playing(), false},
	} {
		if ev := event(t, c.body); (ev.ClientID == first.ClientID) != c.same || ev.Address == "6.6.6.6" {
			t.Errorf("%s: %q and %q", name, ev.ClientID, first.ClientID)
		}
	}
}

func TestPlayersOfHLSAreToldApartByAddressAndProgram(t *testing.T) {
	t.Parallel()
	hls := func(port, program string) media.Event {
		body := strings.NewReplacer(`"RTMP"`, `"LLHLS"`, "41000", port, `"real_ip"`, `"user_agent":"`+program+`","real_ip"`).Replace(playing())
		return event(t, body)
	}
	if a, b := hls("1", "A"), hls("2", "A"); a.ClientID != b.ClientID || a.Protocol != "hls" {
		t.Errorf("%q %q", a.ClientID, b.ClientID)
	}
	if a, b := hls("1", "A"), hls("1", "B"); a.ClientID == b.ClientID {
		t.Errorf("%q", a.ClientID)
	}
	if ev := hls("1", strings.Repeat("x", 5000)); len(ev.ClientID) > 128 {
		t.Errorf("%d bytes", len(ev.ClientID))
	}
}

func TestAThumbnailIsAskedForAndNotRecorded(t *testing.T) {
	t.Parallel()
	if ev := event(t, strings.Replace(playing(), `"RTMP"`, `"Thumbnail"`, 1)); !ev.Tentative || ev.Action != media.Playing {
		t.Errorf("%+v", ev)
	}
	closed := strings.Replace(strings.Replace(closing(), "incoming", "outgoing", 1), `"RTMP"`, `"Thumbnail"`, 1)
	if ev := event(t, closed); ev.Tentative || ev.Action != media.Informed {
		t.Errorf("%+v", ev)
	}
}

func TestLinesNameTheNodeAndNotTheSecretInTheURL(t *testing.T) {
	t.Parallel()
	lines := Lines(media.Setup{Base: "https://door.example.com", Node: "ome-1", Secret: "s3cret"})
	for _, want := range []string{"<ControlServerUrl>https://door.example.com/callback/ovenmediaengine?node=ome-1</ControlServerUrl>", "<SecretKey>s3cret</SecretKey>"} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not in\n%s", want, lines)
		}
	}
	if local := Lines(media.Setup{Base: "http://127.0.0.1:8080", Node: "local"}); !strings.Contains(local, "ovenmediaengine</ControlServerUrl>") {
		t.Error(local)
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range load(f) {
		f.Add(p.Body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := decode([]byte(body))
		if err != nil {
			return
		}
		ev := r.event()
		if ev.ClientID == "" || ev.Address == "" || strings.ContainsAny(ev.Stream.App+ev.Stream.Name, "/?") {
			t.Errorf("%+v", ev)
		}
		if publishes(ev.ClientID) != (r.Request.Direction == "incoming") {
			t.Errorf("%q of %s", ev.ClientID, r.Request.Direction)
		}
		if again := r.event(); again != ev {
			t.Errorf("%+v\n%+v", ev, again)
		}
	})
}
