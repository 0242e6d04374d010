package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// seen are findings by their check.
func seen(t *testing.T, i installation, code int, flags ...string) map[string]finding {
	t.Helper()
	got := i.command(t, "", append([]string{"doctor", "--json"}, flags...)...)
	if got.code != code || got.stderr != "" {
		t.Fatalf("code %d, want %d\n%s%s", got.code, code, got.stdout, got.stderr)
	}
	var answer struct{ Findings []finding }
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatalf("%v in %s", err, got.stdout)
	}
	by := map[string]finding{}
	for _, f := range answer.Findings {
		if by[f.Check].Check != "" && !strings.HasPrefix(f.Check, "keys of") {
			t.Errorf("twice: %+v", f)
		}
		by[f.Check] = f
	}
	return by
}

func (f finding) mustBe(t *testing.T, status, word string) {
	t.Helper()
	if f.Status != status || !strings.Contains(f.Found+" "+f.Advice, word) || (f.Status != statusOK) != (f.Advice != "") {
		t.Errorf("%+v, want %s and %q", f, status, word)
	}
}

func TestADoctorOfAHealthyInstallationFindsNothing(t *testing.T) {
	t.Parallel()
	i := install(t)
	s := i.serve(t)
	address := strings.TrimPrefix(s.url, "http://")
	by := seen(t, i, exitOK, "--listen", address, "--public-url", s.url)
	// The database of tests forgets what a crash of it takes, and doctor says so.
	by["database"].mustBe(t, statusWarning, "synchronous_commit")
	for _, check := range []string{"clock", "server", "rules", "node local", "public address"} {
		by[check].mustBe(t, statusOK, "")
	}
	text := i.ok(t, "", "doctor", "--listen", address, "--public-url", s.url)
	if !strings.Contains(text, "ok       server               ready at") {
		t.Errorf("printed:\n%s", text)
	}
}

func TestADoctorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	i := install(t)
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[{"kid":"other"}]}`)) // the client may be gone
	}))
	t.Cleanup(foreign.Close)
	i.ok(t, "", "node", "create", "dead", "--kind", "srs", "--control-url", "http://127.0.0.1:1")
	i.ok(t, "", "node", "create", "mute", "--kind", "srs")
	i.ok(t, "", "rule", "disable", "1")
	by := seen(t, i, exitFailed, "--listen", "127.0.0.1:1", "--public-url", foreign.URL)
	by["server"].mustBe(t, statusWarning, "stagedoor serve")
	by["rules"].mustBe(t, statusWarning, "stagedoor rule enable")
	by["node dead"].mustBe(t, statusFailed, "http://127.0.0.1:1")
	by["node mute"].mustBe(t, statusWarning, "stagedoor node update mute --control-url")
	by["public address"].mustBe(t, statusFailed, "STAGEDOOR_PUBLIC_URL")
}

func TestADoctorWithoutDatabase(t *testing.T) {
	t.Parallel()
	i := installation{[]string{"--database-url", "postgres://nobody@127.0.0.1:1/none", "--data-dir", t.TempDir()}}
	seen(t, i, exitFailed)["database"].mustBe(t, statusFailed, "STAGEDOOR_DATABASE_URL")
}
