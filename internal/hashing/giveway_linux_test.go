package hashing

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

func TestEveryThreadOfAWorkerGivesWay(t *testing.T) {
	t.Parallel()
	w, started, _ := setup(t, workerArg)
	w.Seldom = rate.NewLimiter(0, 1)
	for range 3 { // the first one comes now and then
		check(t, w, "correct horse")
	}
	if n := len(*started); n != 2 {
		t.Fatalf("%d processes", n)
	}
	for i, nice := range []int32{0, niceness} {
		checkThreads(t, (*started)[i].Process.Pid, nice)
	}
	if own, err := unix.SchedGetAttr(0, 0); err != nil || own.Policy == unix.SCHED_BATCH {
		t.Errorf("we ourselves: %+v, %v", own, err)
	}
}

func checkThreads(t *testing.T, pid int, nice int32) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(filepath.Base(thread.Name()))
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil || attr.Policy != unix.SCHED_BATCH || attr.Nice != nice {
			t.Errorf("thread %d: %+v, %v", id, attr, err)
		}
	}
}
