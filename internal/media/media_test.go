package media

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
)

func TestCanonicalNameDropsQueryAndOneExtension(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"x": "x", "x.flv": "x", "x.m3u8?a=b": "x", "x?a=b.c": "x", "a.b.c": "a.b", ".flv": ".flv", "": "", "?a": "",
	} {
		if got := CanonicalName(in); got != want {
			t.Errorf("CanonicalName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestStreamIsNamedWithItsVhostUnlessDefault(t *testing.T) {
	t.Parallel()
	for in, want := range map[Stream]string{
		{App: "live", Name: "x"}:                         "live/x",
		{Vhost: DefaultVhost, App: "live", Name: "x"}:    "live/x",
		{Vhost: "demo.example", App: "live", Name: "x"}:  "demo.example/live/x",
		{Vhost: DefaultVhost, App: "live/sub", Name: ""}: "live/sub/",
	} {
		if got := in.String(); got != want {
			t.Errorf("%#v is named %q, want %q", in, got, want)
		}
	}
	if got := (Stream{Vhost: "v", App: "live", Name: "x"}).Path(); got != "/live/x" {
		t.Errorf("path %q holds more than app and name", got)
	}
}

func TestSceneFollowsTheActionAndForUpdatesTheSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event Event
		want  Scene
	}{
		{Event{Action: Publishing}, Publish},
		{Event{Action: Unpublished}, Publish},
		{Event{Action: Playing}, Play},
		{Event{Action: Stopped}, Play},
		{Event{Action: Updated, On: Publish}, Publish},
		{Event{Action: Updated, On: Play}, Play},
		{Event{Action: Updated}, ""},
		{Event{Action: Connecting}, ""},
		{Event{Action: Disconnected, On: Play}, ""},
		{Event{Action: Recorded}, ""},
		{Event{Action: Informed}, ""},
	} {
		if got := c.event.Scene(); got != c.want {
			t.Errorf("scene of %s on %q is %q, want %q", c.event.Action, c.event.On, got, c.want)
		}
	}
}

func TestOnlyPublishPlayAndUpdateAsk(t *testing.T) {
	t.Parallel()
	asks := map[Action]bool{Publishing: true, Playing: true, Updated: true}
	for _, a := range []Action{Connecting, Publishing, Playing, Unpublished, Stopped, Disconnected, Updated, Recorded, Informed} {
		if a.Asks() != asks[a] {
			t.Errorf("%s asks: %v", a, a.Asks())
		}
	}
}

func TestURLHostReadsOnlyTheAuthority(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"rtmp://127.0.0.1:1935/live":             "127.0.0.1",
		"rtmp://Demo.Example/live?token=a":       "demo.example",
		"rtmp://demo.example?x=y":                "demo.example",
		"rtmp://[2001:db8::1]:1935/live":         "2001:db8::1",
		"rtmp://[2001:db8::1]/live":              "2001:db8::1",
		"rtmp://user:pw@demo.example:1935/live":  "demo.example",
		"rtmp://__defaultVhost__/live":           "",
		"rtmp://demo.example:1935/live%zz/@evil": "demo.example",
		"srt://demo.example/live":                "demo.example",
		"http://h":                               "h",
		"live/x":                                 "",
		"://":                                    "",
		"":                                       "",
	} {
		if got := URLHost(in); got != want {
			t.Errorf("URLHost(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNodeTravelsInTheContextAndIsZeroOtherwise(t *testing.T) {
	t.Parallel()
	want := Node{Name: "edge-1", Kind: "srs"}
	ctx := WithNode(context.Background(), want)
	if got := NodeFrom(ctx); got != want {
		t.Errorf("got %+v", got)
	}
	if got := NodeFrom(context.Background()); got != (Node{}) {
		t.Errorf("a bare context carries %+v", got)
	}
}

func TestHostOfDropsPortBracketsAndCase(t *testing.T) {
	t.Parallel()
	for authority, want := range map[string]string{
		"Push.Example.com": "push.example.com", "push.example.com:1935": "push.example.com", "127.0.0.1:1935": "127.0.0.1",
		"[2001:DB8::1]": "2001:db8::1", "[2001:db8::1]:1935": "2001:db8::1", "2001:db8::1": "2001:db8::1", "": "",
	} {
		if got := HostOf(authority); got != want {
			t.Errorf("%q: %q, want %q", authority, got, want)
		}
	}
}

func TestStreamsAreLoggedWithoutWhatAClientHidInTheirNames(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, nil))
	for _, name := range []string{"room1", "room1?token=secret", "room1%3ftoken=secret", "room1&token=secret", "room1%26token=secret"} {
		b.Reset()
		log.Info("refused", "stream", Stream{App: "live", Name: name})
		if text := b.String(); !strings.HasSuffix(text, " stream=live/room1\n") {
			t.Errorf("%s: logged %s", name, text)
		}
	}
}

func TestAFrameRateIsOne(t *testing.T) {
	t.Parallel()
	for told, want := range map[float64]float64{25: 25, 29.97: 29.97, 0: 0, -1: 0, math.Inf(1): 0, math.NaN(): 0, 1e300: 0} {
		if got := FrameRate(told); got != want {
			t.Errorf("%v: %v", told, got)
		}
	}
}
