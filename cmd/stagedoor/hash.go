package main

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"github.com/stagedoor-live/stagedoor/internal/hashing"
)

// hashCommand is what the server calls itself with, to hash passwords in another
// process.
const hashCommand = "hash-passwords"

type hashCmd struct {
	Nice int `help:"How much it gives way, as Unix counts." default:"0"`
}

// Run serves the process that started it until that ends. A signal to all of
// them does not end it before: the server finishes its requests first.
func (c hashCmd) Run(e *env) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	return hashing.Serve(e.stdin, e.stdout, c.Nice)
}

// hashWorker is a process that hashes. It inherits none of the settings, which
// hold secrets. A session of its own keeps it apart from us where the kernel
// shares processors between sessions, not between processes.
func hashWorker(nice int) *exec.Cmd {
	program := "/proc/self/exe" // also after an upgrade has put another file in its place
	if runtime.GOOS != "linux" {
		program, _ = os.Executable() // Start says what is wrong without it
	}
	cmd := exec.Command(program, hashCommand, "--nice="+strconv.Itoa(nice))
	cmd.Env, cmd.Dir = []string{"GOMAXPROCS=1"}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}
