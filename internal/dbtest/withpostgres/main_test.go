package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

func unset(string) string { return "" }

func TestCommandRunsBesideAServerThatGoesWithIt(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	script := `printf %s "$` + dbtest.EnvURL + `"; test -S "$(printf %s "$` + dbtest.EnvURL + `" | sed 's/.*host=//; s/%2F/\//g')/.s.PGSQL.5432" && exit 7`
	code, err := run(t.Context(), []string{"sh", "-c", script}, unset, &stdout, &stderr)
	if code != 7 || err != nil {
		t.Errorf("run = %d, %v, want the command's 7; %s", code, err, stderr.String())
	}
	config, err := pgx.ParseConfig(stdout.String())
	if err != nil || !strings.Contains(config.Host, "stagedoor-") {
		t.Fatalf("host %q, %v", config.Host, err)
	}
	if config.Password == "" {
		t.Error("anybody may connect")
	}
	if _, err := os.Stat(filepath.Dir(config.Host)); !os.IsNotExist(err) {
		t.Errorf("the server's directory is still there: %v", err)
	}
}

func TestServerThatIsGivenIsUsed(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	given := func(string) string { return "postgres://given" }
	if code, err := run(t.Context(), []string{"echo", "done"}, given, &stdout, &stdout); code != 0 || err != nil || stdout.String() != "done\n" {
		t.Errorf("run = %d, %v, %q", code, err, stdout.String())
	}
}

func TestFailuresHaveTheUsualExitCodes(t *testing.T) {
	t.Parallel()
	given := func(string) string { return "postgres://given" }
	for want, args := range map[int][]string{2: nil, 127: {"/no/such/program"}, 1: {"sh", "-c", "kill -9 $$"}} {
		var out bytes.Buffer
		if code, err := run(t.Context(), args, given, &out, &out); code != want || err == nil {
			t.Errorf("%q: run = %d, %v, want %d and an error", args, code, err, want)
		}
	}
}
