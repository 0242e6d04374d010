package e2e

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// duties are what one process does for all.
var duties = []string{"reconcile local", "reconcile", "relay", "chores"}

// handsDutiesOver takes the process away that does most, first for good, then by
// pausing it, which keeps its connections.
func (x *troupe) handsDutiesOver(t *testing.T) {
	var asked atomic.Int64
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.NotFound(w, r)
	}))
	t.Cleanup(node.Close)
	x.front.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", node.URL)
	goesOn := func() {
		t.Helper()
		before := asked.Load()
		eventually(t, "the media server is asked again", func() bool { return asked.Load() > before+1 })
	}
	alive := slices.Clone(x.members)
	for _, loss := range []struct {
		what string
		sig  syscall.Signal
	}{{"killed", syscall.SIGKILL}, {"paused", syscall.SIGSTOP}} {
		x.awaitLeaders(t, alive)
		goesOn()
		i := slices.IndexFunc(alive, func(s *server) bool { return s.leads("reconcile local") })
		lost := alive[i]
		alive = slices.Delete(alive, i, i+1)
		var held []string
		for _, name := range duties {
			if lost.leads(name) {
				held = append(held, name)
			}
		}
		began := time.Now()
		lost.proc.signal(loss.sig)
		x.awaitLeaders(t, alive)
		say(t, "%s who did %q: all is done by others after %v", loss.what, held, since(began))
		goesOn()
		if loss.sig == syscall.SIGSTOP {
			lost.proc.signal(syscall.SIGCONT)
			eventually(t, "the paused one knows that it leads no more", func() bool { return !slices.ContainsFunc(held, lost.leads) })
		}
	}
}

// awaitLeaders waits until each duty is one of these processes'.
func (x *troupe) awaitLeaders(t *testing.T, of []*server) {
	t.Helper()
	for _, name := range duties {
		eventually(t, "one of them leads in "+name, func() bool {
			return slices.ContainsFunc(of, func(s *server) bool { return s.leads(name) })
		})
	}
}

// leads tells from its log whether a process does a duty.
func (s *server) leads(name string) (leads bool) {
	n := 0
	s.log.count(func(r record) bool {
		if n++; n <= s.earlier {
			return false
		}
		switch r.text("msg") {
		case "leading":
			leads = leads || r.text("name") == name
		case "leader lost its connection", "draining":
			leads = false
		}
		return false
	})
	return leads && !s.proc.ended()
}
