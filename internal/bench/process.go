package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	adminName     = "admin"
	adminPassword = "measured-in-private"
)

// environment is what every server gets: the same number of processors, and
// none of the settings of whoever runs the measurements, a database URL least
// of all.
func environment(extra ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "STAGEDOOR_") {
			env = append(env, v)
		}
	}
	env = append(env, "GOMAXPROCS="+strconv.Itoa(runtime.GOMAXPROCS(0)))
	return append(env, extra...)
}

// server is a running Stagedoor.
type server struct {
	cmd    *exec.Cmd
	addr   string
	ops    string // where metrics and profiles are; "" for none of its own
	log    string
	exited chan struct{}
}

// The time that a server has to get ready and to stop.
const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// start runs the program on a data directory and returns when it is ready, with
// the time that this took. Everything but addresses, the administrator's
// password and the rate limit, since all load comes from one address, is at its
// default. An ops address may be given for profiles.
func (s *suite) start(ctx context.Context, dataDir, ops string) (_ *server, took time.Duration, err error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, 0, err
	}
	srv := &server{addr: addr, ops: ops, log: filepath.Join(s.dir, "server-"+addr+".log"), exited: make(chan struct{})}
	log, err := os.Create(srv.log)
	if err != nil {
		return nil, 0, err
	}
	defer log.Close() // the server has its own handle
	srv.cmd = exec.Command(s.binary, "serve")
	srv.cmd.Stderr = log
	srv.cmd.Env = environment("STAGEDOOR_LISTEN="+addr, "STAGEDOOR_OPS_LISTEN="+ops, "STAGEDOOR_DATA_DIR="+dataDir, "STAGEDOOR_ADMIN_PASSWORD="+adminPassword,
		"STAGEDOOR_RATE_LIMIT=0", "STAGEDOOR_ACCOUNT_RATE_LIMIT=0")
	// Ctrl-C on the terminal is for us, and we stop the server; when we are
	// killed, the kernel does.
	srv.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := time.Now()
	if err := srv.cmd.Start(); err != nil {
		return nil, 0, err
	}
	go func() {
		defer close(srv.exited)
		_ = srv.cmd.Wait() // its log says why it ended
	}()
	if err := srv.await(ctx); err != nil {
		return nil, 0, errors.Join(err, srv.stop())
	}
	return srv, time.Since(started), nil
}

// freeAddress finds a port that nobody uses.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// await returns when the server calls itself ready.
func (srv *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for !isReady(ctx, "http://"+cmp.Or(srv.ops, srv.addr)+"/readyz") {
		select {
		case <-srv.exited:
			return fmt.Errorf("the server ended before it was ready:\n%s", srv.tail())
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w\n%s", ctx.Err(), srv.tail())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func isReady(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	return resp.StatusCode == http.StatusOK
}

// tail returns the last lines of the server's log.
func (srv *server) tail() string {
	const lines = 10
	text, err := os.ReadFile(srv.log)
	if err != nil {
		return err.Error()
	}
	all := bytes.SplitAfter(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(all[max(len(all)-lines, 0):], nil))
}

// stop asks the server to end, and makes it when it does not.
func (srv *server) stop() error {
	_ = srv.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	select {
	case <-srv.exited:
		return nil
	case <-time.After(stopTimeout):
	}
	_ = srv.cmd.Process.Kill()
	<-srv.exited
	return fmt.Errorf("the server did not stop:\n%s", srv.tail())
}

// bareServer is what stands beside us, in a process of its own.
type bareServer struct {
	cmd  *exec.Cmd
	hold io.Closer // it ends when this closes
	addr string
}

func startBare(databaseURL string) (*bareServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bareServer{cmd: exec.Command(self, bareArg)}
	b.cmd.Env, b.cmd.Stderr = environment(bareDatabase+"="+databaseURL), os.Stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if b.hold, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the bare server: %w", err), b.stop())
	}
	b.addr = strings.TrimSpace(line)
	return b, nil
}

func (b *bareServer) stop() error {
	_ = b.hold.Close() // closing a pipe of ours
	return b.cmd.Wait()
}
