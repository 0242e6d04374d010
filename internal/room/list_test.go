package room

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/pg"
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

// fill makes rooms r<from> to r<to>, each newer than the one before, of status
// after status.
func (b *bundle) fill(t testing.TB, from, to int) {
	t.Helper()
	b.exec(t, `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, status, created_at, updated_at)
		SELECT 'r' || n, 'live', 't', 'alice', 'r' || n, '{}', n % 2, to_timestamp(n / 2), now() FROM generate_series($1::int, $2::int) n`, from, to)
}

func TestPagesAreClampedAndBigTablesAreNotCountedToTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(t, 1, maxCounted)
	if p := b.list(t, 1, 1, nil); p.Total != maxCounted {
		t.Errorf("%d rooms are counted as %d", maxCounted, p.Total)
	}
	b.fill(t, maxCounted+1, 2*maxCounted+2)
	b.clock.advance(countFresh)
	for _, c := range []struct {
		num, size   int
		first       string
		rooms, page int
	}{
		{num: 1, size: 20, first: "r20002", rooms: 20},
		{num: 0, size: 0, first: "r20002", rooms: 1},
		{num: -5, size: -5, first: "r20002", rooms: 1},
		{num: 1, size: 1_000_000, first: "r20002", rooms: MaxPage},
		{num: 201, size: 1_000_000, first: "r2", rooms: 2},
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

// While nothing changes a page is what OFFSET would show, in whatever order pages
// are read, by whichever process.
func TestPagesAreWhatTheirNumbersSay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const milestone = 500
	b.fill(t, 1, 2*milestone+203)
	b.exec(t, "UPDATE rooms SET deleted_at = now() WHERE right(id, 2) = '77'")
	on := On
	for _, status := range []*Status{nil, &on} {
		want := b.column(t, "SELECT id FROM rooms WHERE deleted_at IS NULL AND ($1::int IS NULL OR status = $1) ORDER BY created_at DESC, id DESC", status)
		other := setupOn(t, b.pool)
		b.places.milestone, other.places.milestone = milestone, milestone
		for _, c := range []struct{ num, size int }{{1, 7}, {2, 7}, {3, 7}, {2, 7}, {12, 100}, {13, 100}, {11, 100}, {60, 20}, {10, 99}, {119, 10}, {5, 100}, {6, 100}, {26, 20}} {
			from := min((c.num-1)*c.size, len(want))
			wanted := want[from:min(from+c.size, len(want))]
			for _, s := range []*bundle{b, other} {
				if got := s.list(t, c.num, c.size, status); !slices.Equal(ids(got.Rooms), wanted) {
					t.Errorf("page %d of %d: %v, want %v", c.num, c.size, ids(got.Rooms), wanted)
				}
			}
			other = setupOn(t, b.pool)
			other.places.milestone = milestone
		}
	}
}

func (b *bundle) column(t testing.TB, sql string, args ...any) []string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Who reads page after page sees every room once, although new ones push the
// others down.
func TestAPageGoesOnWhereTheOneBeforeEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for range 6 {
		b.clock.advance(time.Second)
		want = append([]string{b.create(t).ID}, want...)
	}
	var got []string
	newest := ""
	for num := 1; num <= 3; num++ {
		got = append(got, ids(b.list(t, num, 2, nil).Rooms)...)
		b.clock.advance(time.Second)
		newest = b.create(t).ID
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
	if p := b.list(t, 1, 2, nil); p.Rooms[0].ID != newest || p.Total != 9 {
		t.Errorf("the first page %v of %d", ids(p.Rooms), p.Total)
	}
	b.clock.advance(time.Minute)
	if p := b.list(t, 3, 3, nil); !slices.Equal(ids(p.Rooms), want[3:]) {
		t.Errorf("after a minute %v, want %v", ids(p.Rooms), want[3:])
	}
}

func TestWhoWaitsForAFarPageMayGiveUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.places.walking <- struct{}{} // somebody else is on his way
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.List(ctx, 20_000, 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if p := b.list(t, 10_000, 1, nil); len(p.Rooms) != 0 {
		t.Errorf("%v", p)
	}
}

// querySpy notes the statements that are read with.
type querySpy struct {
	pg.DB
	mu         sync.Mutex
	statements []string
	args       [][]any
}

func (s *querySpy) note(sql string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statements, s.args = append(s.statements, sql), append(s.args, args)
}

func (s *querySpy) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.note(sql, args)
	return s.DB.Query(ctx, sql, args...)
}

func (s *querySpy) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	s.note(sql, args)
	return s.DB.QueryRow(ctx, sql, args...)
}

// page lists and describes as a dialect does, and returns the number of
// statements that it took.
func (s *querySpy) page(t testing.TB, b *bundle, num, size int, status *Status) int {
	t.Helper()
	s.statements, s.args = nil, nil
	b.clock.advance(countFresh)
	p := b.list(t, num, size, status)
	if len(p.Rooms) != size {
		t.Fatalf("%d rooms on page %d of %d", len(p.Rooms), num, size)
	}
	b.describe(t, p.Rooms...)
	return len(s.statements)
}

// A page costs the same on whatever page and of however many rooms: a fixed
// number of statements, none of which reads a table or sorts one.
func TestPagesCostTheSameEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.places.milestone = 2500
	b.fill(t, 1, 10_000)
	b.exec(t, "UPDATE rooms SET status = 2 WHERE right(id, 1) IN ('1', '2')")
	b.exec(t, "VACUUM ANALYZE rooms")
	spy := &querySpy{DB: b.pool}
	b.DB = spy
	on, off := On, Off
	for _, status := range []*Status{nil, &on, &off} {
		const most = 3 // the page, the count, what is on record
		for _, c := range []struct{ num, size int }{{1, 20}, {1, 100}, {2, 100}, {2, 20}} {
			if n := spy.page(t, b, c.num, c.size, status); n > most {
				t.Errorf("page %d of %d took %d statements: %v", c.num, c.size, n, spy.statements)
			}
			spy.wantIndexed(t, b)
		}
		if n := spy.page(t, b, 75, 20, status); n > most+1 { // jumped to
			t.Errorf("took %d statements: %v", n, spy.statements)
		}
		spy.wantIndexed(t, b)
		if n := spy.page(t, b, 76, 20, status); n > most {
			t.Errorf("took %d statements: %v", n, spy.statements)
		}
	}
	if n := spy.page(t, b, 500, 20, nil); n != 3+4 { // by three milestones
		t.Errorf("a far page took %d statements: %v", n, spy.statements)
	}
}

func (s *querySpy) wantIndexed(t testing.TB, b *bundle) {
	t.Helper()
	for i, sql := range s.statements {
		if strings.Contains(sql, "FROM sessions") { // the ledger's
			continue
		}
		plan := strings.Join(b.column(t, "EXPLAIN "+sql, s.args[i]...), "\n")
		if strings.Contains(plan, "Seq Scan on rooms") || strings.Contains(plan, "Sort") && strings.Contains(plan, "rooms") ||
			strings.Contains(sql, "OFFSET") && !strings.Contains(plan, "Index Only Scan") {
			t.Errorf("%s\n%s", sql, plan)
		}
	}
}
