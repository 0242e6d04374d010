package stagedoor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// room makes one of alice's.
func (b *bench) room(t *testing.T, in room.Input) string {
	t.Helper()
	in.Anchor = "alice"
	r, err := b.rooms.Create(t.Context(), "alice", in)
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func TestRoomsAreFoundPageByPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if p := decode[gen.ManagedRoomPage](t, b.send(t, ask("GET", "/api/v1/rooms", b.admin))); p.Rooms == nil || len(p.Rooms) != 0 || p.NextCursor != "" {
		t.Errorf("got %+v", p)
	}
	first := b.room(t, room.Input{Title: "Evening show", Notice: "Starts\nat eight"})
	b.clock.advance(time.Second)
	second := b.room(t, room.Input{Title: "a meeting", Mode: room.ModeLink})
	p := decode[gen.ManagedRoomPage](t, b.send(t, ask("GET", "/api/v1/rooms?limit=1", b.admin)))
	if len(p.Rooms) != 1 || p.Rooms[0].ID != second || p.Rooms[0].Mode != "link" || p.Rooms[0].State != "prepared" || p.Rooms[0].Pull != nil || p.Rooms[0].Notice != "" {
		t.Errorf("got %+v", p)
	}
	p = decode[gen.ManagedRoomPage](t, b.send(t, ask("GET", "/api/v1/rooms?limit=1&cursor="+p.NextCursor, b.admin)))
	if len(p.Rooms) != 1 || p.Rooms[0].ID != first || p.NextCursor != "" || p.Rooms[0].AnchorID != "alice" || p.Rooms[0].Streams == nil {
		t.Errorf("got %+v", p)
	}
	for query, want := range map[string]int{"text=EVENING": 1, "text=nothing": 0, "state=live": 0, "state=prepared&text=alice": 2, "text=" + first: 1} {
		if p := decode[gen.ManagedRoomPage](t, b.send(t, ask("GET", "/api/v1/rooms?"+query, b.admin))); len(p.Rooms) != want {
			t.Errorf("%s: %+v", query, p)
		}
	}
	for query, code := range map[string]string{"state=on": "invalid_state", "limit=0": "invalid_limit", "limit=101": "invalid_limit",
		"cursor=x": "invalid_cursor", "text=%00": "invalid_text", "text=%FF": "invalid_text"} {
		b.bad(t, ask("GET", "/api/v1/rooms?"+query, b.admin)).want(t, http.StatusBadRequest, code)
	}
}

func TestAnAdministratorRulesTheRoomsOfOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.defaultRules(t)
	id := b.room(t, room.Input{Title: "Evening show", Notice: "Starts\nat eight", Extends: `{"a":1}`, Mode: room.ModeLink})
	path := "/api/v1/rooms/" + id
	r := decode[gen.ManagedRoom](t, b.send(t, ask("GET", path, b.admin)))
	if r.Notice != "Starts\nat eight" || r.Push == nil || !strings.Contains(r.Push.RTMP, "rtmp://push.example.com/live/"+id+"?") || r.Push.HLS != "" ||
		!strings.HasPrefix(r.Pull.FLV, "https://pull.example.com/live/"+id+".flv?") || r.LinkPull == nil || !r.UrlsExpireAt.Equal(b.clock.now().Add(time.Hour)) {
		t.Errorf("got %+v", r)
	}
	for _, step := range []struct{ verb, state string }{{"start", "live"}, {"start", "live"}, {"pause", "prepared"}, {"stop", "ended"}, {"stop", "ended"}} {
		if r := decode[gen.ManagedRoom](t, b.send(t, ask("POST", path+"/"+step.verb, b.admin))); string(r.State) != step.state || (r.Push == nil) != (step.state == "ended") {
			t.Errorf("%s: %+v", step.verb, r)
		}
	}
	for _, verb := range []string{"start", "pause"} {
		b.send(t, ask("POST", path+"/"+verb, b.admin)).want(t, http.StatusConflict, "room_ended")
	}
	b.send(t, ask("DELETE", path, b.admin)).want(t, http.StatusNoContent, "")
	for _, op := range []string{"GET ", "DELETE ", "POST /start", "POST /pause", "POST /stop"} {
		method, verb, _ := strings.Cut(op, " ")
		b.send(t, ask(method, path+verb, b.admin)).want(t, http.StatusNotFound, "room_not_found")
		b.bad(t, ask(method, "/api/v1/rooms/a%2Fb"+verb, b.admin)).want(t, http.StatusNotFound, "room_not_found")
	}
}
