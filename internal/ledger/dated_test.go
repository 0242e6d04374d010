package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// cdn is a client of a server that tells streams apart and not connections.
func cdn(st media.Stream) client { return client{node: localNode, id: "192.0.2.7", stream: st} }

func at(e media.Event, when time.Time) media.Event {
	e.At = when
	return e
}

// Two broadcasts of one stream are reported with repetitions and in any order.
// What counts is what happened last.
func TestDatedReportsComeToTheSameInEveryOrder(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := setup(t)
	for n := range 120 {
		c := cdn(stream(fmt.Sprintf("s%d", n)))
		t0 := b.clock.advance(time.Hour).Add(-10 * time.Minute).Truncate(time.Second)
		gap := time.Duration(1+random.IntN(90)) * time.Second
		reports := []media.Event{at(c.publish(), t0), at(c.unpublish(), t0.Add(gap)), at(c.publish(), t0.Add(gap+time.Second))}
		live := n%2 == 0
		if !live {
			reports = append(reports, at(c.unpublish(), t0.Add(2*gap+2*time.Second)))
		}
		for range random.IntN(4) { // repetitions
			reports = append(reports, reports[random.IntN(len(reports))])
		}
		random.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
		b.allow(t, reports...)
		open := b.rows(t, "SELECT * FROM sessions WHERE ended_at IS NULL AND stream = $1", c.stream.Name)
		if live != (len(open) == 1) {
			t.Fatalf("%d: live %v, but open are %+v after %+v", n, live, open, reports)
		}
		if live && !open[0].StartedAt.Equal(t0.Add(gap+time.Second)) {
			t.Errorf("%d: on air since %v, want %v, after %+v", n, open[0].StartedAt, t0.Add(gap+time.Second), reports)
		}
	}
}

func TestDatedReportsMoveTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, 0)
	c := cdn(stream(r.ID))
	now := b.clock.Now().Truncate(time.Second)
	b.allow(t, at(c.publish(), now.Add(-time.Minute)))
	b.wantStatus(t, r.ID, room.On)
	b.allow(t, at(c.unpublish(), now.Add(-2*time.Minute))) // of an earlier one, late
	b.wantStatus(t, r.ID, room.On)
	b.allow(t, at(c.unpublish(), now.Add(time.Hour))) // a clock that is ahead
	b.wantStatus(t, r.ID, room.Prepare)
}

func TestARestartEmptiesWhatTheServerHadBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, 0)
	old, viewer := onSRS(stream(r.ID)).process("zlm-1/"), onSRS(stream(r.ID)).process("zlm-1/")
	other := onSRS(stream("other")).process("zlm-2/")
	elsewhere := onSRS(stream("elsewhere")).process("zlm-1/").at(localNode)
	b.allow(t, old.publish(), viewer.play(), other.publish(), elsewhere.publish())
	b.wantStatus(t, r.ID, room.On)

	restart := media.Event{Action: media.Restarted, Node: srsNode, ServerID: "zlm-1/"}
	b.allow(t, restart)
	b.wantOpen(t, other, elsewhere)
	b.wantStatus(t, r.ID, room.Prepare)

	before := b.clock.advance(time.Second)
	b.allow(t, old.publish())
	b.allow(t, at(restart, before)) // told again, after clients of the new process
	b.wantOpen(t, other, elsewhere, old)
	b.allow(t, restart, restart)
	b.wantOpen(t, other, elsewhere)
}

// The end of a client that was refused waits for a start that never comes. The
// next process gives its id to somebody else.
func TestAfterARestartAnEndFromBeforeIsNobodys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refused := onSRS(stream("x")).process("zlm-1/")
	other := onSRS(stream("y")).process("zlm-2/")
	b.allow(t, refused.close(), other.close())
	b.allow(t, media.Event{Action: media.Restarted, Node: srsNode, ServerID: "zlm-1/"})
	b.allow(t, refused.publish(), other.publish())
	b.wantOpen(t, refused)
}

func TestTheEndOfAStreamEndsItsAudienceOfThatProtocol(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hls := func(c client) media.Event {
		e := c.play()
		e.Protocol = "hls"
		return e
	}
	publisher, rtmp, one, two := onSRS(stream("x")), onSRS(stream("x")), onSRS(stream("x")), onSRS(stream("x"))
	other := onSRS(stream("y"))
	b.allow(t, publisher.publish(), rtmp.play(), hls(one), hls(two), hls(other))
	end := media.Event{Action: media.Stopped, Node: srsNode, ServerID: publisher.server, Stream: publisher.stream, Protocol: "hls"}
	b.allow(t, end, end)
	b.wantOpen(t, publisher, rtmp, other)
}
