package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediamtx"
)

// mediaMTXEnv names a mediamtx binary. No package manager has one, so that its
// test runs only where somebody has built it.
const mediaMTXEnv = "STAGEDOOR_TEST_MEDIAMTX"

// mediaMTX is a real MediaMTX with the lines that we print.
type mediaMTX struct {
	binary, dir     string
	rtmp, rtsp, api string // host:port
	proc            *process
	node            media.Node
	client          mediamtx.Client
}

func newMediaMTX(t *testing.T, s *server) *mediaMTX {
	t.Helper()
	ports, release := addresses(t, 3)
	m := &mediaMTX{binary: os.Getenv(mediaMTXEnv), dir: t.TempDir(), rtmp: ports[0], rtsp: ports[1], api: ports[2],
		client: mediamtx.Client{HTTP: http.DefaultClient, Now: time.Now}}
	m.node = media.Node{Name: "mtx", Kind: "mediamtx", ControlURL: "http://" + m.api, Username: "ops", Password: "control password"}
	var made struct{ Config string }
	out := s.cliReading(t, m.node.Password, "node", "create", "mtx", "--kind", "mediamtx", "--control-url", m.node.ControlURL,
		"--username", m.node.Username, "--password", "--json")
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("rtmpAddress: %s\nrtspAddress: %s\nrtspTransports: [tcp]\nhls: no\nwebrtc: no\nsrt: no\nmoq: no\n%s\n", m.rtmp, m.rtsp, made.Config)
	if err := os.WriteFile(filepath.Join(m.dir, "mediamtx.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	release()
	m.run(t)
	return m
}

func (m *mediaMTX) run(t *testing.T) {
	t.Helper()
	var printed lockedBuffer
	cmd := exec.Command(m.binary, "mediamtx.yml")
	cmd.Dir, cmd.Stdout, cmd.Stderr = m.dir, &printed, &printed
	m.proc = launch(t, cmd, syscall.SIGKILL)
	eventually(t, "MediaMTX listens", func() bool {
		if m.proc.ended() {
			t.Fatalf("MediaMTX ended: %v\n%s", m.proc.err, &printed)
		}
		conn, err := net.Dial("tcp", m.api)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// TestMediaMTX takes a real one through publish, play, kick and kill -9 of
// either side.
func TestMediaMTX(t *testing.T) {
	if os.Getenv(mediaMTXEnv) == "" {
		t.Skipf("%s names no mediamtx", mediaMTXEnv)
	}
	t.Parallel()
	s := newServer(t, nil)
	m := newMediaMTX(t, s)
	admin := s.logIn(t)
	pair := admin.createToken(t, "mtx1")
	push, pull := "rtmp://"+m.rtmp+"/live/mtx1?token="+pair.Token, "rtsp://any:"+pair.PlayToken+"@"+m.rtsp+"/live/mtx1"

	on := func() bool { return admin.stream(t, "mtx1") != nil }
	off := func() bool { return !on() }

	publish(t, "rtmp://"+m.rtmp+"/live/mtx1?token=guess").mustBeRefused(t)
	encoder := publish(t, push)
	eventually(t, "the stream is on record", on)
	publish(t, push).mustBeRefused(t)
	play(t, "rtsp://any:guess@"+m.rtsp+"/live/mtx1").mustBeRefused(t)
	player := play(t, pull)
	player.watch(t, 2)

	good[*api.IpchubDeleteStreamResponse](t)(admin.IpchubDeleteStreamWithResponse(t.Context(), "live/mtx1"))
	encoder.wait(t)
	player.wait(t)
	eventually(t, "the stream is off the record", off)

	encoder = publish(t, push)
	eventually(t, "the next publisher is on record", on)
	encoder.drop(t)
	eventually(t, "a killed encoder is off the record", off)

	encoder = publish(t, push)
	eventually(t, "one more is on record", on)
	m.proc.signal(syscall.SIGKILL)
	m.proc.wait(t)
	encoder.wait(t)
	m.run(t)
	again := publish(t, push)
	eventually(t, "the server that came back has the stream", func() bool {
		streams, err := m.client.Census(t.Context(), m.node)
		return err == nil && len(streams.Clients) == 1 && streams.Clients[0].Scene == media.Publish
	})
	again.quit(t)
}
