package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// diskSize is what a private PostgreSQL needs to begin with, and some.
const diskSize = 160 << 20

// First no table can grow; then there is no room for the next piece of the log,
// over which PostgreSQL gives up and cannot start again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, diskSize)
	s := newServer(t, map[string]string{"DATA_DIR": filepath.Join(disk, "data"), "CALLBACK_TIMEOUT": callbackTimeout.String()})
	c := newCrowd(t, s, s.logIn(t), false)
	conn := s.database(t)
	defer conn.Close(t.Context())

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	begin := time.Now()
	c.hears(t, unavailable)
	say(t, "tables could not grow any more after %v", since(begin))
	old := s.postmaster()
	for range 100 {
		if _, err := conn.Exec(t.Context(), "SELECT pg_logical_emit_message(true, 'x', 'y'), pg_switch_wal()"); err != nil {
			break
		}
	}
	eventually(t, "PostgreSQL has given up", func() bool { return s.postmaster() != old })
	say(t, "PostgreSQL gave up after %v", since(begin))
	eventually(t, "it was tried in vain to start it", func() bool { return s.log.count(saying("private PostgreSQL does not start")) > 0 })
	c.hears(t, unavailable)

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.recovers(t)
}

// fill writes a file until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 1<<10; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
