package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
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

	ended, pair := admin.createRoom(t, "ended"), admin.createToken(t, "shut")
	admin.destroyToken(t, pair.Token)
	admin.stopRoom(t, ended.ID)
	s.kill(t)
	s.start(t)
	if got := admin.room(t, ended.ID); got.Status != 2 {
		t.Errorf("a stopped room has status %d", got.Status)
	}
	s.refuses(t, "publish", "live/"+ended.ID, "room_ended", func() *client { return publish(t, ended.PushURLInfo.RTMPURL) })
	s.refuses(t, "play", "live/shut", "token_revoked", func() *client { return play(t, "rtmp://"+nginx.rtmp+"/live/shut?token="+pair.PlayToken) })
	say(t, "killed right after a room was stopped and a token destroyed: both are")

	// The reply that lets the publisher in is about the last thing the process does.
	encoder := publish(t, room.PushURLInfo.RTMPURL)
	eventually(t, "the publisher is let in", func() bool { return nginx.publishes(t, room.ID) })
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

func TestACrashedMediaServerHoldsNoStream(t *testing.T) {
	t.Parallel()
	nginx := newMediaServer(t)
	s := newServer(t, map[string]string{"PUSH_DOMAIN": nginx.rtmp, "DATABASE_URL": dbtest.URL(t)})
	nginx.start(t, s.url)
	s.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", nginx.statURL())
	admin := s.logIn(t)
	room := admin.createRoom(t, "reopened")
	// Connections are numbered from one again, so that this is not the number
	// of the one that comes after.
	play(t, withoutQuery(room.PullURLInfo.RTMPURL)).mustBeRefused(t)
	first := publish(t, room.PushURLInfo.RTMPURL)
	admin.awaitStatus(t, room.ID, 1)

	nginx.crash(t)
	first.wait(t)
	begin := time.Now()
	var again *client
	eventually(t, "an encoder that tries again gets in", func() bool {
		again = publish(t, room.PushURLInfo.RTMPURL)
		eventually(t, "an answer", func() bool { return again.ended() || nginx.publishes(t, room.ID) })
		return !again.ended()
	})
	say(t, "kill -9 of nginx; the encoder is let in again after %v", since(begin))
	if got := admin.room(t, room.ID); got.Status != 1 {
		t.Errorf("room status %d", got.Status)
	}
	again.quit(t)
	admin.awaitStatus(t, room.ID, 0)
}
