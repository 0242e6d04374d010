package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// logLimit is the size in bytes at which a start begins a new server log.
	logLimit = 8 << 20
	// startAttempts is how often one start is tried: right after a crash the old
	// server's children may still hold its shared memory.
	startAttempts = 5
)

// A postmaster is a running server, our child or adopted.
type postmaster struct {
	pid    int
	data   string
	exited <-chan struct{} // closed when it is gone
}

// startPostmaster returns when the server of the site answers, be it one that
// ran already.
func startPostmaster(ctx context.Context, config PrivateConfig, bin string, s site, url string) (*postmaster, error) {
	for attempt := 1; ; attempt++ {
		if running := findPostmaster(s); running != nil {
			if err := running.await(ctx, s, url); err == nil {
				config.Log.InfoContext(ctx, "adopted a running private PostgreSQL", "pid", running.pid)
				return running, nil
			} else if ctx.Err() != nil || isRefusal(err) {
				return nil, err
			}
		}
		started, err := spawn(ctx, config, bin, s)
		if err != nil {
			return nil, err
		}
		if err = started.await(ctx, s, url); err == nil {
			return started, nil
		}
		if ctx.Err() != nil || isRefusal(err) || attempt == startAttempts {
			return nil, errors.Join(fmt.Errorf("%w; see %s", err, logPath(config)), started.giveUp(ctx), s.dropSockets())
		}
		if !pauseFor(ctx, time.Duration(attempt)*200*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

func logPath(config PrivateConfig) string { return filepath.Join(config.Dir, "postgres.log") }

// spawn starts the server without waiting for it to be ready.
func spawn(ctx context.Context, config PrivateConfig, bin string, s site) (*postmaster, error) {
	if err := errors.Join(dropStalePid(s), s.ownDir(s.sockets())); err != nil {
		return nil, err
	}
	log, err := openLog(logPath(config))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the server has its own handle
	// Not bound to ctx, which is the start's.
	cmd := s.command(context.WithoutCancel(ctx), filepath.Join(bin, "postgres"), serverArgs(config, s)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its log says why it ended
	}()
	return &postmaster{pid: cmd.Process.Pid, data: s.data(), exited: exited}, nil
}

func serverArgs(config PrivateConfig, s site) []string {
	args := []string{"-D", s.data()}
	settings := []string{
		"listen_addresses=", "unix_socket_directories=" + s.sockets(), "unix_socket_permissions=0700", "port=5432",
		"max_connections=" + strconv.Itoa(config.MaxConnections),
		"shared_buffers=64MB", "max_wal_size=512MB", "huge_pages=off", "jit=off",
		"timezone=UTC", "log_timezone=UTC", "log_line_prefix=%m [%p] ", "logging_collector=off",
	}
	if config.NoSync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0", "autovacuum=off")
	}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// openLog opens the server's log for appending and sets a long one aside. The
// server writes to the file itself, so that it outlives us.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// await returns when the server lets us in and our database is there. It fails
// when the server exits, refuses us, or ctx ends.
func (m *postmaster) await(ctx context.Context, s site, url string) error {
	for {
		err := ping(ctx, url)
		if pgErr := (*pgconn.PgError)(nil); errors.As(err, &pgErr) && pgErr.Code == "3D000" { // no such database
			err = createDatabase(ctx, s, url)
		}
		if err == nil || isRefusal(err) {
			return err
		}
		select {
		case <-m.exited:
			return errors.New("the server exited")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(privatePoll):
		}
	}
}

// createDatabase makes our database with the credentials that url has for it.
func createDatabase(ctx context.Context, s site, url string) error {
	config, err := Direct(url)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.urlOf("postgres", config.Password))
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+privateName)
	return err
}

// ping connects once.
func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	closeConn(ctx, conn)
	return nil
}

// isRefusal tells whether the server answered that it will never let us in.
func isRefusal(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && strings.HasPrefix(pgErr.Code, "28") // invalid authorization
}

// stop asks for a fast shutdown, which rolls back and disconnects everybody,
// and for an immediate one when ctx ends before that is done.
func (m *postmaster) stop(ctx context.Context) error {
	m.signal(syscall.SIGINT)
	select {
	case <-m.exited:
		return nil
	case <-ctx.Done():
	}
	m.signal(syscall.SIGQUIT)
	select {
	case <-m.exited:
		return ctx.Err()
	case <-time.After(5 * time.Second): // the server itself kills its children after that
		return fmt.Errorf("pid %d does not end: %w", m.pid, ctx.Err())
	}
}

// giveUp stops a server that did not become ready, though ctx may have ended.
func (m *postmaster) giveUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	return m.stop(ctx)
}

func (m *postmaster) signal(sig syscall.Signal) {
	select {
	case <-m.exited: // its pid may be another's by now
	default:
		_ = syscall.Kill(m.pid, sig) // gone is what we want
	}
}

// findPostmaster returns the server that runs on the site's data, or nil.
func findPostmaster(s site) *postmaster {
	pid := readPid(s.data())
	if !isPostmaster(pid, s.data()) {
		return nil
	}
	exited := make(chan struct{})
	go func() {
		// Not our child, so there is nothing to wait on.
		defer close(exited)
		for isPostmaster(pid, s.data()) {
			time.Sleep(privateTakeover)
		}
	}()
	return &postmaster{pid: pid, data: s.data(), exited: exited}
}

// readPid returns the first line of postmaster.pid, zero without one.
func readPid(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

// dropStalePid removes a postmaster.pid whose process is no server of ours. In
// a container that was started again the number often belongs to something
// else, and a file that a full disk or a power cut left empty names nobody: with
// either PostgreSQL would refuse to start.
func dropStalePid(s site) error {
	if isPostmaster(readPid(s.data()), s.data()) {
		return nil
	}
	err := os.Remove(filepath.Join(s.data(), "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// isPostmaster tells whether pid is a server that was started on data. A
// process that has ended but was not waited for has no command line.
func isPostmaster(pid int, data string) bool {
	if pid <= 1 {
		return false
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		if _, procErr := os.Stat("/proc/self/cmdline"); procErr == nil {
			return false
		}
		line, err = exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output() // no /proc here
	}
	return err == nil && bytes.Contains(line, []byte(data)) && bytes.Contains(line, []byte("postgres"))
}
