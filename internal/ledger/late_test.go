package ledger

import (
	"math"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// onNMS returns a new connection to a server that waits for no answer, names no
// process, and tells of ends late.
func onNMS(st media.Stream) client {
	c := onSRS(st).at(localNode).process("")
	return c
}

// runs is a publisher or player that runs already.
func runs(e media.Event) media.Event { e.Fact = true; return e }

// gone is the end of a connection, told with its time.
func (c client) gone(at time.Time) media.Event {
	e := c.event(media.Disconnected)
	e.Ended = at
	return e
}

// file is a recording whose publisher is not told.
func (c client) file(name string, from, to time.Time) media.Event {
	e := c.recorded(name, "")
	e.ClientID, e.Began, e.Ended, e.Duration = "", from, to, to.Sub(from).Seconds()
	return e
}

func TestAnEndToldLateIsOnRecordWithItsTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ago   time.Duration // before it is told
		after time.Duration // its start, when it is on record as over
	}{
		"half a minute ago":    {30 * time.Second, time.Minute - 30*time.Second},
		"before its start":     {70 * time.Second, 0},
		"ahead of us":          {-time.Hour, time.Minute},
		"longer ago than late": {time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			x := onNMS(stream("s"))
			b.allow(t, runs(x.publish()))
			b.clock.advance(time.Minute)
			b.allow(t, x.gone(b.clock.Now().Add(-c.ago)))
			s := b.sessions(t)
			if len(s) != 1 || s[0].EndedAt == nil {
				t.Fatalf("%+v", s)
			}
			if got := s[0].EndedAt.Sub(s[0].StartedAt); math.Abs((got - c.after).Seconds()) > 0.1 {
				t.Errorf("it took %v, want %v", got, c.after)
			}
		})
	}
}

// The same address came back, and the server never tells the end of before.
func TestWhoResumesEndsTheSessionBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	first, again := onNMS(stream(r.ID)), onNMS(stream(r.ID))
	b.allow(t, runs(first.publish()))
	b.clock.advance(5 * time.Second)
	resuming := runs(again.publish())
	resuming.Resumes = true
	b.allow(t, resuming)
	b.wantOpen(t, again)
	b.wantStatus(t, r.ID, room.On)
	if s := b.sessions(t); s[0].EndReason != "resumed" {
		t.Errorf("ended as %q", s[0].EndReason)
	}
	elsewhere := resuming
	elsewhere.Node, elsewhere.ClientID = srsNode, "other"
	b.refuse(t, elsewhere, media.AlreadyPublishing) // what one server does proves nothing about another
	b.allow(t, again.gone(time.Time{}))
	b.wantStatus(t, r.ID, room.Prepare)
}

// Both are sent in one moment, in any order.
func TestTheStartOfTheNextMayOvertakeTheEndOfTheOneBefore(t *testing.T) {
	t.Parallel()
	b, _, g := heldAtBegin(t)
	first, next := onNMS(stream("s")), onNMS(stream("s"))
	told := []<-chan answer{b.ask(t.Context(), runs(first.publish()))}
	<-g.reached
	for i, e := range []media.Event{runs(next.publish()), first.gone(b.clock.Now())} {
		told = append(told, b.ask(t.Context(), e))
		b.wantQueued(t, i+1)
	}
	g.open()
	for _, a := range told {
		if got := <-a; got.err != nil || !got.Allow {
			t.Errorf("got %+v", got)
		}
	}
	b.wantOpen(t, next)
}

func TestARecordingWithoutAClientIsOfTheStreamsPublisher(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := b.clock.Now()
	first, second := onNMS(stream("s")), onNMS(stream("s"))
	b.allow(t, runs(first.publish()))
	b.clock.advance(time.Minute)
	b.allow(t, first.gone(time.Time{}))
	b.clock.advance(30 * time.Second)
	b.allow(t, first.file("a.flv", start, b.clock.Now())) // as long as the server waited for him
	next := b.clock.Now()
	b.allow(t, runs(second.publish()))
	b.clock.advance(time.Minute)
	b.allow(t, second.file("b.flv", next.Add(10*time.Second), next.Add(40*time.Second))) // stopped by hand
	if got := b.recordings(t); len(got) != 2 || math.Abs(got[0].duration-60) > 0.1 || math.Abs(got[1].duration-30) > 0.1 {
		t.Errorf("got %+v", got)
	}
	for i, s := range b.sessions(t) {
		if n := b.count(t, "SELECT count(*) FROM recordings WHERE session_id = $1", s.ID); n != 1 {
			t.Errorf("session %d has %d recordings", i, n)
		}
	}
}

func TestARecordingGoesOnWithItsPublisher(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := b.clock.Now()
	first, again := onNMS(stream("s")), onNMS(stream("s"))
	b.allow(t, runs(first.publish()))
	b.clock.advance(time.Minute)
	resuming := runs(again.publish())
	resuming.Resumes = true
	b.allow(t, resuming)
	b.clock.advance(time.Minute)
	b.allow(t, again.gone(time.Time{}))
	b.clock.advance(30 * time.Second)
	b.allow(t, first.file("a.flv", start, b.clock.Now()))
	if got := b.recordings(t); len(got) != 1 || math.Abs(got[0].duration-120) > 0.1 {
		t.Errorf("got %+v", got)
	}
}

func TestARecordingOfNobodyIsIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t, closedDoor)
	x := onNMS(stream("s"))
	b.refuse(t, runs(x.publish()), media.NoCredential)
	now := b.clock.Now()
	b.allow(t, x.file("a.flv", now, now.Add(time.Second)), onNMS(stream("other")).file("b.flv", now, now))
	if got := b.recordings(t); len(got) != 0 {
		t.Errorf("kept %+v", got)
	}
}
