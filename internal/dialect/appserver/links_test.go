package appserver

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// client is what a media server would report of somebody who uses a URL.
func client(t *testing.T, action media.Action, text string) media.Event {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	app, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return media.Event{Action: action, Node: "local", ClientID: "1", Address: "192.0.2.1", Host: u.Hostname(), Query: u.RawQuery,
		Stream: media.Stream{Vhost: media.DefaultVhost, App: app, Name: media.CanonicalName(name)}}
}

func (b *bench) decide(t *testing.T, action media.Action, text string) access.Decision {
	t.Helper()
	return b.access.Decide(t.Context(), b.clock.now(), client(t, action, text))
}

func TestURLsOfARoomOpenItsStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.createLink(t)
	cases := map[string]media.Action{
		r.Push.RTMP: media.Publishing, r.Push.SRT: media.Publishing,
		r.Pull.RTMP: media.Playing, r.Pull.FLV: media.Playing, r.Pull.HLS: media.Playing,
		r.Link.CDN.RTMP: media.Playing, r.Link.CDN.FLV: media.Playing, r.Link.CDN.HLS: media.Playing,
	}
	for text, action := range cases {
		if d := b.decide(t, action, text); !d.Allow {
			t.Errorf("%s %s: %s", action, text, d.Reason)
		}
	}
}

func TestTamperedURLsOpenNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, other := b.create(t, ""), b.create(t, "")
	cases := []struct {
		name   string
		action media.Action
		url    string
		want   media.Reason
	}{
		{"play URL at the publish door", media.Publishing, strings.Replace(r.Pull.RTMP, "pull.", "push.", 1), media.SignatureMismatch},
		{"another stream", media.Publishing, strings.Replace(r.Push.RTMP, r.ID, other.ID, 1), media.SignatureMismatch},
		{"later expiry", media.Playing, strings.Replace(r.Pull.RTMP, "1700000000", "1800000000", 1), media.SignatureMismatch},
		{"one digit of the hash", media.Playing, flip(r.Pull.RTMP), media.SignatureMismatch},
		{"no signature", media.Playing, r.Pull.RTMP[:strings.IndexByte(r.Pull.RTMP, '?')], media.NoCredential},
		{"cut off", media.Playing, r.Pull.RTMP[:len(r.Pull.RTMP)-20], media.SignatureMalformed},
	}
	for _, c := range cases {
		if d := b.decide(t, c.action, c.url); d.Allow || d.Reason != c.want {
			t.Errorf("%s: allow %v, %s, want %s", c.name, d.Allow, d.Reason, c.want)
		}
	}
}

func flip(text string) string {
	last := text[len(text)-1]
	if last == '0' {
		return text[:len(text)-1] + "1"
	}
	return text[:len(text)-1] + "0"
}

func TestURLsEndWithTheirTimeAndTheirRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	b.act(t, "stop", b.alice, r.ID).want(t, 200)
	if d := b.decide(t, media.Publishing, r.Push.RTMP); d.Allow || d.Reason != media.RoomEnded {
		t.Errorf("publishing to an ended room: %+v", d)
	}
	if d := b.decide(t, media.Playing, r.Pull.RTMP); !d.Allow {
		t.Errorf("playing an ended room: %s", d.Reason)
	}
	deleted := b.create(t, "")
	b.act(t, "delete", b.alice, deleted.ID).want(t, 200)
	if d := b.decide(t, media.Publishing, deleted.Push.RTMP); d.Allow {
		t.Error("a deleted room takes a publisher")
	}
	b.clock.advance(linkTTL + 1e9)
	if d := b.decide(t, media.Playing, r.Pull.RTMP); d.Allow || d.Reason != media.SignatureExpired {
		t.Errorf("an expired URL: %+v", d)
	}
}

func TestLowLatencyURLsAreThereWhereTheyAreOffered(t *testing.T) {
	t.Parallel()
	b := setup(t, func(b *bench) { b.rooms.Links.RTS = true })
	r := b.create(t, "")
	if !strings.HasPrefix(r.Push.RTS, "artc://push.example.com/live/"+r.ID+"?auth_key=1700000000-0-0-523b274c") {
		t.Errorf("push %s", r.Push.RTS)
	}
	if !strings.HasPrefix(r.Pull.RTS, "artc://pull.example.com/live/"+r.ID+"?auth_key=1700000000-0-0-6dc962cc") {
		t.Errorf("pull %s", r.Pull.RTS)
	}
}
