//go:build !linux

package e2e

import "testing"

func smallDisk(t *testing.T, _ int) string {
	t.Helper()
	t.Skip("small file systems are mounted on Linux only")
	return ""
}
