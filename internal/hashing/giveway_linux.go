package hashing

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// giveWay lowers the priority of every thread; later ones inherit it. The kernel
// takes a thread off the processor for another after its slice, in nanoseconds
// (before Linux 6.12 it chooses the slice). With autogroups it looks at the
// session before it looks at threads. Nobody is refused a lower priority; what
// does not work leaves the worker at the usual one.
func giveWay(nice int) {
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Nice: int32(nice), Runtime: 100_000}
	_ = os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(nice)), 0)
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.SchedSetAttr(id, attr, 0)
		}
	}
}
