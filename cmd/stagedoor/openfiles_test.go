package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestConnectionsFitIntoTheOpenFilesOfTheProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wanted    int
		openFiles uint64
		want      int
		said      string
	}{
		{10_000, 1 << 20, 10_000, ""},
		{10_000, 10_144, 10_000, ""},
		{10_000, 10_143, 9_999, "level=WARN"},
		{10_000, 1024, 880, "level=WARN"},
		{10_000, 100, 25, "level=WARN"},
		{20, 100, 20, ""},
		{0, 1024, 880, "level=INFO"},
		{0, 1 << 63, 1<<31 - 144, "level=INFO"}, // as good as none
	} {
		var log bytes.Buffer
		got := fitConnections(slog.New(slog.NewTextHandler(&log, nil)), c.wanted, 16, c.openFiles)
		if said := log.String(); got != c.want || (said == "") != (c.said == "") || !strings.Contains(said, c.said) {
			t.Errorf("%d of %d files: %d, want %d; %s", c.wanted, c.openFiles, got, c.want, said)
		}
	}
}

func TestMoreConnectionsThanOpenFilesAreSaidAtTheStart(t *testing.T) {
	t.Parallel()
	const wanted = 1_000_000
	s := install(t).serve(t, "--max-connections", "1000000", "--database-pool", "2")
	if said, want := strings.Contains(s.stderr.String(), "raise its limit"), openFiles() < wanted+2+otherFiles; said != want {
		t.Errorf("%d files may be open:\n%s", openFiles(), s.stderr)
	}
}
