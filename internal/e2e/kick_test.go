package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/nginxrtmp"
)

// KillStream cuts a real publisher and a real player off a real media server,
// whose own callbacks then end the sessions; everybody else stays.
func TestKillStreamCutsOffThoseOnTheStreamAndNobodyElse(t *testing.T) {
	t.Parallel()
	nginx := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": nginx.rtmp, "DEFAULT_POLICY": "open"})
	nginx.start(t, s.url)
	s.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", nginx.statURL())
	for _, scene := range []string{"publish", "play"} {
		s.cli(t, "rule", "create", "--scene", scene, "--application", "live", "--disabled")
	}
	m := s.machine(t)
	url := func(stream string) string {
		return "rtmp://" + strings.Replace(nginx.rtmp, "127.0.0.1", "localhost", 1) + "/live/" + stream
	}
	encoder, other := onAir(t, nginx, "doomed", url("doomed")), onAir(t, nginx, "other", url("other"))
	player := admitted(t, url("doomed"), 2)

	// The number of a client that is long gone may be somebody else's by now.
	n := media.Node{ControlURL: nginx.statURL()}
	stranger := media.Client{ID: firstMatch(nginx.stat(t), `<client><id>(\d+)</id>`), Stream: media.Stream{App: "live"}, Address: "192.0.2.1"}
	if found, err := (nginxrtmp.Client{HTTP: http.DefaultClient}).Kick(t.Context(), n, stranger); found || err != nil {
		t.Fatalf("a client of another address was cut off: %v, %v", found, err)
	}

	began := time.Now()
	m.call(t, "KillStream", `{"Domain":"localhost","App":"live","Stream":"doomed"}`, nil)
	encoder.wait(t)
	player.wait(t)
	eventually(t, "its callbacks have ended the sessions", func() bool { return m.state(t, "localhost", "doomed") == "offline" })
	say(t, "publisher and player cut off, sessions ended after %v", since(began))
	if other.ended() || m.state(t, "localhost", "other") != "online" || !nginx.publishes(t, "other") {
		t.Error("another stream was cut off too")
	}
	m.call(t, "KillStream", `{"Domain":"localhost","App":"live","Stream":"doomed"}`, nil) // once more is no failure
	other.quit(t)
}
