package e2e

import (
	"net/http"
	"testing"
	"time"
)

func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	nginx := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": nginx.rtmp})
	nginx.start(t, s.url)
	admin := s.logIn(t)
	room := admin.createRoom(t, "survivor")

	creating := &load{failFast: true}
	creating.start(t, 4, admin.creating())
	creating.awaitMore(t, http.StatusOK, 50)
	s.kill(t)
	outcomes := creating.finish()
	say(t, "killed while rooms were created: %v", tally(outcomes))
	begin := time.Now()
	s.start(t)
	say(t, "serves again after %v, with the PostgreSQL that the killed process left", since(begin))
	admin.assertKept(t, outcomes)

	// The reply that lets the publisher in is the last thing the process does.
	admitted := func(r record) bool { return r.text("path") == "/callback/nginx-rtmp" && r["status"] == 200.0 }
	encoder := publish(t, room.PushURLInfo.RTMPURL)
	eventually(t, "the publisher is let in", func() bool { return s.log.count(admitted) > 0 })
	s.kill(t)
	s.start(t)
	if got := admin.room(t, room.ID); got.Status != 1 {
		t.Errorf("room status %d, want 1", got.Status)
	}
	if admin.stream(t, room.ID) == nil {
		t.Error("the publisher is not on the list of streams")
	}
	s.refuses(t, "publish", "live/"+room.ID, "already_publishing", func() *client { return publish(t, room.PushURLInfo.RTMPURL) })
	player := play(t, room.PullURLInfo.RTMPURL)
	player.watch(t, 1)
	player.quit(t)
	say(t, "killed right after a publisher was let in: it is on the air, counted, and the only one")
	encoder.quit(t)
	admin.awaitStatus(t, room.ID, 0)
}
