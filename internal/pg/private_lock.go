package pg

import (
	"errors"
	"os"
	"syscall"
)

// A fileLock is an advisory lock between processes. The kernel gives it back
// when its holder dies, however it dies.
type fileLock struct {
	path string
	file *os.File
	mode int // syscall.LOCK_EX or LOCK_SH while held
}

func newFileLock(path string) *fileLock { return &fileLock{path: path} }

// tryExclusive reports whether the lock is held exclusively now.
func (l *fileLock) tryExclusive() (bool, error) { return l.try(syscall.LOCK_EX) }

// tryShared reports whether the lock is held now, others may hold it too.
func (l *fileLock) tryShared() (bool, error) { return l.try(syscall.LOCK_SH) }

func (l *fileLock) try(mode int) (bool, error) {
	if l.file != nil {
		return l.mode == mode, nil
	}
	file, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	err = syscall.Flock(int(file.Fd()), mode|syscall.LOCK_NB)
	if err == nil {
		l.file, l.mode = file, mode
		return true, nil
	}
	file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return false, &os.PathError{Op: "lock", Path: l.path, Err: err}
}

func (l *fileLock) unlock() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
