package urlsign

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The configurations that operators have: of one path, of a stream with its
// segments, of a stream in the path, and the old mode.
const nginxConfig = `daemon off; pid DIR/pid; error_log DIR/error.log; worker_processes 1;
events {}
http { access_log off; server { listen ADDR; root DIR/www;
  client_body_temp_path DIR/t1; proxy_temp_path DIR/t2; fastcgi_temp_path DIR/t3; uwsgi_temp_path DIR/t4; scgi_temp_path DIR/t5;
  location ~ ^/live/[^/]+\.flv$ {
    secure_link $arg_md5,$arg_expires;
    secure_link_md5 "$secure_link_expires$uri s3cr3t";
    if ($secure_link = "") { return 403; }
    if ($secure_link = "0") { return 410; } }
  location ~ ^/(?<sl_app>[^/]+)/(?<sl_stream>[A-Za-z0-9_]+)(-[0-9]+)?\.(m3u8|ts)$ {
    secure_link $arg_md5,$arg_expires;
    secure_link_md5 "$secure_link_expires/$sl_app/$sl_stream s3cr3t";
    if ($secure_link = "") { return 403; }
    if ($secure_link = "0") { return 410; } }
  location ~ "^/t/(?<t_md5>[A-Za-z0-9_-]{22})/(?<t_exp>[0-9]+)(?<t_path>/(?<t_app>[^/]+)/(?<t_stream>[A-Za-z0-9_]+)(-[0-9]+)?\.(m3u8|ts))$" {
    secure_link $t_md5,$t_exp;
    secure_link_md5 "$t_exp/$t_app/$t_stream s3cr3t";
    if ($secure_link = "") { return 403; }
    if ($secure_link = "0") { return 410; }
    alias DIR/www$t_path; }
  location /p/ { secure_link_secret s3cr3t; if ($secure_link = "") { return 403; } rewrite ^ /internal/$secure_link; }
  location /internal/ { internal; alias DIR/www/; }
} }
`

// startNginx serves some files behind nginx's own checks and returns its base.
func startNginx(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // not in the path of a plain user
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal("nginx is needed here: make deps-test installs it")
	}
	dir, err := os.MkdirTemp("", "secure-link") // readable to its worker, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"live/cam1.flv", "live/a b.flv", "live/cam1.m3u8", "live/cam1-0.ts", "live/cam2.m3u8"} {
		file := filepath.Join(dir, "www", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// The port is free until somebody else takes it; then there is another.
	for range 5 {
		if base, ok := runNginx(t, program, dir); ok {
			return base
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
	t.Fatalf("nginx does not start:\n%s", log)
	return ""
}

func runNginx(t *testing.T, program, dir string) (base string, ok bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "ADDR", addr).Replace(nginxConfig)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-c", config, "-p", dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			_ = c.Close()
			return "http://" + addr, true
		}
		select {
		case <-ended:
			return "", false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return "", false
}

func status(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// nginx itself judges what we sign: 200, 403 for what is wrong, 410 for what is
// over. What it says of a URL, our own verifier says too.
func TestNginxTakesWhatWeSignAndNothingElse(t *testing.T) {
	t.Parallel()
	base, key := startNginx(t), Key{ID: "k1", Secret: []byte("s3cr3t")}
	stream := "$secure_link_expires/$app/$stream $key"
	for name, c := range map[string]struct {
		scheme string
		o      Options
		path   string
		other  string // a path that the same signature must not open
		also   string // one that it opens too
	}{
		"path":             {"nginx_secure_link_md5", Options{}, "/live/cam1.flv", "/live/a%20b.flv", ""},
		"path, escaped":    {"nginx_secure_link_md5", Options{Expression: "${expires}${uri} ${key}"}, "/live/a%20b.flv", "/live/cam1.flv", ""},
		"stream":           {"nginx_secure_link_md5", Options{Expression: stream}, "/live/cam1.m3u8", "/live/cam2.m3u8", "/live/cam1-0.ts"},
		"stream, in paths": {"nginx_secure_link_md5", Options{Expression: stream, PathPrefix: "/t"}, "/live/cam1.m3u8", "/live/cam2.m3u8", "/live/cam1-0.ts"},
		"old mode":         {"nginx_secure_link_secret", Options{PathPrefix: "/p"}, "/live/cam1.m3u8", "/live/cam2.m3u8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := build(t, c.scheme, c.o)
			target := Target{Scene: Play, App: "live", Stream: strings.TrimSuffix(filepath.Base(c.path), filepath.Ext(c.path)), Path: c.path}
			signed := func(at time.Time) string { return string(AppendURL(nil, s, target, key, SignOptions{Expires: at})) }
			check := func(what, url string, want int) {
				t.Helper()
				if got := status(t, base+url); got != want {
					t.Errorf("%s: %d for %s, want %d", what, got, url, want)
				}
				path, query, _ := strings.Cut(url, "?")
				asked := target
				asked.Path = path
				ours := map[Status]int{Valid: 200, Expired: 410, Absent: 403, Mismatch: 403, Malformed: 403}
				if r := s.Verify(query, asked, []Key{key}, VerifyOptions{Now: time.Now()}); ours[r.Status] != want {
					t.Errorf("%s: we say %s of %s", what, r.Status, url)
				}
			}
			good := signed(time.Now().Add(time.Hour))
			check("right", good, 200)
			check("unsigned", c.path, 403)
			digest := build(t, c.scheme, c.o).(*hashed).digest
			sign := regexpDigest(good, digest.length())
			changed := strings.Replace(good, sign, flip(sign), 1)
			check("changed", changed, 403)
			if got := status(t, base+strings.Replace(good, c.path, c.other, 1)); got != 403 {
				t.Errorf("opens %s: %d", c.other, got)
			}
			if c.also != "" {
				if got := status(t, base+strings.Replace(good, c.path, c.also, 1)); got != 200 {
					t.Errorf("does not open %s: %d", c.also, got)
				}
			}
			if c.scheme == "nginx_secure_link_md5" {
				check("over", signed(time.Now().Add(-2*time.Second)), 410)
				check("another secret", string(AppendURL(nil, s, target, Key{ID: "k", Secret: []byte("other")}, SignOptions{Expires: time.Now().Add(time.Hour)})), 403)
			}
		})
	}
}

// regexpDigest finds the one run of that many characters of a digest.
func regexpDigest(url string, length int) string {
	for _, part := range strings.FieldsFunc(url, func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		if len(part) == length {
			return part
		}
	}
	panic(fmt.Sprintf("no digest in %s", url))
}

func flip(digest string) string {
	if digest[0] == 'a' {
		return "b" + digest[1:]
	}
	return "a" + digest[1:]
}
