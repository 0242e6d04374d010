//go:build !linux

package hashing

import "syscall"

// giveWay lowers the priority of the process, where the system lets it.
func giveWay(nice int) { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice) }
