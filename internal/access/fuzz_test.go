package access

import (
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// What a client sends is admitted only with one of the four secrets in it, for
// the stream that they are for.
func FuzzDecide(f *testing.F) {
	b := doors(f)
	pub, view := sign(urlsign.Publish, "publish-secret", "x", urlsign.SignOptions{}), sign(urlsign.Play, "play-secret", "x", urlsign.SignOptions{})
	for _, query := range []string{"", "token=tokenPub", "?token=tokenPub?token=tokenPub", "play_token=tokenPlay", pub, view, "token=&" + pub,
		"sd=p2-1-k1-AAAAAAAAAAAAAAAAAAAAAA", "token=%", "token=%zz&sd=%00", "auth_key=1-0-0-d41d8cd98f00b204e9800998ecf8427e",
		strings.Repeat("token=a&", 500), "token=eyJ.eyJ.A", "token=" + strings.Repeat("%61", 2000), "&&&===???", "\x00\xff=token"} {
		for _, publishing := range []bool{true, false} {
			f.Add(query, "x", "live", "push.example", "192.0.2.7", "rtmp", publishing)
		}
	}
	f.Add("token=tokenPub", "x?y", "live/../live", "[::1", "::ffff:192.0.2.7%x", "hls", true)
	f.Fuzz(func(t *testing.T, query, name, app, host, address, protocol string, publishing bool) {
		e := media.Event{Action: media.Playing, Stream: media.Stream{App: app, Name: name}, Host: host, Address: address, Protocol: protocol, Query: query}
		secrets := []string{"tokenPub", "tokenPlay", strings.TrimPrefix(view, "sd=")}
		if publishing {
			e.Action, secrets = media.Publishing, []string{"tokenPub", strings.TrimPrefix(pub, "sd=")}
		}
		d := b.decide(start, &e, false, nobody{}.Holder)
		if again := b.decide(start, &e, false, nobody{}.Holder); again != d {
			t.Fatalf("two answers: %+v and %+v", d, again)
		}
		if d.Reason == "" || d.Allow != (d.Reason == media.Allowed) {
			t.Fatalf("decision %+v", d)
		}
		if !d.Allow {
			return
		}
		if name != "x" || app != "live" {
			t.Fatalf("%s/%s?%s is admitted", app, name, query)
		}
		for _, param := range []string{"token", "play_token", "sd"} {
			value, _, _ := urlsign.Param(query, param)
			for _, secret := range secrets {
				if value == secret {
					return
				}
			}
		}
		t.Fatalf("%q is admitted without a secret", query)
	})
}
