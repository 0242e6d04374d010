package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// oldestServer is the oldest major version of PostgreSQL that the schema and
// the queries are written for.
const oldestServer = 14

// serverGlobs are where distributions put server binaries: Debian, Red Hat,
// Alpine, Homebrew on either kind of Mac.
var serverGlobs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

var versionPattern = regexp.MustCompile(`\b(\d+)(?:\.|devel|beta|rc|$|\s)`)

// findServer returns the directory of the server binaries: those that made the
// database in data, or the newest where there is none yet.
func findServer(ctx context.Context, data string) (string, error) {
	want, err := dataVersion(data)
	if err != nil {
		return "", err
	}
	best, bestVersion := "", oldestServer-1
	for _, dir := range serverDirs(ctx) {
		version := serverVersion(ctx, dir)
		if want != 0 && version == want {
			return dir, nil
		}
		if version > bestVersion {
			best, bestVersion = dir, version
		}
	}
	if want != 0 {
		return "", fmt.Errorf("%s was made by PostgreSQL %d, whose server binaries are not on this machine", data, want)
	}
	if best == "" {
		return "", fmt.Errorf("no PostgreSQL %d or later on this machine: install it (Debian: apt-get install postgresql), or set STAGEDOOR_DATABASE_URL to a server elsewhere", oldestServer)
	}
	return best, nil
}

// dataVersion returns the major version that made data, zero without one.
func dataVersion(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// serverDirs returns every directory with both programs that we need.
func serverDirs(ctx context.Context) []string {
	var candidates, dirs []string
	for _, pattern := range serverGlobs {
		found, _ := filepath.Glob(pattern) // fails on bad patterns only
		candidates = append(candidates, found...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	for _, dir := range candidates {
		if isExecutable(filepath.Join(dir, "postgres")) && isExecutable(filepath.Join(dir, "initdb")) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// serverVersion returns the major version of the server in dir, or zero.
func serverVersion(ctx context.Context, dir string) int {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	match := versionPattern.FindSubmatch(bytes.TrimSpace(out))
	if match == nil {
		return 0
	}
	version, _ := strconv.Atoi(string(match[1])) // digits
	return version
}

// initDatabase makes the data directory unless it is there. It is made under
// another name and renamed, so that one that exists is whole.
func initDatabase(ctx context.Context, bin string, s site, password string) error {
	if _, err := os.Stat(s.data()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	unfinished := s.data() + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	// A file of that user's, as command lines are public.
	passwordPath := filepath.Join(s.home, "password.new")
	if err := writeFile(passwordPath, password+"\n", s.own); err != nil {
		return err
	}
	defer os.Remove(passwordPath)
	initdb := filepath.Join(bin, "initdb")
	err := runQuietly(s.command(ctx, initdb, "--pgdata="+unfinished, "--username="+privateName,
		"--pwfile="+passwordPath, "--auth=scram-sha-256", "--no-locale", "--encoding=UTF8",
		"--data-checksums", "--no-sync"))
	if err != nil {
		return err
	}
	// One sync at the end costs less than initdb's own between its steps.
	if err := runQuietly(s.command(ctx, initdb, "--pgdata="+unfinished, "--sync-only")); err != nil {
		return err
	}
	return os.Rename(unfinished, s.data())
}

// runQuietly runs cmd and returns its output only as part of an error.
func runQuietly(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, lastLines(out))
	}
	return nil
}

// lastLines returns the end of a program's output, short enough for a log.
func lastLines(out []byte) string {
	const limit = 600
	out = bytes.TrimSpace(out)
	if len(out) > limit {
		out = out[len(out)-limit:]
		if i := bytes.IndexByte(out, '\n'); i >= 0 {
			out = out[i+1:]
		}
	}
	return string(out)
}
