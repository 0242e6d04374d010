package ledger

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

func TestARoomIsOnAirWhileItsStreamIsPublished(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := b.room(t, room.ModePlain)
			c := connect(stream(r.ID))
			b.wantStatus(t, r.ID, room.Prepare)
			b.allow(t, connect(stream(r.ID)).play())
			b.wantStatus(t, r.ID, room.Prepare)
			b.allow(t, c.publish())
			b.wantStatus(t, r.ID, room.On)
			b.allow(t, c.unpublish())
			b.wantStatus(t, r.ID, room.Prepare)
			after, err := b.rooms.Get(t.Context(), r.ID)
			if err != nil || after.StartedAt == nil || after.StoppedAt != nil {
				t.Errorf("got %+v, %v", after, err)
			}
		})
	}
}

func TestAKilledEncoderTakesItsRoomOffAirByTheEndOfItsConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c := onNginx(stream(r.ID))
	b.allow(t, c.publish(), c.close())
	b.wantStatus(t, r.ID, room.Prepare)
}

// Whoever reports the end of a session that has ended before says nothing new:
// the anchor may have started the room again since.
func TestLateEndsDoNotTakeARoomOffAirThatItsAnchorStarted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c := onSRS(stream(r.ID))
	b.allow(t, c.publish(), c.unpublish())
	if _, err := b.rooms.Start(t.Context(), anchor, r.ID); err != nil {
		t.Fatal(err)
	}
	b.allow(t, c.unpublish(), c.close(), c.close())
	b.wantStatus(t, r.ID, room.On)
}

func TestOnlyVhostsOfTheRoomCount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	on := func(vhost string) client { return onSRS(media.Stream{Vhost: vhost, App: app, Name: r.ID}) }
	stranger, plain, byName := on("other.example.com"), on(media.DefaultVhost), on(pushHost)
	b.allow(t, stranger.publish())
	b.wantStatus(t, r.ID, room.Prepare)
	b.allow(t, plain.publish())
	b.wantStatus(t, r.ID, room.On)
	b.allow(t, byName.publish(), plain.unpublish())
	b.wantStatus(t, r.ID, room.On)
	b.allow(t, byName.unpublish())
	b.wantStatus(t, r.ID, room.Prepare) // though the stranger publishes on
	b.allow(t, stranger.unpublish())
	b.wantOpen(t)
}

func TestStreamsOfOtherApplicationsAreNoRooms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	b.allow(t, onSRS(media.Stream{Vhost: media.DefaultVhost, App: "vod", Name: r.ID}).publish())
	b.wantStatus(t, r.ID, room.Prepare)
}

func TestOnlyTheAnchorsCameraPutsACoStreamingRoomOnAir(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModeLink)
	camera := func(meeting, user string) client {
		return onSRS(stream(rtcAppID + "_" + meeting + "_" + user + "_camera"))
	}
	for _, c := range []client{
		camera(r.MeetingID, "bob"),
		camera("11111111-2222-4333-8444-555555555555", anchor),
		onSRS(stream("otherapp_" + r.MeetingID + "_" + anchor + "_camera")),
		onSRS(stream(rtcAppID + "_" + r.MeetingID + "_" + anchor + "_screen")),
		onSRS(stream(rtcAppID + "_" + r.MeetingID + "_camera")),
	} {
		b.allow(t, c.publish())
		b.wantStatus(t, r.ID, room.Prepare)
		b.allow(t, c.unpublish())
	}
	own, guest := camera(r.MeetingID, anchor), camera(r.MeetingID, "carol")
	b.allow(t, own.publish(), guest.publish())
	b.wantStatus(t, r.ID, room.On)
	b.allow(t, guest.unpublish())
	b.wantStatus(t, r.ID, room.On)
	b.allow(t, own.unpublish())
	b.wantStatus(t, r.ID, room.Prepare)
	if _, err := b.rooms.Stop(t.Context(), anchor, r.ID); err != nil {
		t.Fatal(err)
	}
	b.refuse(t, camera(r.MeetingID, anchor).publish(), media.RoomEnded)
}

func TestAnEndedRoomRefusesItsPublisherAndStaysEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c := onSRS(stream(r.ID))
	b.allow(t, c.publish())
	if _, err := b.rooms.Stop(t.Context(), anchor, r.ID); err != nil {
		t.Fatal(err)
	}
	b.refuse(t, onSRS(stream(r.ID)).publish(), media.RoomEnded)
	b.refuse(t, c.publish(), media.RoomEnded)
	b.allow(t, c.unpublish(), c.close())
	b.wantStatus(t, r.ID, room.Off)
	b.wantOpen(t)
}

// The view in memory of another process learns of the end a moment later.
func TestAnEndedOrDeletedRoomRefusesEvenWhenMemoryDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	elsewhere := *b.rooms
	elsewhere.Signer = otherProcess{elsewhere.Signer}
	stopped, deleted := b.room(t, room.ModePlain), b.room(t, room.ModePlain)
	if _, err := elsewhere.Stop(t.Context(), anchor, stopped.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Delete(t.Context(), anchor, deleted.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{stopped.ID, deleted.ID} {
		b.refuse(t, onSRS(stream(id)).publish(), media.RoomEnded)
	}
	b.wantOpen(t)
}

// Stop and publish race; whoever was told second must be right.
func TestNobodyPublishesToARoomOnceItsEndWasAcknowledged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	elsewhere := *b.rooms
	elsewhere.Signer = otherProcess{elsewhere.Signer}
	const rooms, publishers = 40, 4
	var wg sync.WaitGroup
	for range rooms {
		r := b.room(t, room.ModePlain)
		var stopped atomic.Bool
		wg.Go(func() {
			if _, err := elsewhere.Stop(t.Context(), anchor, r.ID); err != nil {
				t.Error(err)
			}
			stopped.Store(true)
		})
		for range publishers {
			wg.Go(func() {
				for range 5 {
					c := onSRS(stream(r.ID))
					tooLate := stopped.Load()
					v, err := b.Handle(t.Context(), c.publish())
					if err != nil {
						t.Error(err)
						return
					}
					if v.Allow && tooLate {
						t.Errorf("publish was admitted after the room had ended")
					}
					if v.Allow {
						b.allow(t, c.unpublish())
					}
				}
			})
		}
	}
	wg.Wait()
	if n := b.count(t, "SELECT count(*) FROM rooms WHERE status <> 2"); n != 0 {
		t.Errorf("%d rooms came back after their end", n)
	}
	b.wantOpen(t)
}

func TestAStopWaitsForThePublisherThatCameFirst(t *testing.T) {
	t.Parallel()
	g := newGate()
	spy := &spyDB{exec: func(sql string, _ []any) error {
		if strings.Contains(sql, "name: SessionOpenPublish") { // the room was looked at before
			g.pass()
		}
		return nil
	}}
	b := setup(t, spy.on())
	t.Cleanup(g.open)
	r := b.room(t, room.ModePlain)
	published := b.ask(t.Context(), onSRS(stream(r.ID)).publish())
	<-g.reached
	stopped := make(chan error, 1)
	go func() {
		_, err := b.rooms.Stop(t.Context(), anchor, r.ID)
		stopped <- err
	}()
	eventually(t, "the stop waits", func() bool { return len(stopped) > 0 || b.waiting(t) > 0 })
	if len(stopped) > 0 {
		t.Error("the room ended while it was being put on air")
	}
	g.open()
	if got := <-published; got.err != nil || !got.Allow {
		t.Errorf("publisher got %+v", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	b.wantStatus(t, r.ID, room.Off)
}

func TestAPublisherWaitsForTheStopThatCameFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "UPDATE rooms SET status = 2, stopped_at = now() WHERE id = $1", r.ID); err != nil {
		t.Fatal(err)
	}
	published := b.ask(t.Context(), onSRS(stream(r.ID)).publish())
	eventually(t, "the publisher waits", func() bool { return b.waiting(t) > 0 })
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-published; got.err != nil || got.Allow || got.Reason != media.RoomEnded {
		t.Errorf("publisher got %+v", got)
	}
	b.wantOpen(t)
}

// waiting counts the statements that wait for a lock of somebody else.
func (b *bench) waiting(t *testing.T) int {
	t.Helper()
	return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
}

// otherProcess keeps the decision from learning of a room's end.
type otherProcess struct{ signer }

type signer = interface {
	SignURL(l media.Link, expires time.Time) string
	RoomClosed(id string)
}

func (otherProcess) RoomClosed(string) {}

func TestRoomsGoOnAndOffAirUnderLoadAndEndWhereTheirStreamsDo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		ids[i] = b.room(t, room.ModePlain).ID
		wg.Go(func() {
			for range 10 {
				c := onNginx(stream(ids[i]))
				b.allow(t, c.publish(), c.unpublish())
			}
			if i%2 == 0 {
				b.allow(t, onNginx(stream(ids[i])).publish())
			}
		})
	}
	wg.Wait()
	for i, id := range ids {
		t.Run(fmt.Sprint(i), func(t *testing.T) { b.wantStatus(t, id, room.Status(1-i%2)) })
	}
}
