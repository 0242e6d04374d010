package hashing

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// workerArg makes the tests' program a worker, and brokenArg one that answers
// nonsense.
const (
	workerArg = "a-worker"
	brokenArg = "a-broken-worker"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		nice, _ := strconv.Atoi(os.Args[2])
		switch os.Args[1] {
		case workerArg:
			if err := Serve(os.Stdin, os.Stdout, nice); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case brokenArg:
			_, _ = os.Stdout.WriteString("nonsense\n")
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// setup returns Workers whose processes are noted, and what they log.
func setup(t *testing.T, arg string) (w *Workers, started *[]*exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	log, started = &bytes.Buffer{}, &[]*exec.Cmd{}
	w = &Workers{Log: slog.New(slog.NewTextHandler(log, nil)), Command: func(nice int) *exec.Cmd {
		cmd := exec.Command(os.Args[0], arg, strconv.Itoa(nice))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		*started = append(*started, cmd)
		return cmd
	}}
	t.Cleanup(w.Close)
	return w, started, log
}

func key(w *Workers, password string) []byte {
	return w.Key([]byte(password), []byte("salt-of-8"), 1, 64, 1, 32)
}

func check(t *testing.T, w *Workers, password string) {
	t.Helper()
	if got, want := key(w, password), argon2.IDKey([]byte(password), []byte("salt-of-8"), 1, 64, 1, 32); !bytes.Equal(got, want) {
		t.Errorf("%q: %x, want %x", password, got, want)
	}
}

func TestAWorkerHashesAsTheLibraryDoes(t *testing.T) {
	t.Parallel()
	w, started, log := setup(t, workerArg)
	for _, password := range []string{"correct horse", "", "电池", "\x00\xff\n\"", strings.Repeat("x", 1<<16)} {
		check(t, w, password)
	}
	if n := len(*started); n != 1 || log.Len() > 0 {
		t.Errorf("%d processes; log: %s", n, log)
	}
}

func TestWithoutACommandItIsDoneHere(t *testing.T) {
	t.Parallel()
	check(t, &Workers{}, "correct horse")
}

func TestAsManyWorkersRunAsThereAreCallers(t *testing.T) {
	t.Parallel()
	w, started, log := setup(t, workerArg)
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() { check(t, w, "correct horse") })
	}
	callers.Wait()
	if n := len(*started); n < 1 || n > 3 || len(w.idle) != n || log.Len() > 0 {
		t.Errorf("%d processes, %d of them idle; log: %s", n, len(w.idle), log)
	}
}

func TestALoginDoesNotDependOnAWorker(t *testing.T) {
	t.Parallel()
	t.Run("that was killed", func(t *testing.T) {
		t.Parallel()
		w, started, log := setup(t, workerArg)
		check(t, w, "correct horse")
		if err := (*started)[0].Process.Kill(); err != nil {
			t.Fatal(err)
		}
		check(t, w, "correct horse") // perhaps still by it
		check(t, w, "correct horse")
		check(t, w, "correct horse")
		if n := len(*started); n != 2 || !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("%d processes; log: %s", n, log)
		}
	})
	t.Run("that answers nonsense", func(t *testing.T) {
		t.Parallel()
		w, _, log := setup(t, brokenArg)
		check(t, w, "correct horse")
		if len(w.idle) != 0 || !strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), "horse") {
			t.Errorf("it stays; log: %s", log)
		}
	})
	t.Run("that cannot be started", func(t *testing.T) {
		t.Parallel()
		var log bytes.Buffer
		w := &Workers{Log: slog.New(slog.NewTextHandler(&log, nil)), Command: func(int) *exec.Cmd { return exec.Command("/nowhere/stagedoor") }}
		check(t, w, "correct horse")
		if !strings.Contains(log.String(), "/nowhere/stagedoor") {
			t.Errorf("log: %s", &log)
		}
	})
}

func TestAnIdleWorkerIsDismissed(t *testing.T) {
	t.Parallel()
	w, started, _ := setup(t, workerArg)
	check(t, w, "correct horse")
	one := w.idle[0]
	w.dismiss(one)
	w.dismiss(one) // too late
	if len(w.idle) != 0 {
		t.Errorf("%d are idle", len(w.idle))
	}
	waitFor(t, func() bool { return (*started)[0].Process.Signal(syscall.Signal(0)) != nil })
	check(t, w, "correct horse")
	if n := len(*started); n != 2 {
		t.Errorf("%d processes", n)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

func TestAWorkerEndsWithItsProgram(t *testing.T) {
	t.Parallel()
	w, started, _ := setup(t, workerArg)
	check(t, w, "correct horse")
	w.Close()
	waitFor(t, func() bool { return (*started)[0].Process.Signal(syscall.Signal(0)) != nil })

	cmd := exec.Command(os.Args[0], workerArg, "0")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 { // nothing on its stdin
		t.Errorf("%v: %s", err, out)
	}
}

func TestServeSaysWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], workerArg, "0")
	cmd.Stdin = strings.NewReader(`{"Password":5}`)
	if err := cmd.Run(); err == nil {
		t.Error("it went on")
	}
}
