package e2e

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// smallDisk returns a file system of its own of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stagedoor-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("stagedoor", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0711", size)); err != nil {
		t.Skipf("a small file system cannot be mounted here (%v): as root it can", err)
	}
	return dir
}
