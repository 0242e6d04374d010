package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A real nginx asks for every file of a real HLS stream, with the very lines
// that the program prints for it.
func TestAnEdgeServesThePlaylistAndItsSegmentsToWhomItAdmits(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	lines := s.cli(t, "node", "create", "edge", "--kind", "nginx")
	edge := newMediaServer(t)
	edge.conf = func(_, dir string) string { return edgeConfig(edge, dir, lines) }
	edge.start(t, s.url)
	for _, stream := range []string{"room1", "room2"} {
		edge.record(t, stream)
	}
	admin := s.logIn(t)
	pair := admin.createToken(t, "room1")
	token := pair.PlayToken
	base := "http://" + edge.web

	browser := newBrowser(t)
	browser.wants(t, http.StatusForbidden, base+"/live/room1.m3u8")
	browser.wants(t, http.StatusForbidden, base+"/live/room1-0.ts")
	browser.wants(t, http.StatusForbidden, base+"/live/room1.m3u8?token=guess")
	browser.wants(t, http.StatusOK, base+"/live/room1.m3u8?token="+token)
	browser.wants(t, http.StatusOK, base+"/live/room1-0.ts")
	browser.wants(t, http.StatusOK, base+"/live/room1.m3u8")
	browser.wants(t, http.StatusForbidden, base+"/live/room2-0.ts")
	browser.wants(t, http.StatusForbidden, base+"/live/room2.m3u8?token="+token)
	browser.wants(t, http.StatusForbidden, base+"/live/%2e%2e/live/room2-0.ts")
	newBrowser(t).wants(t, http.StatusOK, base+"/~token="+token+"/live/room1-0.ts")
	newBrowser(t).wants(t, http.StatusForbidden, base+"/~token="+token+"/live/room2-0.ts")

	for _, url := range []string{base + "/live/room1.m3u8?token=" + token, base + "/~token=" + token + "/live/room1.m3u8"} {
		if frames, _ := probe(t, url); frames == 0 {
			t.Errorf("no picture from %s", url)
		}
	}
	admin.destroyToken(t, pair.Token)
	eventually(t, "the session has ended with the token", func() bool { return browser.get(t, base+"/live/room1-0.ts") == http.StatusForbidden })
	browser.wants(t, http.StatusForbidden, base+"/live/room1.m3u8")
}

// A signature that stands in the path is found where the operator says.
func TestAnEdgeReadsSignaturesInThePath(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.cli(t, "rule", "create", "--scene", "play", "--application", "cdn", "--scheme", "aliyun_b")
	signed := firstMatch(s.cli(t, "sign", "room1", "--application", "cdn"), `https?://[^/\s]+(/\S+\.m3u8)`)
	if strings.Count(signed, "/") != 4 {
		t.Fatalf("signed %q", signed)
	}
	eventually(t, "the rule is known", func() bool { return s.asks(t, signed) == http.StatusOK })
	for uri, want := range map[string]int{signed: http.StatusOK, strings.Replace(signed, "room1", "room2", 1): http.StatusForbidden,
		signed[:len("/202601010000")] + "/" + strings.Repeat("0", 32) + "/cdn/room1.m3u8": http.StatusForbidden, "/cdn/room1.m3u8": http.StatusForbidden} {
		if got := s.asks(t, uri); got != want {
			t.Errorf("%s: status %d, want %d", uri, got, want)
		}
	}
}

// asks is nginx asking for a signature two segments deep.
func (s *server) asks(t *testing.T, uri string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/callback/nginx?skip=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Original-URI", uri)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// record puts a stream into the folder that the edge serves.
func (m *mediaServer) record(t *testing.T, stream string) {
	t.Helper()
	dir := filepath.Join(m.dir, "www", "live")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), need(t, "ffmpeg"), "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15:duration=3",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-pix_fmt", "yuv420p", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0",
		"-hls_segment_filename", filepath.Join(dir, stream+"-%d.ts"), filepath.Join(dir, stream+".m3u8"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func edgeConfig(m *mediaServer, dir, lines string) string {
	return strings.NewReplacer("LISTEN", m.web, "ALSO", m.rtmp, "LINES", lines, "DIR", dir).Replace(`
worker_processes 1; daemon off; master_process off; pid logs/nginx.pid; error_log logs/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
  types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
  server {
    listen LISTEN; listen ALSO; root DIR/www;
LINES
  }
}
`)
}

// browser is a client that keeps cookies.
type browser struct{ http.Client }

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{http.Client{Jar: jar, Timeout: patience}}
}

func (b *browser) get(t *testing.T, url string) (status int) {
	t.Helper()
	resp, err := b.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (b *browser) wants(t *testing.T, want int, url string) {
	t.Helper()
	if got := b.get(t, url); got != want {
		t.Errorf("%s: status %d, want %d", url, got, want)
	}
}
