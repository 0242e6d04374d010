package room

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// find follows the cursors to the end.
func (b *bundle) find(t testing.TB, q Search) (found []Overview, pages int) {
	t.Helper()
	for {
		page, next, err := b.Find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > q.Limit {
			t.Fatalf("%d rooms on a page of %d", len(page), q.Limit)
		}
		found, pages = append(found, page...), pages+1
		if q.After = next; next == "" {
			return found, pages
		}
	}
}

func idsOf(found []Overview) (out []string) {
	for _, r := range found {
		out = append(out, r.ID)
	}
	return out
}

func TestAllRoomsAreFoundPageByPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for i := range 7 {
		want = append(want, b.create(t).ID)
		if i%2 == 0 { // some are of one instant
			b.clock.advance(time.Second)
		}
	}
	for _, limit := range []int{1, 3, 6, 7, 8} {
		found, pages := b.find(t, Search{Limit: limit})
		got := idsOf(found)
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) || pages != (7+limit-1)/limit {
			t.Errorf("%d on a page: %d pages of %v", limit, pages, got)
		}
		if !slices.IsSortedFunc(found, func(a, b Overview) int { return b.CreatedAt.Compare(a.CreatedAt) }) {
			t.Error("not the newest first")
		}
	}
	for _, cursor := range []string{"nonsense", "AA", "AAAAAAAAAAAAAAAAAA!", "f_________9h"} {
		_, _, err := b.Find(t.Context(), Search{After: cursor, Limit: 1})
		wantErr(t, err, errs.Invalid, "invalid_cursor")
	}
}

func TestRoomsAreFoundByStateAndText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	evening := b.create(t, func(in *Input) { in.Title = "Evening SHOW" })
	b.clock.advance(time.Second)
	nick := b.create(t, func(in *Input) { in.AnchorNick = "the show master" })
	b.clock.advance(time.Second)
	bobs := b.create(t, func(in *Input) { in.Anchor = "bob_shows" })
	b.clock.advance(time.Second)
	b.create(t)
	gone := b.create(t, func(in *Input) { in.Title = "Show that is gone" })
	if _, err := b.DeleteAny(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Start(t.Context(), "alice", nick.ID); err != nil {
		t.Fatal(err)
	}
	on, off := On, Off
	for _, c := range []struct {
		q    Search
		want []string
	}{
		{Search{Text: "sHoW"}, []string{bobs.ID, nick.ID, evening.ID}},
		{Search{Text: "show", Status: &on}, []string{nick.ID}},
		{Search{Status: &on}, []string{nick.ID}},
		{Search{Text: "show", Status: &off}, nil},
		{Search{Text: evening.ID[4:20]}, []string{evening.ID}},
		{Search{Text: evening.ID}, []string{evening.ID}},
		{Search{Text: nick.ID, Status: &off}, nil},
		{Search{Text: "100%_"}, nil},
	} {
		for _, limit := range []int{1, 2, 50} {
			c.q.Limit = limit
			if found, _ := b.find(t, c.q); !slices.Equal(idsOf(found), c.want) {
				t.Errorf("%+v: %v, want %v", c.q, idsOf(found), c.want)
			}
		}
	}
	_, _, err := b.Find(t.Context(), Search{Text: "a\x00"})
	wantErr(t, err, errs.Invalid, "invalid_text")
}

// Ten thousand rooms are looked at for one page, and the search goes on behind
// them.
func TestALongSearchIsDividedIntoPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
		SELECT 'r' || n, 'live', CASE WHEN n % 9000 = 0 THEN 'needle' ELSE 'hay' END, 'alice', 'r' || n, '{}', at, at
		FROM (SELECT n, $1::timestamptz - make_interval(secs => n) AS at FROM generate_series(1, 20500) n) x`, start)
	found, pages := b.find(t, Search{Text: "needle", Limit: 20})
	if got := idsOf(found); !slices.Equal(got, []string{"r9000", "r18000"}) || pages != 3 {
		t.Errorf("found %v on %d pages", got, pages)
	}
}

func TestAnOverviewShowsWhatIsOnAir(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plain, link := b.create(t), b.create(t, linked)
	publish := func(id int, app, stream, scene string) {
		b.exec(t, `INSERT INTO open_sessions (id, identity, node, server_id, client_id, scene, vhost, app, stream, address, protocol, started_at)
			VALUES ($1, $2::text::bytea, 'edge1', '', $2, $3, '__defaultVhost__', $4, $5, '192.0.2.7', 'rtmp', $6)`,
			id, fmt.Sprint(id), scene, app, stream, start)
	}
	publish(7, "live", plain.ID, "publish")
	publish(8, "live", plain.ID, "play")
	publish(9, "live", b.linkStream(link), "publish")
	publish(10, "other", plain.ID, "publish")
	found, _ := b.find(t, Search{Limit: 10})
	for _, r := range found {
		want := OnAir{SessionID: 7, Node: "edge1", Stream: media.Stream{Vhost: "__defaultVhost__", App: "live", Name: plain.ID}, Protocol: "rtmp",
			Address: "192.0.2.7", Since: start}
		if r.ID == link.ID {
			want.SessionID, want.Stream.Name = 9, b.linkStream(link)
		}
		if len(r.OnAir) != 1 || !r.OnAir[0].Since.Equal(start) {
			t.Fatalf("%s: %+v", r.ID, r.OnAir)
		}
		if r.OnAir[0].Since = start; r.OnAir[0] != want {
			t.Errorf("got %+v\nwant %+v", r.OnAir[0], want)
		}
	}
	if r, _ := b.find(t, Search{Text: plain.ID, Limit: 1}); r[0].Metrics.Online != 1 || r[0].Metrics.PV != 1 {
		t.Errorf("figures %+v", r[0].Metrics)
	}
}

func TestAnAdministratorSeesAndMovesAnyRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.create(t, linked).ID
	b.exec(t, `INSERT INTO recordings (session_id, node, vhost, app, stream, file, duration, started_at, created_at)
		VALUES (1, 'edge1', '', 'live', $1, 'a.flv', 2, $2, $2)`, id, start)
	for _, step := range []struct {
		to   Status
		push bool
	}{{On, true}, {On, true}, {Prepare, true}, {Off, false}, {Off, false}} {
		if r, err := b.MoveAny(t.Context(), id, step.to); err != nil || r.Status != step.to {
			t.Fatalf("to %d: %+v, %v", step.to, r, err)
		}
		got, err := b.Inspect(t.Context(), id)
		if err != nil || (got.Links.Push != nil) != step.push || got.Links.Link == nil || len(got.Recordings) != 1 || !got.ExpiresAt.Equal(start.Add(time.Hour)) {
			t.Errorf("in %d: %+v, %v", step.to, got, err)
		}
	}
	_, err := b.MoveAny(t.Context(), id, On)
	wantErr(t, err, errs.Conflict, "room_ended")
	if !slices.Contains(b.signer.closed, id) {
		t.Error("the decision was not told")
	}
	if _, err := b.DeleteAny(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{id, "none", "a/b"} {
		_, err := b.Inspect(t.Context(), id)
		wantErr(t, err, errs.NotFound, "room_not_found")
		_, err = b.DeleteAny(t.Context(), id)
		wantErr(t, err, errs.NotFound, "room_not_found")
		_, err = b.MoveAny(t.Context(), id, Off)
		wantErr(t, err, errs.NotFound, "room_not_found")
	}
}
