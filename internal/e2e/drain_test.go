package e2e

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

func TestTerminationFailsNoAcceptedRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t)})
	admin := s.logIn(t)
	room := admin.createRoom(t, "watched")

	// The callbacks come on a connection each, as from media servers.
	hooks := s.anonymous(t, api.WithRequestEditorFn(closing))
	all := &load{failFast: true}
	all.start(t, 4, admin.creating())
	all.start(t, 4, s.playing(hooks, room.PullURLInfo.RTMPURL, 1000))
	all.awaitMore(t, http.StatusOK, 200)
	s.stop(t)
	outcomes := all.finish()
	say(t, "SIGTERM under load: %v", tally(outcomes))
	for _, o := range outcomes {
		if o.err != nil && !errors.Is(o.err, syscall.ECONNREFUSED) {
			t.Errorf("lost: %v", o.err)
		}
		if o.status != http.StatusOK && o.status != 0 {
			t.Errorf("status %d", o.status)
		}
	}
	if s.log.count(saying("draining")) != 1 || strings.Contains(s.log.String(), `"level":"ERROR"`) {
		t.Errorf("the log:\n%s", s.log)
	}
	s.start(t)
	admin.assertKept(t, outcomes)
}
