package room

import (
	"slices"
	"testing"
	"time"
)

func ids(rooms []Room) (out []string) {
	for _, r := range rooms {
		out = append(out, r.ID)
	}
	return out
}

func (b *bundle) list(t testing.TB, num, size int, status *Status) Page {
	t.Helper()
	p, err := b.List(t.Context(), num, size, status)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewestRoomsComeFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for range 5 {
		want = append([]string{b.create(t).ID}, want...)
		b.clock.advance(time.Second)
	}
	if p := b.list(t, 1, 10, nil); !slices.Equal(ids(p.Rooms), want) || p.Total != 5 {
		t.Errorf("page %v of %d, want %v", ids(p.Rooms), p.Total, want)
	}
	if p := b.list(t, 2, 2, nil); !slices.Equal(ids(p.Rooms), want[2:4]) || p.Total != 5 {
		t.Errorf("second page %v of %d", ids(p.Rooms), p.Total)
	}
	if p := b.list(t, 3, 2, nil); !slices.Equal(ids(p.Rooms), want[4:]) {
		t.Errorf("last page %v", ids(p.Rooms))
	}
	if p := b.list(t, 4, 2, nil); p.Rooms == nil || len(p.Rooms) != 0 || p.Total != 5 {
		t.Errorf("past the end: %#v of %d", p.Rooms, p.Total)
	}
}

func TestRoomsOfOneInstantKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for range 9 {
		want = append(want, b.create(t).ID)
	}
	slices.Sort(want)
	slices.Reverse(want)
	var got []string
	for page := 1; page <= 3; page++ {
		got = append(got, ids(b.list(t, page, 3, nil).Rooms)...)
		b.exec(t, "UPDATE rooms SET like_count = like_count + 1") // moves the rows, not the rooms
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
}

func TestListIsFilteredByStatusAndWithoutDeletedRooms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	byStatus := map[Status]string{}
	for _, st := range []Status{Prepare, On, Off} {
		byStatus[st] = b.inState(t, st).ID
	}
	gone := b.create(t)
	if _, err := b.Delete(t.Context(), "alice", gone.ID); err != nil {
		t.Fatal(err)
	}
	for st, id := range byStatus {
		if p := b.list(t, 1, 10, &st); !slices.Equal(ids(p.Rooms), []string{id}) || p.Total != 1 {
			t.Errorf("in %d: %v of %d", st, ids(p.Rooms), p.Total)
		}
	}
	if p := b.list(t, 1, 10, nil); len(p.Rooms) != 3 || p.Total != 3 {
		t.Errorf("in any state: %v of %d", ids(p.Rooms), p.Total)
	}
}

func TestPagesAreClampedAndBigTablesAreNotCountedToTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fill := func(from, to int) {
		b.exec(t, `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
			SELECT 'r' || n, 'live', 't', 'alice', 'r' || n, '{}', to_timestamp(n), now() FROM generate_series($1::int, $2::int) n`, from, to)
	}
	fill(1, maxCounted)
	if p := b.list(t, 1, 1, nil); p.Total != maxCounted {
		t.Errorf("%d rooms are counted as %d", maxCounted, p.Total)
	}
	fill(maxCounted+1, maxCounted+2)
	for _, c := range []struct {
		num, size   int
		first       string
		rooms, page int
	}{
		{num: 1, size: 20, first: "r10002", rooms: 20},
		{num: 0, size: 0, first: "r10002", rooms: 1},
		{num: -5, size: -5, first: "r10002", rooms: 1},
		{num: 1, size: 1_000_000, first: "r10002", rooms: MaxPage},
		{num: 101, size: 1_000_000, first: "r2", rooms: 2},
		{num: 1 << 62, size: 1 << 62, rooms: 0},
	} {
		p := b.list(t, c.num, c.size, nil)
		if len(p.Rooms) != c.rooms || p.Total != maxCounted+1 || c.rooms > 0 && p.Rooms[0].ID != c.first {
			t.Errorf("page %d of %d: %d rooms from %v, total %d", c.num, c.size, len(p.Rooms), ids(p.Rooms)[:min(1, len(p.Rooms))], p.Total)
		}
	}
	off := Off
	if p := b.list(t, 1, 10, &off); p.Total != 0 || len(p.Rooms) != 0 {
		t.Errorf("none has ended: %v of %d", ids(p.Rooms), p.Total)
	}
}
