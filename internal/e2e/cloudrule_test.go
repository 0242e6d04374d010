package e2e

import (
	"strings"
	"testing"
	"time"
)

// A rule with a cloud vendor's fields and parameter names, made beside a running
// server, opens a real media server to its URLs and to no others, until the
// stream is banned.
func TestURLsOfACloudVendorsKindOpenTheDoor(t *testing.T) {
	t.Parallel()
	nginx := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": nginx.rtmp})
	nginx.start(t, s.url)
	s.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", nginx.statURL())
	for _, scene := range []string{"publish", "play"} {
		s.cli(t, "rule", "create", "--scene", scene, "--application", "live", "--scheme", "volcengine_custom", "--fields", "key,volcTime,Domain,StreamName",
			"--param-signature", "sign", "--param-time", "expire", "--time-base", "16")
	}
	var urls struct{ Push, Play map[string]string }
	decode(t, s.cli(t, "sign", "studio", "--json"), &urls)
	push, pull := urls.Push["rtmp"], urls.Play["rtmp"]
	if !strings.Contains(push, "/live/studio?expire=") || !strings.Contains(pull, "&sign=") {
		t.Fatalf("signed %s and %s", push, pull)
	}
	say(t, "push URL %s", withoutQuery(push)+"?expire=…&sign=…")

	encoder := onAir(t, nginx, "studio", push)
	admitted(t, pull, 3).quit(t)
	s.refuses(t, "play", "live/studio", "signature_mismatch", func() *client { return play(t, laterTime(pull)) })
	s.refuses(t, "play", "live/studio", "signature_mismatch", func() *client { return play(t, push) })
	s.refuses(t, "play", "live/other", "signature_mismatch", func() *client { return play(t, strings.Replace(pull, "studio", "other", 1)) })
	s.refuses(t, "play", "live/studio", "no_credential", func() *client { return play(t, withoutQuery(pull)) })

	s.cli(t, "ban", "add", "studio", "--domain", "127.0.0.1", "--for", "1h")
	began := time.Now()
	banned := refusal("live/studio", "stream_forbidden")
	eventually(t, "players are refused", func() bool { play(t, pull).wait(t); return s.log.count(banned) > 0 })
	eventually(t, "the encoder is cut off", encoder.ended)
	s.refuses(t, "publish", "live/studio", "stream_forbidden", func() *client { return publish(t, push) })
	say(t, "banned: publishers and players refused within %v", since(began))
	s.cli(t, "ban", "remove", "studio", "--domain", "127.0.0.1")
	onAir(t, nginx, "studio", push).quit(t)
}

// laterTime is what somebody tries whose URL has run out: the first digit of
// the time becomes the highest there is.
func laterTime(url string) string {
	i := strings.Index(url, "expire=") + len("expire=")
	return url[:i] + "f" + url[i+1:]
}
