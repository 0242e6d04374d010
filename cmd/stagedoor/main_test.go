package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// TestMain makes the tests' program the worker that a server of theirs starts, and
// stagedoor where a shell calls it so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == hashCommand || filepath.Base(os.Args[0]) == "stagedoor" {
		main()
	}
	os.Exit(m.Run())
}

// ran is a command that has ended.
type ran struct {
	code           int
	stdout, stderr string
}

// command runs the program in this process, with stdin as its standard input.
func command(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(stdin), &stdout, &stderr)
	return ran{code, stdout.String(), stderr.String()}
}

// installation is a database with the key that opens its secrets, for the
// commands of one test.
type installation struct{ flags []string }

func install(t *testing.T, flags ...string) installation {
	t.Helper()
	return installation{append([]string{"--database-url", dbtest.URL(t), "--data-dir", t.TempDir()}, flags...)}
}

func (i installation) command(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	return command(t, stdin, append(args, i.flags...)...)
}

// ok demands success and returns what was printed.
func (i installation) ok(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	got := i.command(t, stdin, args...)
	if got.code != exitOK || got.stderr != "" {
		t.Fatalf("stagedoor %s: code %d\n%s", strings.Join(args, " "), got.code, got.stderr)
	}
	return got.stdout
}

// decoded runs a command with --json.
func decoded[T any](t *testing.T, i installation, stdin string, args ...string) (v T) {
	t.Helper()
	text := i.ok(t, stdin, append(args, "--json")...)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("stagedoor %s: %v in %s", strings.Join(args, " "), err, text)
	}
	return v
}

// says runs a command that tells in one line what it has done.
func (i installation) says(t *testing.T, want string, args ...string) {
	t.Helper()
	if got := i.ok(t, "", args...); got != want+"\n" {
		t.Errorf("stagedoor %s says %q, want %q", strings.Join(args, " "), got, want)
	}
}

// fails demands an exit code and a word of explanation.
func (i installation) fails(t *testing.T, code int, word, stdin string, args ...string) {
	t.Helper()
	got := i.command(t, stdin, args...)
	if got.code != code || !strings.Contains(got.stderr, word) || got.stdout != "" {
		t.Errorf("stagedoor %s: code %d, want %d and %q\n%s%s", strings.Join(args, " "), got.code, code, word, got.stdout, got.stderr)
	}
}

// variables are the settings' names in the environment, in the order of
// --help.
func variables() (names []string) {
	for f := range reflect.TypeFor[config.Config]().Fields() {
		names = append(names, variableOf(f))
	}
	return names
}

func TestHelpListsEverySettingAndCommand(t *testing.T) {
	t.Parallel()
	got := command(t, "", "--help")
	if got.code != exitOK || got.stderr != "" {
		t.Errorf("code %d\n%s", got.code, got.stderr)
	}
	for _, name := range variables() {
		if !strings.Contains(got.stdout, "$"+name) {
			t.Errorf("%s is not in the help", name)
		}
	}
	for _, name := range []string{"serve", "migrate up", "migrate down", "migrate status", "user create", "rule key revoke", "node create", "sign", "version"} {
		if !strings.Contains(got.stdout, "\n  "+name) {
			t.Errorf("%q is not in the help:\n%s", name, got.stdout)
		}
	}
}

func TestBadSettingsAreReportedTogether(t *testing.T) {
	t.Parallel()
	got := command(t, "", "version", "--listen", "nowhere", "--default-policy", "perhaps", "--time-zone", "local", "--master-key", "hunter2")
	if got.code != exitUsage || got.stdout != "" {
		t.Errorf("code %d\n%s", got.code, got.stdout)
	}
	for _, name := range []string{"LISTEN", "DEFAULT_POLICY", "TIME_ZONE", "MASTER_KEY"} {
		if !strings.Contains(got.stderr, "STAGEDOOR_"+name+":") {
			t.Errorf("%s is not reported:\n%s", name, got.stderr)
		}
	}
	if strings.Contains(got.stderr, "hunter2") {
		t.Errorf("a secret is in the report:\n%s", got.stderr)
	}
}

func TestUnknownCommandsAndFlagsAreUsageErrors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"dance"}, {"--dance"}, {"rule", "create"}, {"rule", "key", "set", "1", "k", "gone"}, {"migrate", "down"}} {
		got := command(t, "", args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, "--help") {
			t.Errorf("%v: code %d\n%s", args, got.code, got.stderr)
		}
	}
}

func TestVersionNeedsNoDatabase(t *testing.T) {
	t.Parallel()
	got := command(t, "", "version", "--json")
	var v struct{ Version, Go string }
	if err := json.Unmarshal([]byte(got.stdout), &v); err != nil || v.Version == "" || !strings.HasPrefix(v.Go, "go") {
		t.Errorf("%v in %s", err, got.stdout)
	}
	if text := command(t, "", "version"); text.code != exitOK || !strings.HasPrefix(text.stdout, "VERSION") {
		t.Errorf("code %d, %q", text.code, text.stdout)
	}
}
