package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a PostgreSQL server of one test, which may do to it what it likes.
// It is as durable as it comes, and listens on a port of its own.
type cluster struct {
	whole         *testing.T // outlives the steps of a test
	address, data string
	bin           string
	cred          *syscall.Credential // nil: as ourselves
	release       func()              // lets go of the port
	printed       lockedBuffer
	proc          *process
}

// clusterName is its superuser and the database.
const clusterName = "stagedoor"

func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	// As root, PostgreSQL runs as somebody else, who must pass through.
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	ports, release := addresses(t, 1)
	c := &cluster{whole: t, address: ports[0], data: filepath.Join(dir, "data"), bin: serverPrograms(t), cred: unprivileged(t), release: release}
	if c.cred != nil {
		if err := os.Chown(dir, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(c.bin, "initdb"), "--pgdata="+c.data, "--username="+clusterName, "--auth=trust", "--no-locale", "--encoding=UTF8",
		"--no-sync", "--wal-segsize=1")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: c.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	c.start(t)
	c.exec(t, "CREATE DATABASE "+clusterName)
	return c
}

// serverPrograms is where the newest of this machine's servers is.
func serverPrograms(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // sorted
	if err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	return filepath.Dir(need(t, "postgres"))
}

func (c *cluster) url() string { return c.urlOf(clusterName) }
func (c *cluster) urlOf(database string) string {
	return "postgres://" + clusterName + "@" + c.address + "/" + database + "?sslmode=disable"
}

// connections is how many the server takes at once.
const connections = 60

// start returns when the server lets people in.
func (c *cluster) start(t *testing.T) {
	t.Helper()
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		t.Fatal(err)
	}
	c.release()
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), "-D", c.data, "-c", "listen_addresses="+host, "-c", "port="+port, "-c", "unix_socket_directories=",
		"-c", fmt.Sprint("max_connections=", connections), "-c", "shared_buffers=16MB")
	cmd.Dir, cmd.Stderr = filepath.Dir(c.data), &c.printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred}
	c.proc = launch(c.whole, cmd, syscall.SIGQUIT)
	eventually(t, "PostgreSQL answers", func() bool {
		if c.proc.ended() {
			t.Fatalf("PostgreSQL ended: %v\n%s", c.proc.err, &c.printed)
		}
		conn, err := pgx.Connect(t.Context(), c.urlOf("postgres"))
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
}

// stop asks for a fast shutdown, as pg_ctl does.
func (c *cluster) stop(t *testing.T) {
	t.Helper()
	c.proc.signal(syscall.SIGINT)
	if code := c.proc.wait(t); code != 0 {
		t.Fatalf("PostgreSQL ended with %d\n%s", code, &c.printed)
	}
}

// kill ends the server and everything that belongs to it at once.
func (c *cluster) kill(t *testing.T) {
	t.Helper()
	pids := c.processes(t)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // a child may have ended
	}
	c.proc.wait(t)
	eventually(t, "all its processes are gone", func() bool {
		for _, pid := range pids {
			if syscall.Kill(pid, 0) == nil {
				return false
			}
		}
		return true
	})
}

// processes are all that there are: the server makes no more until it is called
// back.
func (c *cluster) processes(t *testing.T) []int {
	t.Helper()
	parent := c.proc.cmd.Process.Pid
	halt(t, parent)
	return append([]int{parent}, childrenOf(t, parent)...)
}

// freeze stops every process of the server until it is called back.
func (c *cluster) freeze(t *testing.T) (pids []int) {
	t.Helper()
	pids = c.processes(t)
	t.Cleanup(func() { thaw(pids) })
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // a child may have ended
	}
	return pids
}

// connect is for the database of the server's own.
func (c *cluster) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.urlOf("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// exec runs statements in the database of the server's own.
func (c *cluster) exec(t *testing.T, statements ...string) {
	t.Helper()
	conn := c.connect(t)
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// count asks for a number in the database of the server's own.
func (c *cluster) count(t *testing.T, sql string) (n int) {
	t.Helper()
	conn := c.connect(t)
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// throwOut ends every session in the database and says how many there were.
func throwOut(t *testing.T, conn *pgx.Conn) (n int) {
	t.Helper()
	err := conn.QueryRow(t.Context(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", clusterName).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// closeDatabase lets nobody in any more, until it is called back. Whoever was about
// to come in then is thrown out by clear.
func (c *cluster) closeDatabase(t *testing.T) (clear, open func()) {
	t.Helper()
	c.exec(t, "ALTER DATABASE "+clusterName+" ALLOW_CONNECTIONS false")
	conn := c.connect(t)
	return func() { throwOut(t, conn) }, func() {
		_ = conn.Close(context.Background()) // the server notices anyway
		c.exec(t, "ALTER DATABASE "+clusterName+" ALLOW_CONNECTIONS true")
	}
}

// takePlaces occupies every connection that the server has to give, those of
// others included, until it is called back. Others try to be faster.
func (c *cluster) takePlaces(t *testing.T) (leave func()) {
	t.Helper()
	var held []*pgx.Conn
	for until := time.Now().Add(patience); ; {
		conn, err := pgx.Connect(t.Context(), c.urlOf("template1"))
		switch {
		case err == nil:
			held = append(held, conn)
		case throwOut(t, held[0]) == 0 && len(held) == connections:
			return func() {
				for _, conn := range held {
					_ = conn.Close(context.Background()) // the server notices anyway
				}
			}
		case time.Now().After(until):
			t.Fatalf("%d places of %d are taken", len(held), connections)
		}
	}
}
