package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// messages is a slog handler that hands out what is logged.
type messages struct {
	slog.Handler
	seen chan string
}

func (m messages) Handle(ctx context.Context, r slog.Record) error {
	m.seen <- r.Message
	return m.Handler.Handle(ctx, r)
}

func (m messages) waitFor(t *testing.T, want string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case got := <-m.seen:
			if got == want {
				return
			}
		case <-timeout:
			t.Fatalf("%q was not logged", want)
		}
	}
}

// privateConfig returns the configuration of a database in a directory that
// every user can enter, which a test's own is not, and in memory where there
// is such a thing.
func privateConfig(t *testing.T) (PrivateConfig, messages) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "stagedoor-test-")
	if err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	} else {
		dir = t.TempDir()
		err = os.Chmod(filepath.Dir(dir), 0o711)
	}
	if err := errors.Join(err, os.Chmod(dir, 0o711)); err != nil {
		t.Fatal(err)
	}
	log := messages{slog.NewTextHandler(t.Output(), nil), make(chan string, 1000)}
	return PrivateConfig{Dir: filepath.Join(dir, "data"), Log: slog.New(log), Elsewhere: filepath.Join(dir, "elsewhere"), NoSync: true}, log
}

func startPrivate(t *testing.T, config PrivateConfig) *Private {
	t.Helper()
	p, err := StartPrivate(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopPrivate(t, p) })
	return p
}

// stopPrivate may be called twice.
func stopPrivate(t *testing.T, p *Private) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func queryString(t *testing.T, url, sql string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(t.Context(), conn)
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// keepValue stores something that assertKept finds.
func keepValue(t *testing.T, p *Private) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(t.Context(), conn)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'value' AS v"); err != nil {
		t.Fatal(err)
	}
}

func assertKept(t *testing.T, p *Private) {
	t.Helper()
	if got := queryString(t, p.URL(), "SELECT v FROM kept"); got != "value" {
		t.Errorf("kept: %q", got)
	}
}

// serverPid returns the process id of the running server, zero without one.
func serverPid(config PrivateConfig) int {
	s, err := existingSite(config)
	if err != nil {
		return 0
	}
	return readPid(s.data())
}

func assertStopped(t *testing.T, config PrivateConfig) {
	t.Helper()
	if pid := serverPid(config); pid != 0 {
		t.Errorf("a server still runs: %d", pid)
	}
}

func TestPrivateKeepsItsDataBetweenStarts(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	config.NoSync = false
	begin := time.Now()
	first := startPrivate(t, config)
	t.Logf("first start: %v", time.Since(begin))
	if got := queryString(t, first.URL(), "SELECT current_setting('fsync') || current_setting('data_checksums') || current_setting('listen_addresses')"); got != "onon" {
		t.Errorf("fsync, checksums and addresses: %q", got)
	}
	keepValue(t, first)
	stopPrivate(t, first)
	assertStopped(t, config)

	begin = time.Now()
	second := startPrivate(t, config)
	t.Logf("second start: %v", time.Since(begin))
	if first.URL() != second.URL() {
		t.Error("the URL changed")
	}
	assertKept(t, second)
}

func TestPrivateKeepsItsPasswordToItself(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	startPrivate(t, config)
	password, err := readPassword(config.Dir)
	if err != nil || len(password) < 20 {
		t.Fatalf("password %q, %v", password, err)
	}
	info, err := os.Stat(filepath.Join(config.Dir, passwordFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(config.Dir, "*", "password*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	log, err := os.ReadFile(logPath(config))
	if err != nil || bytes.Contains(log, []byte(password)) {
		t.Errorf("the log holds the password (%v)", err)
	}
	// Nobody gets in without it.
	s, err := existingSite(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := ping(t.Context(), s.url("wrong")); !isRefusal(err) {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestPrivateStartsInADirectoryTooDeepForASocket(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	config.Dir = filepath.Join(config.Dir, strings.Repeat("deep", 25))
	p := startPrivate(t, config)
	s, err := existingSite(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := ping(t.Context(), p.URL()); err != nil {
		t.Error(err)
	}
	stopPrivate(t, p)
	if _, err := os.Stat(s.sockets()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", s.sockets(), err)
	}
}

func TestPrivateIsStartedAgainWhenItDies(t *testing.T) {
	t.Parallel()
	config, log := privateConfig(t)
	config.NoSync = false
	p := startPrivate(t, config)
	keepValue(t, p)
	for range 2 {
		old := serverPid(config)
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		log.waitFor(t, "private PostgreSQL runs")
		t.Logf("healed in %v", time.Since(begin))
		if serverPid(config) == old {
			t.Error("the same process id")
		}
		assertKept(t, p)
	}
}

func TestPrivateIgnoresAPidFileOfAnotherProcess(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	stopPrivate(t, startPrivate(t, config))
	s, err := existingSite(config)
	if err != nil {
		t.Fatal(err)
	}
	// As in a container that was started again: the number is somebody's.
	stale := fmt.Sprintf("%d\n%s\n1\n5432\n%s\n\n", os.Getpid(), s.data(), s.sockets())
	for _, left := range []string{stale, ""} { // or what a full disk left of it
		if err := os.WriteFile(filepath.Join(s.data(), "postmaster.pid"), []byte(left), 0o644); err != nil {
			t.Fatal(err)
		}
		p := startPrivate(t, config)
		if err := ping(t.Context(), p.URL()); err != nil {
			t.Error(err)
		}
		stopPrivate(t, p)
	}
}

func TestPrivateBeginsAgainAfterAnInterruptedFirstStart(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := StartPrivate(interrupted, config); !errors.Is(err, context.Canceled) {
		t.Fatalf("StartPrivate = %v, want context.Canceled", err)
	}
	assertStopped(t, config)
	// What a kill in the middle of initdb leaves.
	home := filepath.Join(config.Dir, "postgres")
	if err := os.MkdirAll(filepath.Join(home, "data.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	startPrivate(t, config)
	if _, err := os.Stat(filepath.Join(home, "data.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unfinished directory is still there: %v", err)
	}
}

func TestPrivateStopsTheHardWayWhenTimeIsUp(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	p := startPrivate(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Whichever comes first, the end or the context, nothing is left.
	if err := p.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s, err := existingSite(config)
	if err != nil {
		t.Fatal(err)
	}
	if findPostmaster(s) != nil {
		t.Error("the server still runs")
	}
	startPrivate(t, config) // recovers
}

func TestPrivateLivesElsewhereWhenItsUserCannotEnter(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs PostgreSQL as somebody else")
	}
	config, _ := privateConfig(t)
	closed := filepath.Join(filepath.Dir(config.Dir), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	config.Dir = filepath.Join(closed, "data")
	first := startPrivate(t, config)
	keepValue(t, first)
	home, err := knownHome(config.Dir)
	if err != nil || filepath.Dir(home) != config.Elsewhere {
		t.Fatalf("the location file names %q, %v, want something in %s", home, err, config.Elsewhere)
	}
	stopPrivate(t, first)
	second := startPrivate(t, config)
	assertKept(t, second)
	stopPrivate(t, second)

	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	if _, err := StartPrivate(t.Context(), config); err == nil || !strings.Contains(err.Error(), locationFile) {
		t.Errorf("without its database: %v, want an error that names the file", err)
	}
	// A directory that was removed and made again has no old database.
	if err := os.RemoveAll(config.Dir); err != nil {
		t.Fatal(err)
	}
	third := startPrivate(t, config)
	if got := queryString(t, third.URL(), "SELECT count(*)::text FROM pg_tables WHERE tablename = 'kept'"); got != "0" {
		t.Error("a new data directory holds old tables")
	}
}

func TestPrivateRefusesADatabaseWithoutItsPassword(t *testing.T) {
	t.Parallel()
	config, _ := privateConfig(t)
	stopPrivate(t, startPrivate(t, config))
	if err := os.Remove(filepath.Join(config.Dir, passwordFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := StartPrivate(t.Context(), config); err == nil || !strings.Contains(err.Error(), passwordFile) {
		t.Errorf("StartPrivate = %v, want an error that names the file", err)
	}
	assertStopped(t, config)
}

func TestPrivateRefusesADatabaseOfAMissingServerVersion(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := findServer(t.Context(), data); err == nil || !strings.Contains(err.Error(), "PostgreSQL 8") {
		t.Errorf("findServer = %v, want an error that names the version", err)
	}
}

func TestSocketPathsFitEverySystem(t *testing.T) {
	t.Parallel()
	short, long := site{home: "/srv/stagedoor/postgres"}, site{home: "/" + strings.Repeat("x", 90)}
	if got := short.sockets(); got != "/srv/stagedoor/postgres/run" {
		t.Errorf("short: %s", got)
	}
	if got := filepath.Join(long.sockets(), ".s.PGSQL.5432"); len(got) > maxSocketPath {
		t.Errorf("long: %s", got)
	}
	if (site{home: long.home + "y"}).sockets() == long.sockets() {
		t.Error("two sites share a socket directory")
	}
}

func TestServerCommandsInheritNoSecrets(t *testing.T) {
	t.Setenv("STAGEDOOR_MASTER_KEY", "secret")
	cmd := site{home: t.TempDir()}.command(t.Context(), "/usr/bin/env")
	out, err := cmd.Output()
	if err != nil || bytes.Contains(out, []byte("STAGEDOOR")) {
		t.Errorf("environment: %s, %v", out, err)
	}
}

func TestFileLockIsExclusiveOrShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	a, b, c := newFileLock(path), newFileLock(path), newFileLock(path)
	try := func(what string, lock func() (bool, error), want bool) {
		t.Helper()
		if got, err := lock(); got != want || err != nil {
			t.Errorf("%s: %t, %v, want %t", what, got, err, want)
		}
	}
	try("first", a.tryExclusive, true)
	try("again", a.tryExclusive, true)
	try("second", b.tryExclusive, false)
	try("shared beside exclusive", b.tryShared, false)
	a.unlock()
	try("shared", b.tryShared, true)
	try("shared too", c.tryShared, true)
	try("exclusive beside shared", a.tryExclusive, false)
	b.unlock()
	c.unlock()
	try("free again", a.tryExclusive, true)
	a.unlock()
}

func TestLastLinesKeepsTheEnd(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("noise noise noise\n", 100) + "the reason\n"
	if got := lastLines([]byte(long)); len(got) > 600 || !strings.HasSuffix(got, "the reason") || !strings.HasPrefix(got, "noise") {
		t.Errorf("lastLines = %q", got)
	}
}
