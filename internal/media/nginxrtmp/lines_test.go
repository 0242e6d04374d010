package nginxrtmp

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

const somebody = "7d0f3c5e91a2b4c6d8e0f1a3b5c7d9e1f2a4b6c8"

var setups = map[string]media.Setup{
	"the local node": {Base: "http://127.0.0.1:8080", Callers: []netip.Addr{netip.MustParseAddr("127.0.0.1")}},
	"an edge": {Base: "http://10.0.0.2:8080", Node: "edge", Secret: somebody, App: "live", ControlURL: "http://10.0.0.5:8081/stat",
		Callers: []netip.Addr{netip.MustParseAddr("10.0.0.2")}},
	"IPv6":            {Base: "http://[2001:db8::2]:8080", Secret: somebody, ControlURL: "http://[2001:db8::5]:8081/rtmp/stat", Callers: []netip.Addr{netip.MustParseAddr("2001:db8::2")}},
	"a name":          {Base: "http://10.0.0.2:8080", Secret: somebody, ControlURL: "http://edge.example.com/stat"},
	"behind a proxy":  {Base: "http://10.0.0.2:8080", Secret: somebody, ControlURL: "https://edge.example.com/stat"},
	"a strange path":  {Base: "http://10.0.0.2:8080", Secret: somebody, ControlURL: "http://10.0.0.5:8081/a;b{c"},
	"no path":         {Base: "http://10.0.0.2:8080", Secret: somebody, ControlURL: "http://10.0.0.5:8081"},
	"a secret to tip": {Base: "http://10.0.0.2:8080", Secret: "a;b}c d", ControlURL: "http://10.0.0.5:8081/stat"},
}

// nginx itself reads the lines as a user would paste them.
func TestNginxAcceptsTheLines(t *testing.T) {
	t.Parallel()
	for name, s := range setups {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			application, http, found := strings.Cut(Lines(s), "\n\n")
			if !found {
				t.Fatalf("one part only:\n%s", Lines(s))
			}
			checkConfiguration(t, application, http)
		})
	}
}

func checkConfiguration(t *testing.T, application, http string) {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"logs", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	conf := fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
pid logs/nginx.pid; error_log stderr;
events { }
rtmp { access_log off; server { listen 127.0.0.1:31935; application live { live on;
%s
} } }
http { access_log off; client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
%s
}
`, application, http)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // not in the path of a plain user
	}
	out, err := exec.CommandContext(t.Context(), nginx, "-t", "-p", dir, "-e", "stderr", "-c", file).CombinedOutput()
	// Whether its address is one of this machine is not what is tested.
	if err != nil && !strings.Contains(string(out), "Cannot assign requested address") {
		t.Errorf("%v\n%s\n%s", err, out, conf)
	}
}

func TestLinesServeTheControlPagesWhereTheNodeSays(t *testing.T) {
	t.Parallel()
	lines := Lines(setups["IPv6"])
	for _, want := range []string{"application live", "listen [2001:db8::5]:8081;", "location = /rtmp/stat {", "location /rtmp/control {", "allow 2001:db8::2;\n        deny all;\n        rtmp_control all;"} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	if n := strings.Count(lines, "?secret="+somebody+";"); n != 5 {
		t.Errorf("%d callbacks carry the secret:\n%s", n, lines)
	}
	for name, s := range setups {
		if lines := Lines(s); strings.Count(lines, "rtmp_control all;") != strings.Count(lines, "deny all;\n        rtmp_control all;") {
			t.Errorf("%s: anybody may cut off:\n%s", name, lines)
		}
	}
}

func TestLinesWarnOfWhatTheModuleCannotDo(t *testing.T) {
	t.Parallel()
	if lines := Lines(media.Setup{Base: "https://door.example.com", Secret: somebody}); !strings.HasPrefix(lines, "# The module cannot call https") {
		t.Errorf("no warning:\n%s", lines)
	}
}
