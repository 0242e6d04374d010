package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestMemoryHelper is not a test: another one runs it as a process to look at.
func TestMemoryHelper(t *testing.T) {
	if os.Getenv("BENCH_HELPER") == "" {
		t.SkipNow()
	}
	_, _ = os.Stdout.WriteString("ready\n")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until whoever started it closes that
}

func TestMemoryIsThatOfTheProgramAndItsHelpers(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	helper := exec.Command(self, "-test.run=^TestMemoryHelper$")
	helper.Env = append(os.Environ(), "BENCH_HELPER=1")
	other := exec.Command("cat")
	for _, c := range []*exec.Cmd{helper, other} {
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = in.Close(); _ = c.Wait() })
		if c == helper {
			text := make([]byte, 6)
			if _, err := out.Read(text); err != nil || !strings.HasPrefix(string(text), "ready") {
				t.Fatalf("%q, %v", text, err)
			}
		}
	}
	helpers, err := helpersOf(os.Getpid())
	if err != nil || !slices.Contains(helpers, helper.Process.Pid) || slices.Contains(helpers, other.Process.Pid) {
		t.Errorf("%v, %v, want %d and not %d", helpers, err, helper.Process.Pid, other.Process.Pid)
	}
	mine, err := statusOf(os.Getpid(), "VmRSS")
	if err != nil {
		t.Fatal(err)
	}
	all, err := (&server{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}).memory()
	if err != nil || all*1024 < mine/2 {
		t.Errorf("%v MiB of which %v KiB are ours, %v", all, mine, err)
	}
	if _, err := statusOf(os.Getpid(), "Nothing"); err == nil {
		t.Error("a field that there is not was read")
	}
}
