package stagedoor

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
)

// addRooms makes rooms, one transaction each.
func (b *bench) addRooms(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := b.pool.Exec(t.Context(), `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
			VALUES ($1, 'live', 'show', 'anna', $1, '{}', $2, $2)`, id, b.clock.now())
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) listEvents(t *testing.T, query string) gen.EventPage {
	t.Helper()
	return decode[gen.EventPage](t, b.send(t, ask("GET", "/api/v1/events?"+query, b.admin)))
}

func subjects(p gen.EventPage) string {
	var all []string
	for _, e := range p.Events {
		all = append(all, e.Subject)
	}
	return strings.Join(all, " ")
}

func TestEventsAreListedBothWays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addRooms(t, "r1", "r2", "r3")
	newest := b.listEvents(t, "limit=2")
	if got := subjects(newest); got != "r3 r2" {
		t.Errorf("newest: %s", got)
	}
	last := b.listEvents(t, "limit=2&cursor="+newest.NextCursor)
	if got := subjects(last); got != "r1" || last.NextCursor != "" {
		t.Errorf("then: %s, cursor %q", got, last.NextCursor)
	}
	oldest := b.listEvents(t, "order=oldest&limit=2")
	if got := subjects(oldest); got != "r1 r2" {
		t.Errorf("oldest: %s", got)
	}
	oldest = b.listEvents(t, "order=oldest&cursor="+oldest.NextCursor)
	if got := subjects(oldest); got != "r3" {
		t.Errorf("then: %s", got)
	}
	if nothing := b.listEvents(t, "order=oldest&cursor="+oldest.NextCursor); len(nothing.Events) != 0 || nothing.NextCursor != oldest.NextCursor {
		t.Errorf("at the end: %+v", nothing)
	}
	b.addRooms(t, "r4")
	if got := subjects(b.listEvents(t, "order=oldest&cursor="+oldest.NextCursor)); got != "r4" {
		t.Errorf("later: %s", got)
	}
	for query, want := range map[string]string{
		"subject=r2":                            "r2",
		"type=room.created&subject=r1":          "r1",
		"type=room.*&type=stream.*&limit=1":     "r4",
		"type=stream.*":                         "",
		"since=2040-01-01T00:00:00Z":            "",
		"until=2029-01-01T00:00:00Z":            "",
		"since=2030-05-17T12:00:00Z&subject=r3": "r3",
	} {
		if got := subjects(b.listEvents(t, query)); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for query, code := range map[string]string{"cursor=x": "invalid_cursor", "cursor=o1": "invalid_cursor", "order=up": "invalid_order", "limit=101": "invalid_limit",
		"type=room.begun": "invalid_type", "since=now": "invalid_since"} {
		b.bad(t, ask("GET", "/api/v1/events?"+query, b.admin)).want(t, http.StatusBadRequest, code)
	}
	b.bad(t, ask("GET", "/api/v1/events", b.alice)).want(t, http.StatusForbidden, "admin_only")
}

// message is one of server-sent events.
type message struct{ id, event, data string }

// listener reads a live stream as any client does.
type listener struct {
	t    *testing.T
	body *bufio.Scanner
	stop func() error
	last string
}

func (b *bench) listen(t *testing.T, query, last string) *listener {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/api/v1/events/live?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.admin)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return &listener{t: t, body: bufio.NewScanner(resp.Body), stop: resp.Body.Close, last: last}
}

// next returns the next message that is no comment; ok is false at the end.
func (l *listener) next() (m message, ok bool) {
	l.t.Helper()
	for l.body.Scan() {
		name, value, _ := strings.Cut(l.body.Text(), ": ")
		switch name {
		case "id":
			m.id, l.last = value, value
		case "event":
			m.event = value
		case "data":
			m.data = value
		case "":
			if m != (message{}) {
				return m, true
			}
		}
	}
	return m, false
}

func (l *listener) want(event, data string) message {
	l.t.Helper()
	m, ok := l.next()
	if !ok || m.event != event || !strings.Contains(m.data, data) {
		l.t.Fatalf("%+v, want %s %s", m, event, data)
	}
	return m
}

func (l *listener) wantEnd() {
	l.t.Helper()
	if m, ok := l.next(); ok {
		l.t.Errorf("after the end: %+v", m)
	}
}

func TestEventsAreFollowedLive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addRooms(t, "before")
	all, some := b.listen(t, "", ""), b.listen(t, "subject=r2", "")
	ready := all.want("ready", "connected")
	some.want("ready", "connected")
	b.addRooms(t, "r1", "r2")
	first := all.want("room.created", `"subject":"r1"`)
	all.want("room.created", `"subject":"r2"`)
	some.want("room.created", `"subject":"r2"`)
	var e gen.Event
	if err := json.Unmarshal([]byte(first.data), &e); err != nil || fmt.Sprint(e.Number) != first.id || ready.id >= first.id {
		t.Errorf("%v %+v", err, e)
	}
	listed := b.listEvents(t, "subject=r1").Events
	if len(listed) != 1 || listed[0].ID != e.ID || string(listed[0].Data) != string(e.Data) {
		t.Errorf("live %+v, listed %+v", e, listed)
	}
}

func TestAFollowerResumesWithoutAGap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := b.listen(t, "", "")
	l.want("ready", "")
	b.addRooms(t, "r1", "r2")
	l.want("room.created", "r1")
	if err := l.stop(); err != nil { // cut off
		t.Fatal(err)
	}
	b.addRooms(t, "r3", "r4")
	l = b.listen(t, "type=room.*", l.last)
	l.want("ready", "")
	b.addRooms(t, "r5")
	for _, id := range []string{"r2", "r3", "r4", "r5"} {
		l.want("room.created", `"subject":"`+id+`"`)
	}
}

func TestWhatCannotBeResumedIsReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addRooms(t, "r1", "r2", "r3")
	if _, err := b.pool.Exec(t.Context(), "DELETE FROM events WHERE number < 3"); err != nil {
		t.Fatal(err)
	}
	for _, last := range []string{"1", "4", "9223372036854775807"} {
		l := b.listen(t, "", last)
		l.want("reload", "gone")
		l.wantEnd()
	}
	l := b.listen(t, "", "2")
	l.want("ready", "")
	l.want("room.created", "r3")
	r := ask("GET", "/api/v1/events/live", b.admin)
	r.Header["Last-Event-ID"] = "-1"
	b.bad(t, r).want(t, http.StatusBadRequest, "invalid_last_event_id")
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := b.listen(t, "", "")
	l.want("ready", "")
	b.clock.advance(25 * time.Hour)
	l.want("end", "unauthorized")
	l.wantEnd()
	for deadline := time.Now().Add(time.Minute); b.live.Followers() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("somebody still follows")
		}
	}
}

func TestALogoutEndsTheStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l := b.listen(t, "", "")
	l.want("ready", "")
	b.send(t, ask("POST", "/api/v1/logout", b.admin)).want(t, http.StatusNoContent, "")
	l.want("end", "unauthorized")
}

func TestDrainingEndsStreamsAndTheirNumberIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all []*listener
	for range 3 {
		all = append(all, b.listen(t, "", ""))
		all[len(all)-1].want("ready", "")
	}
	b.send(t, ask("GET", "/api/v1/events/live", b.admin)).want(t, http.StatusServiceUnavailable, "too_many_followers")
	b.live.Close()
	for _, l := range all {
		l.want("end", "draining")
		l.wantEnd()
	}
	b.send(t, ask("GET", "/api/v1/events/live", b.admin)).want(t, http.StatusServiceUnavailable, "draining")
}
