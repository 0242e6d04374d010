package appserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// fill makes n rooms, a second apart, and returns their ids, newest first.
func (b *bench) fill(t *testing.T, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range n {
		b.clock.advance(time.Second)
		ids[n-1-i] = b.create(t, "").ID
	}
	return ids
}

func ids(r reply) []string {
	out := []string{}
	for _, o := range r.objects {
		out = append(out, o["id"].(string))
	}
	return out
}

func TestPagesAreClamped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all := b.fill(t, 12)
	for _, c := range []struct {
		body string
		want []string
	}{
		{`{}`, all[:10]},
		{`{"page_num":0,"page_size":0}`, all[:1]},
		{`{"page_num":1,"page_size":5}`, all[:5]},
		{`{"page_num":3,"page_size":5}`, all[10:]},
		{`{"page_num":4,"page_size":5}`, nil},
		{`{"page_num":1,"page_size":2147483647}`, all},
		{`{"page_num":2147483647,"page_size":2147483647}`, nil},
	} {
		r := b.send(t, "/api/v1/live/list", b.bob, c.body).want(t, 200)
		if !slices.Equal(ids(r), c.want) {
			t.Errorf("%s: %v, want %v", c.body, ids(r), c.want)
		}
		if total := r.Header.Get("X-Total-Count"); total != "12" {
			t.Errorf("%s: X-Total-Count %q", c.body, total)
		}
	}
	for body, want := range map[string][]string{`{"page_num":-3}`: all[:10], `{"page_size":-1}`: all[:1]} {
		if r := b.bad(t, "/api/v1/live/list", b.bob, body).want(t, 200); !slices.Equal(ids(r), want) {
			t.Errorf("%s: %v", body, ids(r))
		}
	}
}

func TestAPageHoldsAHundredRoomsAtMost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.manyRooms(t, 101)
	if r := b.send(t, "/api/v1/live/list", b.bob, `{"page_size":1000}`).want(t, 200); len(r.objects) != 100 {
		t.Errorf("%d rooms", len(r.objects))
	}
}

func TestCountingStopsInALargeTable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.manyRooms(t, 10_002)
	r := b.send(t, "/api/v1/live/list", b.bob, `{}`).want(t, 200)
	if got := r.Header.Get("X-Total-Count"); got != "10001" {
		t.Errorf("X-Total-Count %s", got)
	}
}

// manyRooms stores rooms without asking the service.
func (b *bench) manyRooms(t *testing.T, n int) {
	t.Helper()
	b.exec(t, `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
		SELECT md5(i::text), 'live', 'a', 'alice', md5(i::text), '{aliyun_new}', now(), now() FROM generate_series(1, $1::int) i`, n)
}

func TestRoomsAreListedByStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all := b.fill(t, 3)
	b.act(t, "start", b.alice, all[0]).want(t, 200)
	b.act(t, "stop", b.alice, all[1]).want(t, 200)
	for status, want := range map[int]string{0: all[2], 1: all[0], 2: all[1]} {
		r := b.send(t, "/api/v1/live/list", b.bob, fmt.Sprintf(`{"status":%d}`, status)).want(t, 200)
		if !slices.Equal(ids(r), []string{want}) || r.Header.Get("X-Total-Count") != "1" {
			t.Errorf("status %d: %v", status, ids(r))
		}
	}
}

func TestAListShowsEachCallerItsOwnURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.createLink(t)
	b.send(t, "/api/v2/live/create", b.bob, `{"title":"b","im_server":["aliyun_new"],"mode":1}`).want(t, 200)
	for token, name := range map[string]string{b.alice: "alice", b.bob: "bob"} {
		for _, o := range b.send(t, "/api/v1/live/list", token, `{}`).want(t, 200).objects {
			if _, push := o["push_url_info"]; push != (o["anchor_id"] == name) {
				t.Errorf("%s sees push URLs of %v: %v", name, o["anchor_id"], push)
			}
			link := o["link_info"].(map[string]any)["rtc_push_url"].(string)
			if !strings.Contains(link, "userId="+name+"&") {
				t.Errorf("%s gets %s", name, link)
			}
		}
	}
}

func TestAListOfNothingIsAnEmptyArray(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.do(t, t.Context(), dialecttest.JSON("/api/v1/live/list", b.bob, `{}`)).want(t, 200)
	if string(r.Body) != "[]\n" || r.Header.Get("X-Total-Count") != "0" {
		t.Errorf("%s %v", r.Body, r.Header)
	}
}

func TestAListNeedsAsManyQueriesForOneRoomAsForMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.manyRooms(t, 100)
	count := func(size int) int64 {
		before := b.pool.Stat().AcquireCount()
		b.send(t, "/api/v1/live/list", b.bob, fmt.Sprintf(`{"page_size":%d}`, size)).want(t, 200)
		return b.pool.Stat().AcquireCount() - before
	}
	if one, many := count(1), count(100); one != many {
		t.Errorf("%d queries for one room, %d for a hundred", one, many)
	}
}
