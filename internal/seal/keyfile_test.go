package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func TestLoadOrCreateKeyKeepsTheFirstKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "on demand")
	first, err := LoadOrCreateKey(dir, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %v, want 0600", info.Mode())
	}
	second, err := LoadOrCreateKey(dir, iotest.ErrReader(errors.New("must not be read again")))
	if err != nil || !bytes.Equal(first, second) || len(first) != KeySize {
		t.Errorf("the second call gave %x, %v, the first %x", second, err, first)
	}
}

func TestLoadOrCreateKeyGivesConcurrentProcessesOneKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = LoadOrCreateKey(dir, rand.Reader); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if !bytes.Equal(key, keys[0]) {
			t.Fatalf("two callers got different keys: %x and %x", key, keys[0])
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v, want only the key", entries, err)
	}
}

func TestLoadOrCreateKeyRefusesFilesThatOthersCanRead(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666} {
		dir := t.TempDir()
		if _, err := LoadOrCreateKey(dir, rand.Reader); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, KeyFile)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreateKey(dir, rand.Reader)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("mode %v: %v, want a refusal that names the file", mode, err)
		}
	}
}

func TestLoadOrCreateKeyNeverReplacesADamagedKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, KeyFile)
	if err := os.WriteFile(path, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateKey(dir, rand.Reader); err == nil {
		t.Error("a damaged key was accepted")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "abc\n" {
		t.Errorf("the damaged file became %q, %v", text, err)
	}
}

func TestLoadOrCreateKeyLeavesNothingBehindWithoutRandomness(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := errors.New("no entropy")
	if _, err := LoadOrCreateKey(dir, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("LoadOrCreateKey = %v, want %v", err, broken)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}
