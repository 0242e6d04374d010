package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

const rtmpModule = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

// mediaServer is nginx with its RTMP module.
type mediaServer struct {
	rtmp, web string // host:port
	release   func()
	dir       string
	proc      *process
	// conf is another configuration than that of a media server, by what base
	// and folder are.
	conf func(base, dir string) string
}

// newMediaServer chooses the ports, so that the server can be told of them
// before the media server is told of the server.
func newMediaServer(t *testing.T) *mediaServer {
	t.Helper()
	ports, release := addresses(t, 2)
	return &mediaServer{rtmp: ports[0], web: ports[1], release: release}
}

func (m *mediaServer) statURL() string   { return "http://" + m.web + "/stat" }
func (m *mediaServer) recordURL() string { return "http://" + m.web + "/rec/{file}" }

// start runs nginx with its callbacks at base.
func (m *mediaServer) start(t *testing.T, base string) {
	t.Helper()
	if _, err := os.Stat(rtmpModule); err != nil {
		t.Fatalf("nginx has no RTMP module (%v): 'make deps-test' installs what the tests need", err)
	}
	m.dir = t.TempDir()
	if err := os.Chmod(filepath.Dir(m.dir), 0o711); err != nil {
		t.Fatal(err)
	}
	cred := unprivileged(t)
	for _, name := range []string{"logs", "tmp", "rec"} {
		sub := filepath.Join(m.dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if cred == nil {
			continue
		}
		if err := os.Chown(sub, int(cred.Uid), int(cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(m.dir, "nginx.conf"), []byte(m.config(base)), 0o644); err != nil {
		t.Fatal(err)
	}
	m.release()
	m.run(t, cred)
}

// crash ends nginx without a word to anybody and starts it again.
func (m *mediaServer) crash(t *testing.T) {
	t.Helper()
	m.proc.signal(syscall.SIGKILL)
	m.proc.wait(t)
	m.run(t, unprivileged(t))
}

func (m *mediaServer) run(t *testing.T, cred *syscall.Credential) {
	t.Helper()
	var printed lockedBuffer
	cmd := exec.Command(need(t, "nginx"), "-p", m.dir, "-e", "stderr", "-c", filepath.Join(m.dir, "nginx.conf"))
	cmd.Dir, cmd.Stderr = m.dir, &printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	m.proc = launch(t, cmd, syscall.SIGKILL)
	eventually(t, "nginx listens", func() bool {
		if m.proc.ended() {
			t.Fatalf("nginx ended: %v\n%s", m.proc.err, &printed)
		}
		conn, err := net.Dial("tcp", m.rtmp)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// accepted says how many RTMP connections there have been.
func (m *mediaServer) accepted(t *testing.T) int {
	t.Helper()
	page := m.stat(t)
	n, err := strconv.Atoi(firstMatch(page, `<naccepted>(\d+)</naccepted>`))
	if err != nil {
		t.Fatalf("%v in %s", err, page)
	}
	return n
}

// publishes says whether a stream has a publisher that was let in.
func (m *mediaServer) publishes(t *testing.T, stream string) bool {
	t.Helper()
	return firstMatch(m.stat(t), `(?s)<stream>\s*(<name>`+stream+`</name>.*?<publishing/>)`) != ""
}

func (m *mediaServer) stat(t *testing.T) string {
	t.Helper()
	resp, err := http.Get(m.statURL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// unprivileged is whom root runs nginx as; nil for everybody else.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if uidErr != nil || gidErr != nil {
		t.Fatalf("user nobody has no numbers: %v, %v", uidErr, gidErr)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (m *mediaServer) config(base string) string {
	if m.conf != nil {
		return m.conf(base, m.dir)
	}
	hook := base + "/callback/nginx-rtmp"
	return fmt.Sprintf(`load_module %[1]s;
worker_processes 1; daemon off; master_process off; pid logs/nginx.pid; error_log logs/error.log;
events { worker_connections 256; }
rtmp {
  access_log off;
  server {
    listen %[2]s; netcall_timeout 10s;
    application live {
      live on;
      on_publish      %[3]s;
      on_publish_done %[3]s;
      on_play         %[3]s;
      on_play_done    %[3]s;
      on_record_done  %[3]s;
      recorder all { record all; record_path %[4]s/rec; record_unique on; record_suffix .flv; }
    }
  }
}
http {
  access_log off;
  client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
  server {
    listen %[5]s;
    location /stat { rtmp_stat all; }
    location /control { rtmp_control all; }
    location /rec/ { alias %[4]s/rec/; }
  }
}
`, rtmpModule, m.rtmp, hook, m.dir, m.web)
}
