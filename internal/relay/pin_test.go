package relay

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestTheServerIsToldTheAddressThatWasChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.names.set("cam.example.com", "203.0.113.7")
	b.names.set("six.example.com", "2a00::7")
	for remote, want := range map[string]string{
		"rtsp://u:p@cam.example.com/x?a=b":       "rtsp://u:p@203.0.113.7/x?a=b",
		"rtsp://cam.example.com:8554/x":          "rtsp://203.0.113.7:8554/x",
		"rtsp://six.example.com/x":               "rtsp://[2a00::7]/x",
		"rtsp://six.example.com:8554/x":          "rtsp://[2a00::7]:8554/x",
		"srt://cam.example.com:9000?streamid=x":  "srt://203.0.113.7:9000?streamid=x",
		"rtmp://cam.example.com/live/x":          "rtmp://203.0.113.7/live/x?vhost=cam.example.com",
		"rtmp://cam.example.com/live/x?t=1":      "rtmp://203.0.113.7/live/x?t=1&vhost=cam.example.com",
		"rtmp://cam.example.com/live/x?vhost=v":  "rtmp://203.0.113.7/live/x?vhost=v",
		"rtmp://203.0.113.9/live/x":              "rtmp://203.0.113.9/live/x",
		"rtsps://cam.example.com/x":              "rtsps://cam.example.com/x",
		"https://cam.example.com/live/x.m3u8":    "https://cam.example.com/live/x.m3u8",
		"http://cam.example.com:8080/live/x.flv": "http://cam.example.com:8080/live/x.flv",
	} {
		if got, _, err := b.pin(t.Context(), remote, netip.Addr{}); err != nil || got != want {
			t.Errorf("%s is told as %s, %v; want %s", remote, got, err, want)
		}
	}
	if _, _, err := b.pin(t.Context(), "rtsp://nobody.example.com/x", netip.Addr{}); errs.As(err).Reason != "host_unknown" {
		t.Errorf("an unknown name: %v", err)
	}
}

// The name led to a public address when the route was saved, and leads into the
// network of the media server when somebody plays.
func TestRebindingANameReachesNothingPrivate(t *testing.T) {
	t.Parallel()
	for _, private := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1"} {
		for _, scheme := range []string{"rtsp", "rtmp", "srt", "http", "https", "rtsps"} {
			t.Run(scheme+" "+private, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.world.add("zlm", "pulls")
				b.names.set("cam.example.com", "203.0.113.7")
				b.route(t, "/hr/", scheme+"://cam.example.com/x", false)
				b.names.set("cam.example.com", private)
				if _, err := b.Demand(t.Context(), "zlm", streamAt("/hr/x")); errs.As(err).Reason != "address_not_allowed" {
					t.Errorf("got %v", err)
				}
				if p, ok := b.world.pull("zlm", "/hr/x"); ok {
					t.Errorf("the server was told %s", p.Source)
				}
				b.wantState(t, Failed, "address_not_allowed")
			})
		}
	}
}

func TestARunningPullEndsWhenItsNameLeadsInside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("mtx", "waits")
	b.names.set("cam.example.com", "203.0.113.7")
	b.route(t, "/cam", "https://cam.example.com/x.m3u8", true)
	b.round(t)
	b.world.wantSource(t, "mtx", "/cam", "https://cam.example.com/x.m3u8")
	b.names.set("cam.example.com", "10.0.0.1")
	b.clock.advance(resolveEvery)
	b.round(t)
	if _, ok := b.world.pull("mtx", "/cam"); ok {
		t.Error("still fetched")
	}
	b.wantState(t, Failed, "address_not_allowed")
	b.names.set("cam.example.com", "203.0.113.8")
	b.round(t)
	b.world.wantSource(t, "mtx", "/cam", "https://cam.example.com/x.m3u8")
}

func TestANameThatMovesTakesItsPullAlongAndOneThatIsLostDoesNot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("mtx", "waits")
	b.names.set("cam.example.com", "203.0.113.7")
	b.route(t, "/cam", "rtsp://cam.example.com/x", true)
	b.round(t)
	b.names.set("cam.example.com", "203.0.113.8")
	b.clock.advance(resolveEvery)
	b.round(t)
	b.world.wantSource(t, "mtx", "/cam", "rtsp://203.0.113.8/x")
	b.world.with("mtx", func(s *server) { s.pulls["/cam"].ready = true })
	b.names.set("cam.example.com", "")
	b.clock.advance(time.Hour)
	b.round(t)
	b.world.wantSource(t, "mtx", "/cam", "rtsp://203.0.113.8/x")
	b.wantState(t, Running, "")
}
