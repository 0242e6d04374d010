package nginxrtmp

import (
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestEveryCallHasItsMeaning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body   string
		action media.Action
		scene  media.Scene
	}{
		{head + "&epoch=1&call=connect", media.Connecting, ""},
		{session + "&call=disconnect&app=live", media.Disconnected, ""},
		{publishing, media.Publishing, media.Publish},
		{playing, media.Playing, media.Play},
		{session + "&call=update_publish&time=2&timestamp=1823&name=room1", media.Updated, media.Publish},
		{session + "&call=update_play&time=2&timestamp=1823&name=room1", media.Updated, media.Play},
		{session + "&call=publish_done&name=room1", media.Unpublished, media.Publish},
		{session + "&call=play_done&name=room1", media.Stopped, media.Play},
		{session + "&call=done&name=room1", media.Informed, ""},
		{session + "&call=record_done&recorder=all&name=room1&path=rec/r.flv", media.Recorded, ""},
	} {
		ev, err := decode(c.body)
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		if ev.Action != c.action || ev.Scene() != c.scene || ev.Query != "" || ev.Stream.App != "live" {
			t.Errorf("%s: %+v", c.body, ev)
		}
		if (ev.File == "rec/r.flv") != (c.action == media.Recorded) {
			t.Errorf("%s: file %q", c.body, ev.File)
		}
		if known := c.action != media.Connecting; known != (ev.ClientID == "7" && ev.Serial == 7) {
			t.Errorf("%s: client %q, serial %d", c.body, ev.ClientID, ev.Serial)
		}
	}
}

// TestClientWordsStayInTheQuery puts what a client may send behind each call.
func TestClientWordsStayInTheQuery(t *testing.T) {
	t.Parallel()
	const forged = "call=play&name=evil&app=admin&addr=6.6.6.6&clientid=999&tcurl=rtmp://evil/&recorder=x&path=/etc/passwd" +
		"&time=9&timestamp=9&type=x&start=9&duration=9&reset=9&flashver=ngx-local-relay&epoch=9"
	for _, body := range []string{
		head + "&epoch=1&call=connect",
		session + "&call=disconnect&app=live",
		publishing,
		playing,
		session + "&call=update_publish&time=2&timestamp=1823&name=room1",
		session + "&call=update_play&time=2&timestamp=1823&name=room1",
		session + "&call=publish_done&name=room1",
		session + "&call=play_done&name=room1",
		session + "&call=done&name=room1",
		session + "&call=record_done&recorder=all&name=room1&path=rec/r.flv",
	} {
		want, err := decode(body)
		if err != nil {
			t.Fatal(err)
		}
		want.Query = forged
		got, err := decode(body + "&" + forged)
		if err != nil || got != want {
			t.Errorf("%s\ngot  %+v %v\nwant %+v", body, got, err, want)
		}
	}
}

// TestNameIsLeftOutWhereItIsEmpty holds for every call but publish, play and
// record_done: what stands in its place is then the client's.
func TestNameIsLeftOutWhereItIsEmpty(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"publish_done", "play_done", "done", "update_publish&time=2&timestamp=3"} {
		ev, err := decode(session + "&call=" + call + "&token=abc&name=evil")
		if err != nil || ev.Stream.Name != "" || ev.Query != "token=abc&name=evil" || ev.ClientID != "7" {
			t.Errorf("%s: %+v %v", call, ev, err)
		}
	}
}

func TestQueryOnTheServerURLIsFound(t *testing.T) {
	t.Parallel()
	withQuery := strings.Replace(session, "21935/live", "21935/live%3Ftok=abc%26u=a%2525b", 1)
	for body, want := range map[string]string{
		withQuery + "&call=publish&name=room1&type=live":     "tok=abc&u=a%25b",
		withQuery + "&call=publish&name=room1&type=live&z=9": "z=9&tok=abc&u=a%25b",
		withQuery + "&call=disconnect&app=live&tok=abc&u=1":  "tok=abc&u=1",
		withQuery + "&call=disconnect&app=live":              "",
	} {
		ev, err := decode(body)
		if err != nil || ev.Query != want || ev.Host != "127.0.0.1" {
			t.Errorf("%s: query %q, host %q, %v", body, ev.Query, ev.Host, err)
		}
	}
}

func TestRelayIsKnownByWhatNoClientCanLeaveOut(t *testing.T) {
	t.Parallel()
	const relay = "app=&flashver=ngx-local-relay&swfurl=&tcurl=&pageurl=&addr=127.0.0.1:21936/origin/src%3Ftoken=T1%26a=b&clientid=5"
	const call = "&call=publish&name=room1&type="
	ev, err := decode(relay + call)
	if err != nil || !ev.Relay || ev.Address != "127.0.0.1:21936/origin/src" || ev.Stream.App != "" || ev.Query != "" {
		t.Errorf("%+v %v", ev, err)
	}
	for name, pretender := range map[string]string{
		"with an application": strings.Replace(relay, "app=", "app=live", 1),
		"with a server URL":   strings.Replace(relay, "tcurl=", "tcurl=rtmp://h/live", 1),
		"with another name":   strings.Replace(relay, "ngx-local-relay", "FMLE", 1),
	} {
		if ev, err := decode(pretender + call); err != nil || ev.Relay {
			t.Errorf("%s: %+v %v", name, ev, err)
		}
	}
}

func TestNamesAreDecodedOnceAndNotShortened(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"room1": "room1", "a+b": "a+b", "a%2Bb": "a+b", "a%2520b": "a%20b", "x.flv": "x.flv", "%E6%88%BF": "房", "a=b": "a=b", "": "",
	} {
		ev, err := decode(session + "&call=publish&name=" + raw + "&type=live")
		if err != nil || ev.Stream.Name != want {
			t.Errorf("%q became %q, want %q (%v)", raw, ev.Stream.Name, want, err)
		}
	}
}

func TestOldVersionsWithoutEpochAndTimestamp(t *testing.T) {
	t.Parallel()
	for body, query := range map[string]string{
		head + "&call=connect&tok=1":                            "tok=1",
		session + "&call=update_play&time=30&name=room1&tok=1":  "tok=1",
		session + "&call=record_done&name=room1&path=r.flv&t=1": "t=1",
	} {
		if ev, err := decode(body); err != nil || ev.Query != query {
			t.Errorf("%s: %+v %v", body, ev, err)
		}
	}
}

// TestGetMethodIsNotSupported documents a choice: the fields of "notify_method
// get" come in the URL, where they break a query that is already there.
func TestGetMethodIsNotSupported(t *testing.T) {
	t.Parallel()
	for _, e := range load(t, "11-get-method").Events {
		if e.Request.Method != "GET" || e.Request.Body != "" {
			t.Fatalf("not what the capture was about: %+v", e)
		}
		if ev, err := decode(e.Request.Body); err == nil {
			t.Errorf("nothing became %+v", ev)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range recorded() {
		for _, e := range load(f, name).Events {
			f.Add(e.Request.Body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		ev, err := decode(body)
		if err != nil {
			if ev != (media.Event{}) {
				t.Errorf("an event in spite of %v: %+v", err, ev)
			}
			return
		}
		if (ev.Action == media.Connecting) != (ev.ClientID == "") || ev.Serial < 0 {
			t.Errorf("client %q, serial %d of a %s", ev.ClientID, ev.Serial, ev.Action)
		}
		if (ev.Action == media.Updated) != (ev.On != "") {
			t.Errorf("%s on %q", ev.Action, ev.On)
		}
		again, err := decode(body + "&call=play&name=evil&clientid=1&app=evil")
		if err != nil {
			t.Fatalf("a client's query spoils it: %v", err)
		}
		// A name may be missing where it is empty: see TestNameIsLeftOutWhereItIsEmpty.
		again.Query, again.Stream.Name, again.File = ev.Query, ev.Stream.Name, ev.File
		if again != ev {
			t.Errorf("a client's query changes\n%+v into\n%+v", ev, again)
		}
	})
}
