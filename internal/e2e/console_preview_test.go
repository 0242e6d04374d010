package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestConsolePlaysAStream does what the README tells a newcomer, word for word:
// its media server, what a real encoder publishes there watched in the console,
// and the same by the API.
func TestConsolePlaysAStream(t *testing.T) {
	t.Parallel()
	m := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": m.rtmp, "HTTP_PULL_DOMAIN": m.web})
	first := newFirstStream(t, s, m)
	m.conf = func(_, dir string) string { // where the user may write who runs it here
		return strings.NewReplacer("/tmp/first/hls", dir+"/rec", "/tmp/first", dir+"/tmp").Replace(first.conf)
	}
	m.start(t, s.url)
	room := s.logIn(t).createRoom(t, "on air")
	p := newTab(t, s.url, desk)
	p.origins = []string{"http://" + m.web}
	p.expect("404 (Not Found) http://" + m.web) // before the first segment
	p.logIn("admin", s.password)
	p.sees("First steps")
	p.sees("Connect a media server")
	p.look("start-first")
	p.dress("en", "light")
	p.move("/rooms/" + room.ID)
	p.sees("Prepared")
	p.sees("Not on air.")
	publish(t, room.PushURLInfo.RTMPURL)
	p.until(`document.querySelector('h1 .badge.good')`) // by itself
	p.sees("does not tell how the stream is")           // nobody told where to ask it
	p.sees("Published from")
	p.until(fmt.Sprintf(`fetch(%q).then((r) => r.ok, () => false)`, room.PullURLInfo.HLSURL))
	p.click("Play HLS")
	p.until(`document.querySelector('video')?.currentTime > 1 && document.querySelector('video').videoWidth > 0`)
	p.sees("Playing by HLS.")
	p.look("room-live")
	p.dress("en", "light")
	p.move("/")
	p.sees("Stream on air")
	p.until(`!document.body.innerText.includes('First steps')`) // that a media server called back is written down every few seconds
	if out, want := first.run(t, first.api), "1\nh264,320,240\nrefused\n"; out != want {
		t.Errorf("the API's part says %q, want %q", out, want)
	}
}

// firstStream is what the README's chapter of that name has people do, at the
// addresses of a test.
type firstStream struct {
	conf string // of nginx
	api  string // shell
	env  []string
}

func newFirstStream(t *testing.T, s *server, m *mediaServer) firstStream {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	chapter := firstMatch(string(readme), `(?s)\n## The first stream\n(.*?)\n## `)
	chapter = strings.NewReplacer("127.0.0.1:8080", strings.TrimPrefix(s.url, "http://"), "127.0.0.1:1935", m.rtmp, "127.0.0.1:8081", m.web, `"$PUSH" &`, `"$PUSH" >/dev/null &`).Replace(chapter)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(chapter, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of commands in the README", len(blocks))
	}
	// The wait is as long as it has to be here, and the encoder ends with the rest.
	const onAir = `until [ "$(api /api/v1/live/get "{\"id\":\"$ID\",\"user_id\":\"admin\"}" | jq .status)" = 1 ]; do sleep 0.2; done`
	return firstStream{
		conf: firstMatch(blocks[0][1], `(?s)<<'CONF'\n(.*\n)CONF\n`),
		api:  strings.NewReplacer("sleep 3", onAir, "-t 20", "-t 60").Replace(blocks[2][1]) + "kill $(jobs -p)\n",
		env:  append(s.environment(), "PASSWORD="+s.password),
	}
}

func (f firstStream) run(t *testing.T, script string) string {
	t.Helper()
	need(t, "jq")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Env, cmd.Dir = f.env, t.TempDir()
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s\n%s", err, script, out, &complaints)
	}
	return string(out)
}
