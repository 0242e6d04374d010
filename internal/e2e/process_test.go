package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. Nothing waits that
// long on a machine that is not overloaded.
const patience = 60 * time.Second

// eventually polls until cond holds. Asking takes processors from what is waited
// for, so it becomes rarer.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	const often, seldom = 25 * time.Millisecond, 250 * time.Millisecond
	for began := time.Now(); !cond(); {
		waited := time.Since(began)
		if waited > patience {
			t.Fatalf("after %v still not: %s", waited, what)
		}
		time.Sleep(min(max(waited/8, often), seldom))
	}
}

// say tells a person who watches what goes on.
func say(t *testing.T, format string, args ...any) {
	fmt.Fprintf(t.Output(), format+"\n", args...)
}

// process is a program in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait, once done is closed
}

// launch starts a program and makes sure that it and its children are gone
// when the test ends.
func launch(t *testing.T, cmd *exec.Cmd, whenOrphaned syscall.Signal) *process {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr, whenOrphaned)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
	})
	return p
}

func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.done: // its id may be another's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, sig) // it may end at this very moment
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait returns the exit code, -1 for a program that was killed.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%s does not end", p.cmd.Path)
		return 0
	}
}

// Ports of programs lie below those that systems hand out by themselves: nobody
// takes one between two starts of its program.
const firstPort, lastPort = 12_000, 32_000

var nextPort = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(rand.Int64N(lastPort - firstPort)) // others may run the same tests
	return &n
}()

// addresses reserves free loopback ports and returns them with what lets go of
// them, to be called right before their user starts.
func addresses(t *testing.T, n int) (all []string, release func()) {
	t.Helper()
	var held []net.Listener
	for tries := 0; len(all) < n; tries++ {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", firstPort+nextPort.Add(1)%(lastPort-firstPort)))
		if err != nil && tries < lastPort-firstPort {
			continue // it is somebody's
		}
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
		all = append(all, l.Addr().String())
	}
	return all, func() {
		for _, l := range held {
			_ = l.Close() // nothing was accepted
		}
	}
}

// need finds a program, also where an ordinary user's PATH does not look.
func need(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: 'make deps-test' installs what the tests need", name)
	return ""
}
