package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func grammar(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := newParser(new(cli), t.Output(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// commandsOf are all commands that --help shows, groups among them.
func commandsOf(n *kong.Node) (all []*kong.Node) {
	all = append(all, n)
	for _, c := range n.Children {
		if !c.Hidden {
			all = append(all, commandsOf(c)...)
		}
	}
	return all
}

func TestTheHelpOfEachCommandEndsWithExamples(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, n := range commandsOf(grammar(t).Model.Node) {
		path := pathOf(n)
		known[path] = true
		if n.Leaf() && len(commandExamples[path]) == 0 {
			t.Errorf("%q has no example", path)
		}
		got := command(t, "", append(strings.Fields(path), "--help")...)
		lines := examplesOf(n)
		end := "\nExamples:\n  " + strings.Join(lines, "\n  ") + "\n"
		if got.code != exitOK || got.stderr != "" || len(lines) > mostExamples || !strings.HasSuffix(got.stdout, end) {
			t.Errorf("stagedoor %s --help: code %d\n%s%s", path, got.code, got.stdout, got.stderr)
		}
		whole := path == "" || path == "serve"
		if strings.Contains(got.stdout, "--database-url=URL") != whole || strings.Contains(got.stdout, "\nExit codes:\n") != whole {
			t.Errorf("the settings are not where they should be in\n%s", got.stdout)
		}
	}
	for path := range commandExamples {
		if !known[path] {
			t.Errorf("examples of %q, which is none", path)
		}
	}
}

// Each example is given to a real shell, in which stagedoor writes down how it was
// called.
func TestExamplesAreUnderstood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, lines := range commandExamples {
		for _, line := range lines {
			// Files that are redirected from and to are those of another machine.
			line = strings.NewReplacer("</run/secrets/", "<"+dir+"/", " >/etc/", " >"+dir+"/", " >\"${fpath", " >\""+dir+"/${fpath", " >~/", " >"+dir+"/").Replace(line)
			args := calls(t, dir, line)
			if len(args) != 1 {
				t.Errorf("%s: stagedoor is called %d times", line, len(args))
				continue
			}
			parsed, err := grammar(t).Parse(args[0])
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			if got := pathOf(parsed.Selected()); got != path && path != "" {
				t.Errorf("%s is of %q, not of %q", line, got, path)
			}
		}
	}
}

// calls runs a line of shell with nothing but stagedoor to call, and returns the
// arguments of each call.
func calls(t *testing.T, dir, line string) (all [][]string) {
	t.Helper()
	for _, name := range []string{"bash_completion.d/stagedoor", ".config/fish/completions/stagedoor.fish", "encoder", "alice", "cdn-key", "edge1", "_stagedoor"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `fpath=(. .); openssl() { :; }; jq() { cat; }; tee() { cat; }; systemctl() { :; }
stagedoor() { printf '%s\0' "$@" end-of-call >&3; }
`+line)
	cmd.Env, cmd.Dir = nil, dir
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{w}
	out, err := cmd.CombinedOutput()
	_ = w.Close() // the shell has its own
	if err != nil || len(out) > 0 {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	text := make([]byte, 4096)
	n, _ := r.Read(text) // nothing was called where there is nothing
	var args []string
	for _, word := range strings.Split(strings.TrimSuffix(string(text[:n]), "\x00"), "\x00") {
		if word == "end-of-call" {
			all, args = append(all, args), nil
			continue
		}
		args = append(args, word)
	}
	return all
}

func TestWhatCannotBeUnderstoodSaysWhereToLook(t *testing.T) {
	t.Parallel()
	for help, args := range map[string][]string{"stagedoor rule create": {"rule", "create"}, "stagedoor rule key": {"rule", "key"}, "stagedoor": {"--dance"}} {
		if got := command(t, "", args...); got.code != exitUsage || !strings.Contains(got.stderr, "Run "+help+" --help for usage.") {
			t.Errorf("%v: code %d\n%s", args, got.code, got.stderr)
		}
	}
}

func TestReadmeListsTheExitCodes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for code, meaning := range exitCodes {
		table.WriteString("| " + string(rune('0'+code)) + " | " + meaning + " |\n")
	}
	if !strings.Contains(string(readme), table.String()) {
		t.Errorf("README.md does not have this list of exit codes:\n%s", &table)
	}
}

// Names of streams and clients are whatever somebody sends to a media server.
func TestTablesHaveNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	e := &env{stdout: &out}
	if err := e.print(nil, "A B", [][]string{{"\x1b]0;owned\a", "a\tb\nc"}, {"房间 1", "é"}}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.ContainsAny(got, "\x1b\a\t") || strings.Count(got, "\n") != 3 || !strings.Contains(got, "房间 1") {
		t.Errorf("printed %q", got)
	}
}

func TestEachExitCodeIsGivenByACommand(t *testing.T) {
	t.Parallel()
	i := install(t)
	away := installation{[]string{"--database-url", "postgres://nobody@127.0.0.1:1/none", "--data-dir", t.TempDir()}}
	i.ok(t, "", "node", "create", "edge1", "--kind", "srs", "--control-url", "http://127.0.0.1:1")
	seen := []int{}
	for _, c := range []struct {
		code int
		i    installation
		args []string
	}{
		{exitOK, i, []string{"node", "list"}},
		{exitFailed, i, []string{"explain", "rtmp://push.example.com/live/x"}},
		{exitFailed, i, []string{"health", "--listen", "127.0.0.1:1"}},
		{exitFailed, i, []string{"doctor", "--listen", "127.0.0.1:1", "--public-url", "http://127.0.0.1:1"}},
		{exitUsage, i, []string{"node", "create"}},
		{exitUsage, i, []string{"node", "create", "edge2", "--kind", "toaster"}},
		{exitUsage, i, []string{"node", "list", "--log-level", "loud"}},
		{exitNotFound, i, []string{"node", "get", "edge2"}},
		{exitConflict, i, []string{"node", "create", "edge1"}},
		{exitUnreachable, away, []string{"node", "list"}},
		{exitUnreachable, away, []string{"migrate", "status"}},
	} {
		seen = append(seen, c.code)
		if got := c.i.command(t, "", c.args...); got.code != c.code || (got.code > exitFailed) != (got.stderr != "") && got.code != exitFailed {
			t.Errorf("%v: code %d, want %d\n%s", c.args, got.code, c.code, got.stderr)
		}
	}
	for code := range exitCodes {
		if !slices.Contains(seen, code) {
			t.Errorf("nothing gives %d", code)
		}
	}
}
