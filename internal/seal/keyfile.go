package seal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// KeyFile is the name of the master key's file inside the data directory.
const KeyFile = "master.key"

// LoadOrCreateKey returns the master key kept in dir, as hex in a file that
// only its owner can read. The first call makes it, with bytes from rand;
// when several processes make it at once, all return the one that won. A file
// that group or others can read or write is refused: it may be known already.
func LoadOrCreateKey(dir string, rand io.Reader) ([]byte, error) {
	path := filepath.Join(dir, KeyFile)
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(dir, path, rand); err != nil {
		return nil, fmt.Errorf("create master key: %w", err)
	}
	return loadKey(path)
}

func loadKey(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("master key %s has mode %04o; only its owner may read it: chmod 600 it, or replace it if others could have", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, 1024))
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return key, nil
}

// createKey writes the whole file under another name and links it into place:
// a reader never sees half a key, and the name is taken by exactly one process.
// Losing that race is success.
func createKey(dir, path string, rand io.Reader) error {
	// Not 0700: the user that a private Postgres runs as has to pass through to
	// its own directory. The files in here guard themselves.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	key := make([]byte, KeySize)
	if _, err := io.ReadFull(rand, key); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, KeyFile+".*") // CreateTemp's mode is 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(hex.EncodeToString(key) + "\n")
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in dir survive a crash: everything sealed with a
// key that is lost afterwards would be lost with it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
