package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// server is a running stagedoor with its data directory.
type server struct {
	spec     *spectest.Validator
	data     string
	settings map[string]string
	log      *logBook
	proc     *process
	earlier  int    // records in log from before the last start
	url      string // http://host:port
	release  func() // lets go of the port
	password string // of the first administrator
}

// newServer starts the program on an empty data directory. Settings are names
// without STAGEDOOR_ and their values.
func newServer(t *testing.T, settings map[string]string) *server {
	t.Helper()
	s := prepareServer(t, settings)
	block := s.start(t)
	s.password = passwordIn(block)
	if s.password == "" {
		t.Fatalf("the first start tells no password:\n%s", block)
	}
	return s
}

// prepareServer returns one that has not been started.
func prepareServer(t *testing.T, settings map[string]string) *server {
	t.Helper()
	need(t, "ffmpeg")
	dir := t.TempDir()
	// As root, PostgreSQL and nginx run as others, who must pass through.
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	own, release := addresses(t, 1)
	s := &server{spec: spectest.New(t), log: &logBook{}, release: release, settings: map[string]string{
		"LISTEN": own[0], "DATA_DIR": filepath.Join(dir, "data"), "LOG_FORMAT": "json",
		"ACCOUNT_RATE_LIMIT": "0",
		"RATE_LIMIT":         "0", // all load comes from one address
	}}
	for name, value := range settings {
		s.settings[name] = value
	}
	s.data = s.settings["DATA_DIR"]
	t.Cleanup(func() { s.finish(t) })
	return s
}

// passwordIn finds what a first start prints of the administrator it made.
func passwordIn(block string) string { return firstMatch(block, `(?m)^\s+password\s+(\S+)`) }

func firstMatch(text, pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

func (s *server) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.Getenv("TMPDIR")}
	for name, value := range s.settings {
		env = append(env, "STAGEDOOR_"+name+"="+value)
	}
	return env
}

// start returns when the server serves, with what it printed.
func (s *server) start(t *testing.T) string {
	t.Helper()
	return s.begin(t)()
}

// begin starts the server without waiting for it, which await does.
func (s *server) begin(t *testing.T) (await func() (printed string)) {
	t.Helper()
	before := s.log.count(saying("serving"))
	s.earlier = s.log.count(func(record) bool { return true })
	var printed lockedBuffer
	cmd := exec.Command(os.Getenv(binaryEnv), "serve")
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environment(), &printed, s.log
	s.release()
	s.proc = launch(t, cmd, syscall.SIGTERM)
	return func() string {
		t.Helper()
		eventually(t, "serving", func() bool {
			if s.proc.ended() {
				t.Fatalf("the server ended: %v\n%s", s.proc.err, s.log)
			}
			return s.log.count(saying("serving")) > before
		})
		s.url = "http://" + s.log.last(saying("serving")).text("address")
		return printed.String()
	}
}

// stop asks the server to end and demands that it does so in good order.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.proc.signal(syscall.SIGTERM)
	if code := s.proc.wait(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM: %v\n%s", code, s.proc.err, s.log)
	}
}

// kill ends the server as a crash would.
func (s *server) kill(t *testing.T) {
	t.Helper()
	s.proc.signal(syscall.SIGKILL)
	s.proc.wait(t)
}

// finish stops what still runs and removes what lies outside the directory of
// the test.
func (s *server) finish(t *testing.T) {
	if s.proc != nil && !s.proc.ended() {
		s.stop(t)
	}
	if pid := s.postmaster(); pid != 0 { // its owner was killed
		_ = syscall.Kill(pid, syscall.SIGQUIT)
		eventually(t, "PostgreSQL has ended", func() bool { return s.postmaster() == 0 })
	}
	if elsewhere, err := os.ReadFile(filepath.Join(s.data, "postgres.location")); err == nil {
		if err := os.RemoveAll(strings.TrimSpace(string(elsewhere))); err != nil {
			t.Error(err)
		}
	}
	if odd := s.log.oddities(); odd != "" {
		t.Errorf("the server wrote:\n%s", odd)
	}
	if t.Failed() {
		t.Logf("log of the server:\n%s", s.log)
	}
}

// postmaster returns the process id of the private PostgreSQL, zero when none
// runs.
func (s *server) postmaster() int {
	home := s.home()
	text, err := os.ReadFile(filepath.Join(home, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(line), home) {
		return 0
	}
	return pid
}

// cli runs a command of the program beside the server and returns its output.
func (s *server) cli(t *testing.T, args ...string) string {
	t.Helper()
	return s.cliReading(t, "", args...)
}

// cliReading does so with something on its standard input.
func (s *server) cliReading(t *testing.T, input string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv(binaryEnv), args...)
	cmd.Env, cmd.Stdin = s.environment(), strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("stagedoor %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// lockedBuffer may be read while a process writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// since rounds for people.
func since(begin time.Time) time.Duration { return time.Since(begin).Round(10 * time.Millisecond) }

// database connects to what the server keeps its record in.
func (s *server) database(t *testing.T) *pgx.Conn {
	t.Helper()
	address := cmp.Or(s.settings["DATABASE_DIRECT_URL"], s.settings["DATABASE_URL"])
	if address == "" {
		password, err := os.ReadFile(filepath.Join(s.data, "postgres.password"))
		if err != nil {
			t.Fatal(err)
		}
		address = "postgres://stagedoor:" + strings.TrimSpace(string(password)) + "@/stagedoor?host=" + url.QueryEscape(filepath.Join(s.home(), "run"))
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// home is where the private PostgreSQL lives.
func (s *server) home() string {
	if elsewhere, err := os.ReadFile(filepath.Join(s.data, "postgres.location")); err == nil {
		return strings.TrimSpace(string(elsewhere))
	}
	return filepath.Join(s.data, "postgres")
}
