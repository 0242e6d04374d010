package appserver

import (
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// stream reports what a media server says of a room's stream.
func (b *bench) stream(t *testing.T, id string, live bool) {
	t.Helper()
	err := pg.InTx(t.Context(), b.pool, func(tx pgx.Tx) error {
		room, ended, err := b.rooms.Lock(t.Context(), tx, media.Stream{App: "live", Name: id})
		if err != nil || ended || room == "" {
			return err
		}
		if live {
			return b.rooms.WentLive(t.Context(), tx, room, b.clock.now())
		}
		return b.rooms.LeftAir(t.Context(), tx, room, b.clock.now())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// event does one of the things that move a room, and returns the HTTP status
// for those that the anchor asks for.
func (b *bench) event(t *testing.T, name, id string) int {
	t.Helper()
	switch name {
	case "publish":
		b.stream(t, id, true)
		return 200
	case "publish_done":
		b.stream(t, id, false)
		return 200
	}
	return b.act(t, name, b.alice, id).Status
}

func TestRoomsMoveAsTheTableSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	type cell struct{ status, to int }
	table := map[string][3]cell{ // from 0, 1, 2
		"start":        {{200, 1}, {200, 1}, {409, 2}},
		"publish":      {{200, 1}, {200, 1}, {200, 2}},
		"pause":        {{200, 0}, {200, 0}, {409, 2}},
		"publish_done": {{200, 0}, {200, 0}, {200, 2}},
		"stop":         {{200, 2}, {200, 2}, {200, 2}},
		"update":       {{200, 0}, {200, 1}, {200, 2}},
	}
	reach := [3]string{"", "start", "stop"}
	for event, row := range table {
		for from, want := range row {
			t.Run(event+" from "+string(rune('0'+from)), func(t *testing.T) {
				t.Parallel()
				id := b.create(t, "").ID
				if reach[from] != "" {
					b.act(t, reach[from], b.alice, id).want(t, 200)
				}
				if got := b.event(t, event, id); got != want.status {
					t.Errorf("status %d, want %d", got, want.status)
				}
				if got := b.get(t, b.bob, id).Status; got != want.to {
					t.Errorf("the room is in %d, want %d", got, want.to)
				}
			})
		}
	}
}

func TestTimesAreSetOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "").ID
	times := func() [2]string {
		r := b.get(t, b.alice, id)
		return [2]string{*r.StartedAt, *r.StoppedAt}
	}
	if got := times(); got != [2]string{notYet, notYet} {
		t.Errorf("a new room has %v", got)
	}
	steps := []struct {
		event string
		want  [2]string
	}{
		{"publish", [2]string{"2023-11-08T06:14:20+08:00", notYet}},
		{"start", [2]string{"2023-11-08T06:14:20+08:00", notYet}},
		{"pause", [2]string{"2023-11-08T06:14:20+08:00", notYet}},
		{"start", [2]string{"2023-11-08T06:14:20+08:00", notYet}},
		{"stop", [2]string{"2023-11-08T06:14:20+08:00", "2023-11-08T06:18:20+08:00"}},
		{"stop", [2]string{"2023-11-08T06:14:20+08:00", "2023-11-08T06:18:20+08:00"}},
	}
	for _, st := range steps {
		b.clock.advance(time.Minute)
		b.event(t, st.event, id)
		if got := times(); got != st.want {
			t.Errorf("after %s: %v, want %v", st.event, got, st.want)
		}
	}
}

func TestADeletedRoomIsGoneInAnyState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, reach := range []string{"get", "start", "stop"} {
		id := b.create(t, "").ID
		b.act(t, reach, b.alice, id).want(t, 200)
		b.act(t, "delete", b.alice, id).want(t, 200)
		b.act(t, "get", b.alice, id).want(t, 404)
		b.act(t, "delete", b.alice, id).want(t, 404)
		b.stream(t, id, true) // must not bring it back
		b.act(t, "get", b.alice, id).want(t, 404)
	}
	if len(b.groups.deleted) != 3 {
		t.Errorf("message groups deleted: %v", b.groups.deleted)
	}
}

// Whatever the order in which requests and callbacks arrive, a stopped room
// stays stopped and every answer is one that the table allows.
func TestRacingRequestsEndInALegalState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "").ID
	events := []string{"start", "pause", "publish", "publish_done", "start", "pause", "publish", "stop"}
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 32 {
		wg.Go(func() {
			<-begin
			name := events[i%len(events)]
			status := b.event(t, name, id)
			if status != 200 && (status != 409 || name == "stop") {
				t.Errorf("%s answered %d", name, status)
			}
		})
	}
	close(begin)
	wg.Wait()
	r := b.get(t, b.alice, id)
	if r.Status != 2 || *r.StoppedAt == notYet {
		t.Errorf("the room ended as %d, stopped at %s", r.Status, *r.StoppedAt)
	}
	b.act(t, "start", b.alice, id).want(t, 409)
}

func TestRacingStartsAndPausesAgreeWithTheLastAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, "").ID
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 32 {
		wg.Go(func() {
			<-begin
			name, want := "start", 1
			if i%2 == 1 {
				name, want = "pause", 0
			}
			got := b.act(t, name, b.alice, id)
			if got.Status != 200 || got.room.Status != want {
				t.Errorf("%s answered %d: %s", name, got.Status, got.Body)
			}
		})
	}
	close(begin)
	wg.Wait()
	if r := b.get(t, b.alice, id); r.Status == 2 || *r.StartedAt == notYet {
		t.Errorf("%d, started at %s", r.Status, *r.StartedAt)
	}
}

func TestLikesOfManyAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, "")
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			b.send(t, "/api/v1/live/sendLikeMessage", b.bob, `{"chatroom_id":"`+r.ChatID+`","like_count":3}`)
		})
	}
	wg.Wait()
	if got := b.get(t, b.bob, r.ID).Metrics.Likes; got != 96 {
		t.Errorf("%d likes, want 96", got)
	}
}
