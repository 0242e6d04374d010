package relay

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

const camera = "rtsp://admin:hunter2@192.168.7.2/one"

func TestAServerThatWaitsForViewersIsToldAhead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("mtx", "waits")
	b.route(t, "/hr/door", camera, false)
	b.round(t)
	p, ok := b.world.pull("mtx", "/hr/door")
	if !ok || p.Source != camera || p.KeepAlive || p.IdleAfter != 5*time.Minute {
		t.Fatalf("told %+v, %v", p, ok)
	}
	b.round(t)
	got := b.wantState(t, Idle, "")
	if got.Node != "mtx" || strings.Contains(fmt.Sprint(got), "hunter2") {
		t.Errorf("shown %+v", got)
	}
	b.world.with("mtx", func(s *server) { s.pulls["/hr/door"].viewers = 2 })
	b.round(t)
	b.wantState(t, Starting, "")
	b.world.with("mtx", func(s *server) { s.pulls["/hr/door"].ready = true })
	b.clock.advance(time.Second)
	b.round(t)
	if got = b.wantState(t, Running, ""); got.Viewers != 2 || !got.Since.Equal(b.clock.now()) {
		t.Errorf("running: %+v", got)
	}
	b.world.with("mtx", func(s *server) { *s.pulls["/hr/door"] = fetched{Pull: p.Pull} })
	b.clock.advance(time.Minute)
	b.round(t)
	b.wantState(t, Idle, "")
}

func TestAPlayBeginsAPullThatEndsAfterFiveIdleMinutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	b.round(t)
	if _, ok := b.world.pull("zlm", "/hr/door/Cam1"); ok {
		t.Fatal("fetched before anybody asked")
	}
	b.demand(t, "zlm", "/hr/door/Cam1")
	b.world.wantSource(t, "zlm", "/hr/door/Cam1", "rtsp://192.168.7.2/video/door/Cam1")
	b.wantState(t, Starting, "")
	b.world.with("zlm", func(s *server) { s.pulls["/hr/door/Cam1"].ready, s.pulls["/hr/door/Cam1"].viewers = true, 1 })
	for range 20 { // nobody calls back in all this time
		b.clock.advance(time.Minute)
		b.round(t)
	}
	b.wantState(t, Running, "")
	b.world.with("zlm", func(s *server) { s.pulls["/hr/door/Cam1"].viewers = 0 })
	b.clock.advance(3 * time.Minute)
	b.round(t)
	if _, ok := b.world.pull("zlm", "/hr/door/Cam1"); !ok {
		t.Fatal("ended too early")
	}
	b.clock.advance(2*time.Minute + time.Second)
	b.round(t)
	if _, ok := b.world.pull("zlm", "/hr/door/Cam1"); ok {
		t.Fatal("still fetched after five idle minutes")
	}
	b.round(t)
	if got := b.wantState(t, Idle, ""); len(got.Streams) != 0 {
		t.Errorf("left behind: %+v", got)
	}
}

func TestWhatIsPublishedHereIsNotFetched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, started_at)
		VALUES ('zlm', '', 'c1', 'publish', '__defaultVhost__', 'hr', 'door', $1)`, b.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	b.demand(t, "zlm", "/hr/door")
	if _, ok := b.world.pull("zlm", "/hr/door"); ok {
		t.Error("a published stream is fetched")
	}
}

func TestAKeptAlivePullNeedsNoViewersAndSurvivesRestarts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/cam", camera, true)
	b.round(t)
	b.world.wantSource(t, "zlm", "/cam", camera)
	if p, _ := b.world.pull("zlm", "/cam"); !p.KeepAlive {
		t.Errorf("told %+v", p)
	}
	b.clock.advance(time.Hour)
	b.round(t)
	b.world.with("zlm", func(s *server) { clear(s.pulls) }) // it was restarted
	b.again(t).round(t)                                     // and so were we
	b.world.wantSource(t, "zlm", "/cam", camera)
}

func TestASilentSourceIsAFailureAndIsTriedOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/cam", camera, true)
	b.round(t)
	b.round(t)
	b.wantState(t, Starting, "")
	b.clock.advance(patience)
	b.round(t)
	b.wantState(t, Failed, reasonNoMedia)
	b.round(t)
	b.wantState(t, Failed, reasonNoMedia)
	b.world.with("zlm", func(s *server) { s.pulls["/cam"].fault = "rtsp://admin:hunter2@192.168.7.2/one: refused" })
	b.round(t)
	if got := b.wantState(t, Failed, reasonFault); strings.Contains(fmt.Sprint(got), "hunter2") {
		t.Errorf("shown %+v", got)
	}
	b.world.with("zlm", func(s *server) { s.pulls["/cam"].fault, s.pulls["/cam"].ready = "", true })
	b.round(t)
	b.wantState(t, Running, "")
}

func TestDeletingAndChangingARouteReachesItsPulls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("mtx", "waits")
	b.route(t, "/cam", camera, false)
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	b.demand(t, "mtx", "/hr/door")
	b.round(t)
	b.clock.advance(time.Second)
	b.route(t, "/cam", "rtsp://192.168.7.2/two", true)
	b.round(t)
	b.world.wantSource(t, "mtx", "/cam", "rtsp://192.168.7.2/two")
	if p, _ := b.world.pull("mtx", "/cam"); !p.KeepAlive {
		t.Error("keep-alive is not told")
	}
	for _, pattern := range []string{"/cam", "/hr/"} {
		if err := b.routes.Delete(t.Context(), pattern); err != nil {
			t.Fatal(err)
		}
	}
	b.round(t)
	b.world.with("mtx", func(s *server) {
		if len(s.pulls) != 0 {
			t.Errorf("still fetched: %v", s.pulls)
		}
	})
	b.round(t)
	var rows int
	if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM relays").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestPullsOfNobodyAreEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("mtx", "waits")
	b.world.with("mtx", func(s *server) {
		s.pulls["/old"] = &fetched{Pull: media.Pull{Stream: streamAt("/old"), Source: camera}}
	})
	b.round(t)
	if _, ok := b.world.pull("mtx", "/old"); ok {
		t.Error("a pull that a crash left behind is still there")
	}
}

// Some servers cannot tell whose pulls they have: the one process forgot, or
// never knew.
func TestPullsThatAnotherProcessBeganAreEndedToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "forgets")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	b.demand(t, "zlm", "/hr/door")
	if err := b.routes.Delete(t.Context(), "/hr/"); err != nil {
		t.Fatal(err)
	}
	next := b.again(t)
	next.round(t)
	if _, ok := b.world.pull("zlm", "/hr/door"); ok {
		t.Error("still fetched")
	}
}

func TestAnotherNodeTakesOverAndTheFirstIsTidiedUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("a", "waits")
	b.world.add("b", "waits")
	b.route(t, "/cam", camera, true)
	b.round(t)
	first := b.state(t).Node
	second := map[string]string{"a": "b", "b": "a"}[first]
	if _, ok := b.world.pull(second, "/cam"); ok || first == "" {
		t.Fatalf("first %q", first)
	}
	b.world.with(first, func(s *server) { s.down = true })
	b.round(t)
	if _, ok := b.world.pull(second, "/cam"); ok {
		t.Error("one round without an answer moves a route")
	}
	b.round(t)
	b.world.wantSource(t, second, "/cam", camera)
	b.world.with(second, func(s *server) { s.pulls["/cam"].ready = true })
	b.round(t)
	b.world.with(first, func(s *server) { s.down = false })
	b.round(t)
	b.round(t)
	carrying := 0
	for _, n := range []string{first, second} {
		if _, ok := b.world.pull(n, "/cam"); ok {
			carrying++
		}
	}
	if carrying != 1 {
		t.Errorf("%d nodes carry the route", carrying)
	}
}

func TestANodeFetchesForItsOwnViewersAndTheCarrierForOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("a", "pulls")
	b.world.add("b", "pulls")
	b.world.add("srs", "cannot")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	for _, n := range []string{"a", "b"} {
		b.demand(t, n, "/hr/"+n)
		b.world.wantSource(t, n, "/hr/"+n, "rtsp://192.168.7.2/video/"+n)
	}
	b.demand(t, "srs", "/hr/x")
	_, onA := b.world.pull("a", "/hr/x")
	_, onB := b.world.pull("b", "/hr/x")
	if onA == onB {
		t.Errorf("fetched by a: %v, by b: %v", onA, onB)
	}
}

func TestWithoutANodeThatCanTheRouteSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("srs", "cannot")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	found, err := b.Demand(t.Context(), "srs", streamAt("/hr/x"))
	if !found || errs.As(err).Reason != reasonNoCarrier {
		t.Errorf("%v, %v", found, err)
	}
	b.round(t)
	if got := b.wantState(t, Failed, reasonNoCarrier); !strings.Contains(Message(got.Reason), "SRS") {
		t.Errorf("it says %q", Message(got.Reason))
	}
	if found, err := b.Demand(t.Context(), "srs", streamAt("/other/x")); found || err != nil {
		t.Errorf("without a route: %v, %v", found, err)
	}
}

func TestAPrefixDoesNotFetchWithoutBound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO relays (node, app, stream, pattern, state, since, used_at, created_at)
		SELECT 'zlm', 'hr', 's' || n, '/hr/', 'idle', $1, $1, $1 FROM generate_series(1, $2::int) n`, b.clock.now(), maxPerRoute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Demand(t.Context(), "zlm", streamAt("/hr/one-more")); errs.KindOf(err) != errs.RateLimited {
		t.Errorf("got %v", err)
	}
	b.clock.advance(IdleAfter)
	b.round(t)
	b.demand(t, "zlm", "/hr/one-more")
}

func TestManyViewersCostOneRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	for range 50 {
		b.demand(t, "zlm", "/hr/door")
	}
	b.world.with("zlm", func(s *server) {
		if s.told != 1 {
			t.Errorf("told %d times", s.told)
		}
	})
}

type verdicts struct{ media.Verdict }

func (v verdicts) Handle(context.Context, media.Event) (media.Verdict, error) { return v.Verdict, nil }

func TestOnlyAllowedPlaysOfClientsAskForAStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	for i, c := range []struct {
		event   media.Event
		allow   bool
		fetched bool
	}{
		{media.Event{Action: media.Playing}, true, true},
		{media.Event{Action: media.Playing, Tentative: true}, true, true},
		{media.Event{Action: media.Playing}, false, false},
		{media.Event{Action: media.Playing, Relay: true}, true, false},
		{media.Event{Action: media.Publishing}, true, false},
		{media.Event{Action: media.Stopped}, true, false},
	} {
		path := fmt.Sprintf("/hr/%d", i)
		c.event.Node, c.event.Stream = "zlm", streamAt(path)
		l := Ledger{Ledger: verdicts{media.Verdict{Allow: c.allow}}, Relays: b.Service}
		if v, err := l.Handle(t.Context(), c.event); err != nil || v.Allow != c.allow {
			t.Errorf("%d: %+v, %v", i, v, err)
		}
		if _, ok := b.world.pull("zlm", path); ok != c.fetched {
			t.Errorf("%d: fetched %v", i, ok)
		}
	}
}

func TestADatabaseThatIsAwayStopsNoViewer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.world.add("zlm", "pulls")
	b.route(t, "/hr/", "rtsp://192.168.7.2/video", false)
	b.pool.Close()
	l := Ledger{Ledger: verdicts{media.Verdict{Allow: true}}, Relays: b.Service}
	if v, err := l.Handle(t.Context(), media.Event{Action: media.Playing, Node: "zlm", Stream: streamAt("/hr/x")}); err != nil || !v.Allow {
		t.Errorf("%+v, %v", v, err)
	}
	if err := b.Round(t.Context()); errs.KindOf(err) != errs.Unavailable {
		t.Errorf("got %v", err)
	}
	b.world.with("zlm", func(s *server) {
		if s.told != 0 {
			t.Error("a pull that nobody would remember")
		}
	})
}
