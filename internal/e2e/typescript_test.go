package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// nodeModulesEnv tells where make deps-test has installed the generators and
// the compiler that typescript/package-lock.json names.
const nodeModulesEnv = "STAGEDOOR_E2E_NODE_MODULES"

// workbench is a directory with the sources of typescript/ and the installed
// modules beside them.
type workbench struct{ dir, modules, spec string }

// nodeModules is where they are.
func nodeModules(t *testing.T) string {
	t.Helper()
	modules := os.Getenv(nodeModulesEnv)
	if modules == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		modules = filepath.Join(cache, "stagedoor", "typescript", "node_modules")
	}
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("%v: run make deps-test first", err)
	}
	return modules
}

func newWorkbench(t *testing.T) workbench {
	t.Helper()
	modules := nodeModules(t)
	spec, err := filepath.Abs("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w := workbench{t.TempDir(), modules, spec}
	if err := os.CopyFS(w.dir, os.DirFS("typescript")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(w.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return w
}

// npx runs an installed program and returns all that it wrote.
func (w workbench) npx(t *testing.T, program string, args ...string) string {
	t.Helper()
	return w.run(t, filepath.Join(w.modules, ".bin", program), args...)
}

func (w workbench) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "CI=1", "DO_NOT_TRACK=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestTypeScript compiles what typescript/ has once, against types that come from
// the spec alone, and runs each against one server.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	w := newWorkbench(t)
	w.npx(t, "openapi-typescript", w.spec, "-o", "schema.d.ts")
	w.npx(t, "tsc", "-p", ".")
	s := newServer(t, map[string]string{"PUSH_CALLBACK_KEY": pushCallbackKey, "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"})
	for _, c := range []struct {
		name string
		run  func(*testing.T, workbench, *server)
	}{{"a client runs a room", runARoom}, {"a receiver verifies webhooks", verifyWebhooks}, {"a client calls every documented operation", callEverything}} {
		t.Run(c.name, func(t *testing.T) { c.run(t, w, s) }) // in turn: they list rooms
	}
}

func runARoom(t *testing.T, w workbench, s *server) {
	out := w.run(t, "node", "out/rooms.js", s.url, "admin", s.password)
	if !strings.HasPrefix(out, "ok ") {
		t.Errorf("rooms.js says %q", out)
	}
}

// Two that are ours beside documented ones: another method of each.
var beside = map[string]bool{"GET /auth/refresh_token": true, "POST /api/v1/live/handlePushStreamEventCallback": true}

func callEverything(t *testing.T, w workbench, s *server) {
	called := strings.Split(strings.TrimSpace(w.run(t, "node", "out/documents.js", s.url, "admin", s.password)), "\n")
	for path, item := range s.spec.Document().Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			if slices.Contains([]string{"live_auth", "appserver", "ipchub"}, op.Tags[0]) && !slices.Contains(called, name) && !beside[name] {
				t.Errorf("%s was not called", name)
			}
		}
	}
}

var complaint = regexp.MustCompile(`(?i)warn|error|deprecat|not supported|duplicat|conflict|skipp`)

// Other generators read the document in their own ways: what one of them
// stumbles over, its users get as a broken client.
func TestOtherGeneratorsReadTheSpecWithoutAWarning(t *testing.T) {
	t.Parallel()
	for program, args := range map[string][]string{
		"openapi-ts":             {"-i", "SPEC", "-o", "hey-api"},
		"swagger-typescript-api": {"generate", "-p", "SPEC", "-o", "swagger-typescript-api"},
		"oazapfts":               {"SPEC", "oazapfts.ts"},
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			w := newWorkbench(t)
			for i, a := range args {
				args[i] = strings.Replace(a, "SPEC", w.spec, 1)
			}
			out := w.npx(t, program, args...)
			// The name of the test is part of the path that they print.
			if bad := complaint.FindString(strings.ReplaceAll(out, w.dir, "")); bad != "" {
				t.Errorf("%s says %q:\n%s", program, bad, out)
			}
		})
	}
}
