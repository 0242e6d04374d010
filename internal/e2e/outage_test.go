package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// callbackTimeout is how long the server under test lets callbacks wait, and
// patienceOfServers far more than any media server waits for one.
const (
	callbackTimeout   = 2 * time.Second
	patienceOfServers = 30 * time.Second
)

func TestDatabaseOutagePassesByItself(t *testing.T) {
	t.Parallel()
	nginx := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": nginx.rtmp, "CALLBACK_TIMEOUT": callbackTimeout.String()})
	nginx.start(t, s.url)
	admin := s.logIn(t)
	room, later := admin.createRoom(t, "weathered"), admin.createRoom(t, "opened meanwhile")
	encoder := publish(t, room.PushURLInfo.RTMPURL)
	admin.awaitStatus(t, room.ID, 1)

	say(t, "PostgreSQL hangs")
	rooms, plays := s.underLoad(t, admin, room.PullURLInfo.RTMPURL, 1000)
	frozen := s.freezePostgres(t)
	begin := time.Now()
	plays.awaitMore(t, http.StatusServiceUnavailable, 4)
	// Whoever has a bad credential is told so from memory.
	s.refuses(t, "play", "live/"+room.ID, "signature_mismatch", func() *client { return play(t, laterExpiry(room.PullURLInfo.RTMPURL)) })
	accepted := nginx.accepted(t)
	waiting := publish(t, later.PushURLInfo.RTMPURL)
	eventually(t, "the encoder has connected", func() bool { return nginx.accepted(t) > accepted })
	thaw(frozen)
	say(t, "it hung for %v", since(begin))
	s.recovers(t, rooms, plays)
	eventually(t, "an encoder that came meanwhile is on the air", func() bool {
		if waiting.ended() { // the answer took too long; encoders try again
			waiting = publish(t, later.PushURLInfo.RTMPURL)
		}
		return admin.room(t, later.ID).Status == 1
	})
	say(t, "an encoder that came meanwhile is on the air")
	waiting.quit(t)

	say(t, "PostgreSQL is killed")
	rooms, plays = s.underLoad(t, admin, room.PullURLInfo.RTMPURL, 100_000)
	old := s.postmaster()
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	eventually(t, "another PostgreSQL runs", func() bool { now := s.postmaster(); return now != 0 && now != old })
	say(t, "a new one was started after %v", since(begin))
	s.recovers(t, rooms, plays)

	if encoder.ended() || admin.room(t, room.ID).Status != 1 {
		t.Error("the stream did not live through it")
	}
	encoder.quit(t)
	admin.awaitStatus(t, room.ID, 0)
}

func (s *server) underLoad(t *testing.T, admin account, pull string, firstID int) (rooms, plays *load) {
	t.Helper()
	rooms, plays = &load{}, &load{}
	rooms.start(t, 2, admin.creating())
	plays.start(t, 2, s.playing(s.anonymous(t), pull, firstID))
	rooms.awaitMore(t, http.StatusOK, 10)
	plays.awaitMore(t, http.StatusOK, 10)
	return rooms, plays
}

// recovers demands that requests succeed again, that those which did not
// failed in good order and in time, and that what was acknowledged is kept.
func (s *server) recovers(t *testing.T, rooms, plays *load) {
	t.Helper()
	rooms.awaitMore(t, http.StatusOK, 10)
	plays.awaitMore(t, http.StatusOK, 10)
	created, played := rooms.finish(), plays.finish()
	say(t, "rooms created: %v, slowest %v", tally(created), slowest(created))
	say(t, "players let in: %v, slowest %v", tally(played), slowest(played))
	for _, o := range append(created, played...) {
		if o.status != http.StatusOK && o.status != http.StatusServiceUnavailable {
			t.Errorf("status %d, %v", o.status, o.err)
		}
	}
	if took := slowest(played); took > patienceOfServers {
		t.Errorf("a callback took %v", took)
	}
	eventually(t, "ready", func() bool {
		resp, err := s.anonymous(t).ReadyzWithResponse(t.Context())
		return err == nil && resp.StatusCode() == http.StatusOK
	})
	s.logIn(t).assertKept(t, created)
}

// freezePostgres stops every process of the private PostgreSQL.
func (s *server) freezePostgres(t *testing.T) (pids []int) {
	t.Helper()
	parent := s.postmaster()
	if parent == 0 {
		t.Fatal("no PostgreSQL runs")
	}
	halt(t, parent)
	pids = append([]int{parent}, childrenOf(t, parent)...)
	t.Cleanup(func() { thaw(pids) })
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // a child may have ended
	}
	return pids
}

// halt stops a process and returns when it has stopped.
func halt(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process has stopped", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.HasPrefix(string(text[strings.LastIndexByte(string(text), ')')+1:]), " T")
	})
}

func thaw(pids []int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended
	}
}

func childrenOf(t *testing.T, parent int) (pids []int) {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, err := os.ReadFile(entry)
		if err != nil {
			continue // it has just ended
		}
		// pid (name) state parent …, and a name may hold anything.
		_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
		var state string
		var ppid int
		if _, err := fmt.Sscan(rest, &state, &ppid); err == nil && ppid == parent {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(entry))) // digits
			pids = append(pids, pid)
		}
	}
	return pids
}
