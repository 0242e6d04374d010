package e2e

import (
	"fmt"
	"testing"
)

// TestConsolePlaysAStream watches in the console what a real encoder publishes
// to a real media server, and what it tells of it.
func TestConsolePlaysAStream(t *testing.T) {
	t.Parallel()
	m := newMediaServer(t)
	m.conf = m.withHLS
	s := newServer(t, map[string]string{"PUSH_DOMAIN": m.rtmp, "PULL_DOMAIN": m.rtmp, "HTTP_PULL_DOMAIN": m.web, "PULL_SCHEME": "http"})
	m.start(t, s.url)
	room := s.logIn(t).createRoom(t, "on air")
	p := newTab(t, s.url, desk)
	p.origins = []string{"http://" + m.web}
	p.expect("404 (Not Found) http://" + m.web) // before the first segment
	p.logIn("admin", s.password)
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
}

func (m *mediaServer) withHLS(base, dir string) string {
	hook := base + "/callback/nginx-rtmp"
	return fmt.Sprintf(`load_module %[1]s;
worker_processes 1; daemon off; master_process off; pid logs/nginx.pid; error_log logs/error.log;
events { worker_connections 256; }
rtmp {
  access_log off;
  server {
    listen %[2]s; netcall_timeout 10s;
    application live {
      live on; hls on; hls_path %[4]s/rec; hls_fragment 1s; hls_playlist_length 8s;
      on_publish      %[3]s;
      on_publish_done %[3]s;
    }
  }
}
http {
  access_log off;
  client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
  server {
    listen %[5]s;
    location /live/ {
      alias %[4]s/rec/;
      types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
      add_header Access-Control-Allow-Origin %[6]s always;
      add_header Cache-Control no-store always;
    }
  }
}
`, rtmpModule, m.rtmp, hook, dir, m.web, base)
}
