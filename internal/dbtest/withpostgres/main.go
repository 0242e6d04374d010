// Command withpostgres runs another command beside a throw-away PostgreSQL:
//
//	go run ./internal/dbtest/withpostgres -- go test ./...
//
// The server's URL is in STAGEDOOR_TEST_DATABASE_URL. Where that is set
// already, the command runs with the server it names.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	code, err := run(context.Background(), args, os.Getenv, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run returns the exit code of the command. Its error is our own failure.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (code int, err error) {
	if len(args) == 0 {
		return 2, errors.New("usage: withpostgres [--] COMMAND [ARGUMENT…]")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	if getenv(dbtest.EnvURL) != "" {
		return runCommand(cmd)
	}
	url, stop, err := startServer(ctx, tempParent(getenv))
	if err != nil {
		return 1, err
	}
	cmd.Env = append(os.Environ(), dbtest.EnvURL+"="+url)
	code, err = runCommand(cmd)
	return code, errors.Join(err, stop())
}

// startServer returns the URL of a server in a directory of its own, and what
// removes both.
func startServer(ctx context.Context, parent string) (url string, stop func() error, err error) {
	dir, err := os.MkdirTemp(parent, "stagedoor-test-")
	if err != nil {
		return "", nil, err
	}
	// As root, PostgreSQL runs as somebody else, who must get in.
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	// An interrupted start must not leave a server behind.
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	server, err := pg.StartPrivate(ctx, pg.PrivateConfig{
		Dir:            dir,
		Log:            slog.New(slog.DiscardHandler),
		MaxConnections: 400, // packages × parallel tests × connections of each pool
		NoSync:         true,
	})
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() error {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return errors.Join(server.Stop(stopping), os.RemoveAll(dir))
	}
	if err := easeLogin(ctx, server.URL()); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return server.URL(), stop, nil
}

// tempParent returns a directory in memory where there is room: test databases
// are made and dropped there ten times as fast as on a disk.
func tempParent(getenv func(string) string) string {
	const parent, room = "/dev/shm", 2 << 30
	var stat syscall.Statfs_t
	if getenv("TMPDIR") != "" || syscall.Statfs(parent, &stat) != nil {
		return ""
	}
	if uint64(stat.Bavail)*uint64(stat.Bsize) < room {
		return ""
	}
	return parent
}

// runCommand passes signals on and outlives them, so that the server is
// stopped after the command and not before.
func runCommand(cmd *exec.Cmd) (code int, err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 127, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			_ = cmd.Process.Signal(sig) // it may have ended
		case err := <-exited:
			return exitCode(cmd, err)
		}
	}
}

func exitCode(cmd *exec.Cmd, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 1, errors.New("the command was killed: " + cmd.ProcessState.String())
}
