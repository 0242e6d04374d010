package e2e

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// TestMainJob is the whole story of one live room, step by step, with nothing
// but real programs. 'make demo' shows it to a person.
func TestMainJob(t *testing.T) {
	t.Parallel()
	s := &story{whole: t, nginx: newMediaServer(t)}
	for _, step := range []struct {
		title string
		run   func(*testing.T)
	}{
		{"an empty machine", s.begins},
		{"log in and create a room", s.createsRoom},
		{"a signed push puts the room on air", s.goesLive},
		{"a second publisher of the stream is refused", s.refusesSecondPublisher},
		{"a player sees the picture and is counted", s.isWatched},
		{"the list of streams tells codec and size", s.isListed},
		{"wrong, expired and missing credentials are refused", s.refusesBadCredentials},
		{"a live token opens both doors until it is destroyed", s.takesLiveTokens},
		{"a revoked key opens nothing, the new one does", s.revokesKey},
		{"the encoder is killed and comes back", s.losesEncoder},
		{"the anchor stops the room", s.ends},
		{"the recordings can be watched", s.isRecorded},
	} {
		if !t.Run(step.title, step.run) {
			t.FailNow()
		}
	}
}

// story is what its steps share.
type story struct {
	*server
	whole   *testing.T // for what lives longer than a step
	nginx   *mediaServer
	admin   account
	room    api.Room
	encoder *client
}

func (s *story) begins(t *testing.T) {
	begin := time.Now()
	s.server = newServer(s.whole, map[string]string{"PUSH_DOMAIN": s.nginx.rtmp})
	say(t, "stagedoor serves at %s after %v: private PostgreSQL made, schema migrated, administrator created", s.url, since(begin))
	s.nginx.start(s.whole, s.url)
	say(t, "nginx-rtmp listens at rtmp://%s and asks stagedoor about every publisher and player", s.nginx.rtmp)
	s.cli(t, "node", "update", "local", "--kind", "nginx-rtmp", "--control-url", s.nginx.statURL(), "--record-url", s.nginx.recordURL())
	say(t, "stagedoor node update local: statistics at %s, recordings at %s", s.nginx.statURL(), s.nginx.recordURL())
}

func (s *story) createsRoom(t *testing.T) {
	wrong, err := s.anonymous(t).AppLoginV1WithResponse(t.Context(), api.LoginRequest{Username: "admin", Password: "guess"})
	if err != nil || wrong.JSON401 == nil {
		t.Fatalf("a wrong password: %v, %s", err, body(wrong))
	}
	say(t, "a wrong password: %s", body(wrong))
	s.admin = s.logIn(t)
	s.room = s.admin.createRoom(t, "the first room")
	if s.room.Status != 0 || s.room.PushURLInfo == nil {
		t.Fatalf("a new room: %+v", s.room)
	}
	say(t, "room %s has status 0", s.room.ID)
	say(t, "push to %s", s.pushURL())
	say(t, "play   %s", s.room.PullURLInfo.RTMPURL)
}

func (s *story) pushURL() string { return s.room.PushURLInfo.RTMPURL }

// path is how log lines name the room's stream.
func (s *story) path() string { return "live/" + s.room.ID }

func (s *story) goesLive(t *testing.T) {
	begin := time.Now()
	s.encoder = s.push(t)
	say(t, "ffmpeg pushes; room status 1 after %v", since(begin))
	if got := s.admin.room(t, s.room.ID); !strings.HasPrefix(got.StartedAt, "20") {
		t.Errorf("started_at %q", got.StartedAt)
	}
	if n := s.decisions(t, "publish", "allow", "allowed"); n != 1 {
		t.Errorf("metrics count %d publishers let in", n)
	}
}

// push publishes to the room until the encoder is ended by the story.
func (s *story) push(t *testing.T) *client {
	t.Helper()
	encoder := publish(s.whole, s.pushURL())
	s.admin.awaitStatus(t, s.room.ID, 1)
	return encoder
}

func (s *story) refusesSecondPublisher(t *testing.T) {
	s.refuses(t, "publish", s.path(), "already_publishing", func() *client { return publish(t, s.pushURL()) })
	say(t, "refused: already_publishing")
	if s.encoder.ended() || s.admin.room(t, s.room.ID).Status != 1 {
		t.Error("the first publisher is gone")
	}
}

func (s *story) isWatched(t *testing.T) {
	player := play(t, s.room.PullURLInfo.RTMPURL)
	player.watch(t, 5)
	m := s.metrics(t)
	if m.OnlineCount != 1 || m.Pv != 1 || m.Uv != 1 {
		t.Errorf("while playing: %+v", m)
	}
	say(t, "ffmpeg plays and has decoded %d pictures; metrics: online %d, pv %d, uv %d", player.frames(), m.OnlineCount, m.Pv, m.Uv)
	again := play(t, s.room.PullURLInfo.RTMPURL)
	again.watch(t, 1)
	player.quit(t)
	again.quit(t)
	eventually(t, "nobody online", func() bool { return s.metrics(t).OnlineCount == 0 })
	if m = s.metrics(t); m.Pv != 2 || m.Uv != 1 {
		t.Errorf("after a second look: %+v", m)
	}
	say(t, "a second look and both gone: online %d, pv %d, uv %d", m.OnlineCount, m.Pv, m.Uv)
}

func (s *story) metrics(t *testing.T) api.RoomMetrics {
	t.Helper()
	m := s.admin.room(t, s.room.ID).Metrics
	if m == nil {
		t.Fatal("the room has no metrics")
	}
	return *m
}

func (s *story) isListed(t *testing.T) {
	var got *api.ResponseStream
	eventually(t, "the stream is listed with its codec", func() bool {
		got = s.admin.stream(t, s.room.ID)
		return got != nil && got.Video.Codec != "" && got.Video.Width > 0 && got.Audio.Codec != ""
	})
	if got.Video.Width != pictureWidth || got.Video.Height != pictureHeight {
		t.Errorf("the picture is %d x %d", got.Video.Width, got.Video.Height)
	}
	say(t, "%s: video %s %dx%d, audio %s %d Hz, %d client", got.Name, got.Video.Codec, got.Video.Width, got.Video.Height,
		got.Audio.Codec, got.Audio.SampleRate, got.Clients)
}

func (s *story) losesEncoder(t *testing.T) {
	begin := time.Now()
	s.encoder.signal(syscall.SIGKILL)
	s.admin.awaitStatus(t, s.room.ID, 0)
	say(t, "kill -9 of ffmpeg; room status 0 after %v", since(begin))
	begin = time.Now()
	s.encoder = s.push(t)
	say(t, "ffmpeg pushes again; room status 1 after %v", since(begin))
	player := play(t, s.room.PullURLInfo.RTMPURL)
	player.watch(t, 2*pictureRate)
	player.quit(t)
	say(t, "and the picture is back: %d pictures decoded", player.frames())
}

func (s *story) ends(t *testing.T) {
	s.admin.stopRoom(t, s.room.ID)
	say(t, "room status 2")
	s.encoder.quit(t)
	s.refuses(t, "publish", s.path(), "room_ended", func() *client { return publish(t, s.pushURL()) })
	say(t, "pushing again with the same, valid URL: room_ended")
	if got := s.admin.room(t, s.room.ID); got.Status != 2 || got.PushURLInfo != nil {
		t.Errorf("status %d, push URLs %v", got.Status, got.PushURLInfo)
	}
}

func (s *story) isRecorded(t *testing.T) {
	const pushes = 2
	var files []api.VODItem
	eventually(t, "two recordings", func() bool {
		if v := s.admin.room(t, s.room.ID).VODInfo; v != nil {
			files = v.Playlist
		}
		return len(files) == pushes
	})
	for _, f := range files {
		resp, err := http.Get(f.PlayURL)
		if err != nil {
			t.Fatal(err)
		}
		size, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close() // read to the end
		if err != nil || resp.StatusCode != http.StatusOK || size == 0 {
			t.Fatalf("%s: %s, %d bytes, %v", f.PlayURL, resp.Status, size, err)
		}
		frames, codec := probe(t, f.PlayURL)
		if frames == 0 || codec != "h264" {
			t.Errorf("%s: %d pictures of %q", f.PlayURL, frames, codec)
		}
		say(t, "vod_info: %s, %d kB, %d pictures of %s", f.PlayURL, size/1000, frames, codec)
	}
}
