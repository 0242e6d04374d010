package ledger

import (
	"reflect"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

func over(protocol string, e media.Event) media.Event {
	e.Protocol = protocol
	return e
}

func (b *bench) wantFigures(t *testing.T, want Figures) {
	t.Helper()
	b.clock.advance(figuresFresh)
	if got, err := b.Figures(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestFiguresCountWhatIsOpenAndWhatWas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.wantFigures(t, Figures{Protocols: map[string]Count{}})
	p, q := onSRS(stream("a")), onSRS(stream("a"))
	b.allow(t, p.publish(), p.publish(), over("http-flv", q.play()), over("hls", onSRS(stream("a")).play()), onNginx(stream("b")).publish())
	b.refuse(t, onSRS(stream("a")).publish(), media.AlreadyPublishing)
	b.wantFigures(t, Figures{Sources: 2, Consumers: 2, Protocols: map[string]Count{"rtmp": {2, 2}, "http-flv": {1, 1}, "hls": {1, 1}}})
	b.allow(t, p.unpublish(), over("http-flv", q.leave()))
	b.wantFigures(t, Figures{Sources: 1, Consumers: 1, Protocols: map[string]Count{"rtmp": {2, 1}, "http-flv": {1, 0}, "hls": {1, 1}}})
}

func TestFiguresStartFromWhatIsFoundOpen(t *testing.T) {
	t.Parallel()
	before := setup(t)
	c, gone := onSRS(stream("a")), onSRS(stream("gone"))
	before.allow(t, c.publish(), gone.publish(), gone.unpublish())
	after := setupOn(t, before.pool, before.follow)
	after.wantFigures(t, Figures{Sources: 1, Protocols: map[string]Count{"rtmp": {1, 1}}})
	after.allow(t, onSRS(stream("b")).publish(), c.unpublish())
	after.wantFigures(t, Figures{Sources: 1, Protocols: map[string]Count{"rtmp": {2, 1}}})
	// What another process admits is active here, so it counts here too.
	before.allow(t, onSRS(stream("c")).publish(), onSRS(stream("d")).publish())
	after.wantFigures(t, Figures{Sources: 3, Protocols: map[string]Count{"rtmp": {3, 3}}})
}

// follow makes another process that began now.
func (b *bench) follow(other *bench) {
	other.sameClock(b)
	b.clock.advance(time.Second)
	other.began = b.clock.Now()
}

func TestFiguresAreAskedForOnceAMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.Figures(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.allow(t, onSRS(stream("a")).publish())
	got, err := b.Figures(t.Context())
	if err != nil || got.Sources != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	got.Protocols["mine"] = Count{1, 1} // a reader may do so
	if got, _ := b.Figures(t.Context()); len(got.Protocols) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestProtocolsThatNobodyKnowsAreCountedTogether(t *testing.T) {
	t.Parallel()
	var c counters
	for i := range 10 * maxProtocols {
		c.note([]*op{{e: over(string(rune('a'+i)), onSRS(stream("a")).play()), answered: true, verdict: media.Verdict{Allow: true}}})
	}
	if len(c.admitted) != maxProtocols+1 || c.admitted[""] != 9*maxProtocols {
		t.Errorf("counted %v", c.admitted)
	}
}
