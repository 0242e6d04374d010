package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// pooled is how many sessions PgBouncer has for all of its clients.
const pooled = 4

// newBouncer puts PgBouncer in transaction mode before a PostgreSQL server and
// returns the URL of the database through it.
func newBouncer(t *testing.T, db *cluster) string {
	t.Helper()
	program, dir := need(t, "pgbouncer"), t.TempDir()
	ports, release := addresses(t, 1)
	host, port, _ := net.SplitHostPort(ports[0])
	dbHost, dbPort, _ := net.SplitHostPort(db.address)
	conf := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n%s = host=%s port=%s user=%[1]s\nkept = host=%[2]s port=%[3]s user=%[1]s dbname=%[1]s pool_mode=session pool_size=20\n[pgbouncer]\nlisten_addr = %[4]s\nlisten_port = %[5]s\nunix_socket_dir =\n"+
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = %[6]d\nmax_client_conn = 500\n", clusterName, dbHost, dbPort, host, port, pooled)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if db.cred != nil { // it refuses to be root
		if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var printed lockedBuffer
	cmd := exec.Command(program, conf)
	cmd.Dir, cmd.Stderr, cmd.Stdout = dir, &printed, &printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: db.cred}
	release()
	proc := launch(t, cmd, syscall.SIGTERM)
	url := "postgres://" + clusterName + "@" + ports[0] + "/" + clusterName + "?sslmode=disable"
	eventually(t, "PgBouncer answers", func() bool {
		if proc.ended() {
			t.Fatalf("PgBouncer ended: %v\n%s", proc.err, &printed)
		}
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
	return url
}

// Three processes share the few sessions of a pooler that gives each transaction
// another one.
func TestThroughPgBouncer(t *testing.T) {
	t.Parallel()
	db := newCluster(t)
	url := newBouncer(t, db)
	alone := prepareServer(t, map[string]string{"DATABASE_URL": url})
	alone.release()
	cmd := exec.Command(os.Getenv(binaryEnv), "serve")
	cmd.Env = alone.environment()
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "set STAGEDOOR_DATABASE_DIRECT_URL to PostgreSQL itself") {
		t.Errorf("without a way past the pooler: %v\n%s", err, out)
	}

	x := newTroupe(t, map[string]string{"DATABASE_URL": url, "DATABASE_DIRECT_URL": db.url(), "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"})
	t.Run("webhooks are sent", func(t *testing.T) {
		admin := x.front.logIn(t)
		l := admin.listen(t)
		room := admin.createRoom(t, "told of").ID
		eventually(t, "the event arrives", func() bool { return l.heard(room) > 0 })
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.wrong) > 0 {
			t.Error(l.wrong)
		}
	})
	t.Run("a room lives on all of them", x.roomLives)
	t.Run("one is killed", func(t *testing.T) {
		x.survivesAKill(t)
		eventually(t, "PostgreSQL has no more sessions than it should", func() bool { // those of the test and of the dead end a moment later
			return db.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = '"+clusterName+"'") <= pooled+2*len(x.members)
		})
	})
	t.Run("what is made or taken away counts on all of them", x.agrees)
	t.Run("in session mode nothing is asked for", func(t *testing.T) {
		alone.settings["DATABASE_URL"] = strings.Replace(url, "/"+clusterName+"?", "/kept?", 1)
		alone.settings["DATA_DIR"] = x.members[0].data // with the master key
		alone.cli(t, "user", "list")
	})
}
