package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// session is a row of the ledger.
type session struct {
	scene, app, stream, address, kind, subject string
	ended                                      bool // its end came before its start
}

func (b *bundle) session(t testing.TB, s session) (id int64) {
	t.Helper()
	if s.scene == "" {
		s.scene = "play"
	}
	if s.app == "" {
		s.app = "live"
	}
	var ended *time.Time
	if s.ended {
		ended = &start
	}
	err := b.pool.QueryRow(t.Context(), `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, address, credential_kind, subject, started_at, ended_at)
		VALUES ('n', 's', (SELECT count(*)::text FROM sessions), $1, '__defaultVhost__', $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
		s.scene, s.app, s.stream, s.address, s.kind, s.subject, start, ended).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bundle) describe(t testing.TB, rooms ...Room) []Detail {
	t.Helper()
	out, err := b.Describe(t.Context(), "alice", rooms...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMetricsAreCountedFromPlaySessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, quiet := b.create(t), b.create(t)
	for _, s := range []session{
		{address: "192.0.2.1"}, {address: "192.0.2.1", ended: true}, {address: "192.0.2.2", ended: true},
		{address: "192.0.2.3", subject: "bob"}, {address: "192.0.2.4", subject: "bob", ended: true}, // one person at two places
		{address: "192.0.2.5", kind: "live_token", subject: "alice"}, {address: "192.0.2.6", kind: "live_token", subject: "alice"}, // two with alice's token
		{scene: "publish", address: "192.0.2.9"}, {app: "vod", address: "192.0.2.11"},
	} {
		s.stream = r.ID
		b.session(t, s)
	}
	b.session(t, session{stream: "no room"})
	if _, err := b.Like(t.Context(), r.ChatID, 42); err != nil {
		t.Fatal(err)
	}
	want := Metrics{Likes: 42, Online: 4, PV: 7, UV: 5}
	got, err := b.Statistics(t.Context(), r.ChatID)
	if err != nil || got != want {
		t.Errorf("statistics %+v, error %v; want %+v", got, err, want)
	}
	details := b.describe(t, b.get(t, r.ID), b.get(t, quiet.ID))
	if details[0].Metrics != want || details[1].Metrics != (Metrics{}) {
		t.Errorf("described as %+v and %+v", details[0].Metrics, details[1].Metrics)
	}
	_, err = b.Statistics(t.Context(), "nobody")
	if err == nil || !strings.Contains(err.Error(), "room_not_found") {
		t.Errorf("error %v", err)
	}
}

func TestMixedStreamCountsForItsRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	b.session(t, session{stream: r.ID, address: "192.0.2.1"})
	b.session(t, session{stream: b.linkStream(r), address: "192.0.2.2"})
	b.session(t, session{stream: b.linkStream(Room{MeetingID: r.MeetingID, AnchorID: "guest"}), address: "192.0.2.3"})
	if got := b.describe(t, r)[0].Metrics; got != (Metrics{Online: 2, PV: 2, UV: 2}) {
		t.Errorf("metrics %+v", got)
	}
}

func TestStreamsOfOneNameInTwoApplicationsAreTwo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.create(t)
	b.Links.App = "second"
	second := b.create(t)
	for _, app := range []string{"live", "second"} { // each has the other's name too
		for _, r := range []Room{first, second} {
			b.session(t, session{app: app, stream: r.ID})
		}
	}
	for _, d := range b.describe(t, first, second) {
		if d.Metrics.PV != 1 {
			t.Errorf("room in %s: %+v", d.App, d.Metrics)
		}
	}
}

// recording is a file of a session of a stream.
func (b *bundle) recording(t testing.TB, node, stream, file string, seconds float64) {
	t.Helper()
	id := b.session(t, session{scene: "publish", stream: stream, ended: true})
	b.exec(t, `INSERT INTO recordings (session_id, node, vhost, app, stream, file, duration, started_at, created_at)
		VALUES ($1, $2, '', 'live', $3, $4, $5, $6, now())`, id, node, stream, file, seconds, start)
}

func TestRecordingsOfEndedRoomsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.inState(t, Off)
	on := b.inState(t, On)
	b.recording(t, "n1", r.ID, "first.flv", 1.5)
	b.recording(t, "n2", r.ID, "second.flv", 0)
	b.recording(t, "silent", r.ID, "third.flv", 3)
	b.recording(t, "n1", on.ID, "too-early.flv", 1)
	details := b.describe(t, r, on)
	var got []string
	for _, f := range details[0].Recordings {
		if !f.CreatedAt.Equal(start) {
			t.Errorf("created %s", f.CreatedAt)
		}
		got = append(got, fmt.Sprintf("%s %s", f.PlayURL, f.Duration))
	}
	if want := []string{"https://n2.example/second.flv 0s", "https://n1.example/first.flv 1.5s"}; !slices.Equal(got, want) {
		t.Errorf("recordings %q, want %q", got, want)
	}
	if len(details[1].Recordings) != 0 {
		t.Errorf("a room on air has %+v", details[1].Recordings)
	}
}

func TestRecordingsOfTheMixedStreamBelongToTheRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	if _, err := b.Stop(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	r = b.get(t, r.ID)
	b.recording(t, "n1", r.ID, "own.flv", 1)
	b.recording(t, "n1", b.linkStream(r), "mixed.flv", 1)
	if got := b.describe(t, r)[0].Recordings; len(got) != 2 || got[0].PlayURL != "https://n1.example/mixed.flv" || got[1].PlayURL != "https://n1.example/own.flv" {
		t.Errorf("recordings %+v", got)
	}
}

func TestRoomWithManyRecordingsLeavesPlaceForOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	modest, busy := b.inState(t, Off), b.inState(t, Off)
	b.recording(t, "n1", modest.ID, "only.flv", 1)
	for i := range maxRecordings + 5 {
		b.recording(t, "n1", busy.ID, fmt.Sprintf("%d.flv", i), 1)
	}
	details := b.describe(t, busy, modest)
	if got := details[0].Recordings; len(got) != maxRecordings || got[0].PlayURL != fmt.Sprintf("https://n1.example/%d.flv", maxRecordings+4) {
		t.Errorf("%d recordings, the newest %+v", len(got), got[0])
	}
	if got := details[1].Recordings; len(got) != 1 {
		t.Errorf("the other room has %+v", got)
	}
}

func TestRoomsAreDescribedForTheirCallerInTheirOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine := b.create(t)
	hers := b.create(t, func(in *Input) { in.Anchor = "bob" })
	details := b.describe(t, hers, mine)
	if details[0].ID != hers.ID || details[1].ID != mine.ID {
		t.Errorf("described %s, %s", details[0].ID, details[1].ID)
	}
	if details[0].Links.Push != nil || details[1].Links.Push == nil {
		t.Errorf("push URLs %v, %v", details[0].Links.Push, details[1].Links.Push)
	}
	if got := b.describe(t); len(got) != 0 {
		t.Errorf("nothing is described as %+v", got)
	}
}
