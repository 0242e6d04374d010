package hashing

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEveryThreadOfAWorkerGivesWay(t *testing.T) {
	t.Parallel()
	w, started, _ := setup(t, workerArg)
	check(t, w, "correct horse")
	pid := (*started)[0].Process.Pid
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
		if err != nil || attr.Policy != unix.SCHED_BATCH || attr.Nice != niceness {
			t.Errorf("thread %d: %+v, %v", id, attr, err)
		}
	}
	if own, err := unix.SchedGetAttr(0, 0); err != nil || own.Policy == unix.SCHED_BATCH {
		t.Errorf("we ourselves: %+v, %v", own, err)
	}
}
