package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func offered(t *testing.T, words ...string) (all []string) {
	t.Helper()
	for line := range strings.Lines(command(t, "", append([]string{completeWord}, words...)...).stdout) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, word)
	}
	return all
}

func TestWhatMayFollowIsOffered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string // as split by a shell, the word under the cursor last
		want string
	}{
		{"ru", "rule"},
		{"rule key|", "add set revoke"},
		{"hash|", ""},
		{"rule create --sc", "--scene --scheme"},
		{"rule create --scene|", "publish play"},
		{"rule create --scene pu", "publish"},
		{"rule create --scene=pu", "--scene=publish"},
		{"rule create --scene = pu", "publish"}, // as bash splits it
		{"rule create --scene =", "publish play"},
		{"rule create --scheme huawei_d --scene=publish --sc", ""},
		{"--json rule create --scheme hua", "huawei_d huawei_a huawei_b"},
		{"rule key set 1 k|", "next active retiring revoked"},
		{"rule key set 1 k next|", ""},
		{"user update alice --no", "--no-admin"},
		{"node create e --source 10.0.0.1 --so", "--source"}, // may come again
		{"node create e --kind ng", "nginx-rtmp nginx"},
		{"node create e --def", "--default-policy"},
		{"node create e --default-policy|", "deny open"},
		{"webhook create https : //h/ --type stream.", "stream.* stream.published stream.unpublished"},
		{"explain rtmp : //h/live/x?sd = p2- --sc", "--scene"},
		{"--tls-c", "--tls-cert"},
		{"--tls-cert|", filesMeant},
		{"--data-dir=./d", filesMeant},
		{"completion|", "bash zsh fish"},
		{"--listen nonsense --log-level w", "warn"},
		{"dance|", ""},
	} {
		line, open := strings.CutSuffix(c.line, "|")
		words := strings.Fields(line)
		if open {
			words = append(words, "")
		}
		if got := strings.Join(offered(t, words...), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	if got := offered(t); got != nil {
		t.Errorf("without a word: %q", got)
	}
	if own := offered(t, "sign", "-"); !slices.Contains(own, "--ttl") || !slices.Contains(own, "--json") || slices.Contains(own, "--listen") {
		t.Errorf("flags of sign: %q", own)
	}
	if all := offered(t, "serve", "-"); !slices.Contains(all, "--listen") {
		t.Errorf("flags of serve: %q", all)
	}
}

// A value that is offered is one that is taken.
func TestOfferedValuesOfSettingsAreGood(t *testing.T) {
	t.Parallel()
	for name, values := range choices {
		if !slices.Contains(variables(), "STAGEDOOR_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))) {
			continue
		}
		for _, v := range values {
			var c cli
			parser, err := newParser(&c, t.Output(), t.Output())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse([]string{"version", "--" + name, v, "--im-old-app-id", "a", "--aliyun-access-key-id", "b", "--aliyun-access-key-secret", "c",
				"--im-app-id", "d", "--im-app-key", "the-key-of-newapp", "--im-app-sign", "e"}); err != nil {
				t.Fatal(err)
			}
			var named []string
			if _, err := c.Config.Resolve(); err != nil {
				named = strings.Split(err.Error(), "\n")
			}
			if slices.ContainsFunc(named, func(line string) bool {
				return strings.Contains(line, strings.ToUpper(strings.ReplaceAll(name, "-", "_"))+":")
			}) {
				t.Errorf("--%s %s: %q", name, v, named)
			}
		}
	}
}

// inShell runs a script in a shell that finds this program as stagedoor.
func inShell(t *testing.T, script string, shell ...string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "stagedoor")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "some.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), shell[0], append(shell[1:], script)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v (make deps-test installs it)\n%s", shell[0], err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func mustOffer(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("offered %q, want %q", got, want)
	}
}

func TestBashCompletes(t *testing.T) {
	t.Parallel()
	mustOffer(t, inShell(t, `source <(stagedoor completion bash)
complete -p stagedoor
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stagedoor; echo "${COMPREPLY[@]}"; }
try stagedoor rule key ""
try stagedoor rule create --scene = p
try stagedoor node create edge1 --kind sr
try stagedoor nothing-of-that-name ""
try ~/stagedoor ver
`, "bash", "--norc", "-c"),
		"complete -F _stagedoor stagedoor", "add set revoke", "publish play", "srs", "", "version")
}

// zsh is asked what it would show: its own function that shows is another here.
func TestZshCompletes(t *testing.T) {
	t.Parallel()
	mustOffer(t, inShell(t, `compdef() { print -- "compdef $@" }
_describe() { print -rl -- "${(@P)2}" }
_files() { print -- files }
compset() { }
source <(stagedoor completion zsh)
try() { words=("$@"); CURRENT=$#; _stagedoor || print none }
try stagedoor rule key ""
try stagedoor rule create --scene=pu
try stagedoor --tls-cert ""
try stagedoor nothing-of-that-name ""
`, "zsh", "-f", "-c"),
		"compdef _stagedoor stagedoor", "add:Add a key, in state next unless --activate.", "set:Move a key: next, active, retiring or revoked.",
		"revoke:Revoke a key; its URLs are refused at once.", "--scene=publish:", "files", "none")
}

func TestFishCompletes(t *testing.T) {
	t.Parallel()
	mustOffer(t, inShell(t, `stagedoor completion fish | source
complete -C "stagedoor rule key "
complete -C "stagedoor rule create --scene=pu"
complete -C "stagedoor --tls-cert so"
complete -C "stagedoor nothing-of-that-name "
`, "fish", "--no-config", "-c"),
		"add\tAdd a key, in state next unless --activate.", "revoke\tRevoke a key; its URLs are refused at once.",
		"set\tMove a key: next, active, retiring or revoked.", "--scene=publish", "some.pem")
}
