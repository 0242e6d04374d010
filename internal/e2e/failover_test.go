package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// standby returns a second server that follows this one. From then on nothing is
// committed here that is not there too.
func (c *cluster) standby(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	ports, release := addresses(t, 1)
	next := &cluster{whole: t, address: ports[0], data: filepath.Join(dir, "data"), bin: c.bin, cred: c.cred, release: release}
	if c.cred != nil {
		if err := os.Chown(dir, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	c.tool(t, "pg_basebackup", "--dbname="+c.urlOf("postgres"), "--pgdata="+next.data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	next.start(t)
	c.exec(t, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	eventually(t, "the standby is waited for", func() bool {
		return c.count(t, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1
	})
	return next
}

// promote makes a standby the primary.
func (c *cluster) promote(t *testing.T) {
	t.Helper()
	c.tool(t, "pg_ctl", "promote", "--pgdata="+c.data)
}

// tool runs one of PostgreSQL's own programs.
func (c *cluster) tool(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = filepath.Dir(c.data), &syscall.SysProcAttr{Credential: c.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// The primary of a pair dies under load and the standby takes its place: the
// processes find it by themselves, with everything that was acknowledged.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary := newCluster(t)
	standby := primary.standby(t)
	url := "postgres://" + clusterName + "@" + primary.address + "," + standby.address + "/" + clusterName + "?sslmode=disable&target_session_attrs=read-write"
	x := newTroupe(t, map[string]string{"DATABASE_URL": url, "CALLBACK_TIMEOUT": callbackTimeout.String(), "RECONCILE_PERIOD": "1s"})
	admin := x.front.logIn(t)
	pair := admin.createToken(t, "revoked")
	c := newCrowd(t, x.front, admin, false)

	admin.destroyToken(t, pair.Token)
	began := time.Now()
	primary.kill(t)
	c.hears(t, unavailable)
	standby.promote(t)
	promoted := time.Now()
	c.hears(t, yes)
	say(t, "callbacks are let in again %v after the primary was killed, %v after the standby was promoted", since(began), since(promoted))
	c.recovers(t)
	x.everywhere(t, "what was revoked last is", func(s *server) bool {
		return s.tells(t, "on_play", guest{stream: "revoked", id: "late at " + s.url[7:], param: "?token=" + pair.PlayToken}) == no
	})
	x.everywhere(t, "everything was read anew", func(s *server) bool { return s.log.count(saying("change feed restored")) > 0 })
	x.awaitLeaders(t, x.members)
	say(t, "and every duty is done again after %v", since(began))
	t.Run("a room lives on all of them", x.roomLives)
	t.Run("revocations are heard of everywhere", func(t *testing.T) { x.revokesToken(t, x.doors(t)) })
	for _, s := range x.members {
		if s.proc.ended() {
			t.Errorf("%s has ended", s.url)
		}
	}
}
