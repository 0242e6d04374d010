package room

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

func TestOnlyFreshSignaturesOfTheCDNAreBelieved(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	s := New(Config{PushKey: "cbkey0123456789", Now: func() time.Time { return at }, Links: LinkConfig{PushDomain: "Push.Example.com:1935"}})
	const vector = "b4cdf249b28a4bf8abdf4364db69d056" // of the reference, for push.example.com
	sign := func(timestamp string) string {
		return urlsign.PushCallbackSignature("push.example.com", timestamp, "cbkey0123456789")
	}
	moved := func(d time.Duration) string { return strconv.FormatInt(at.Add(d).Unix(), 10) }
	for name, c := range map[string]struct {
		timestamp, signature string
		ok                   bool
	}{
		"the vector":           {"1700000000", vector, true},
		"in capitals":          {"1700000000", strings.ToUpper(vector), true},
		"five minutes old":     {moved(-5 * time.Minute), sign(moved(-5 * time.Minute)), true},
		"five minutes ahead":   {moved(5 * time.Minute), sign(moved(5 * time.Minute)), true},
		"older":                {moved(-301 * time.Second), sign(moved(-301 * time.Second)), false},
		"further ahead":        {moved(301 * time.Second), sign(moved(301 * time.Second)), false},
		"another time":         {"1700000001", vector, false},
		"a digit less":         {"1700000000", vector[:31], false},
		"another domain":       {"1700000000", urlsign.PushCallbackSignature("pull.example.com", "1700000000", "cbkey0123456789"), false},
		"the empty key":        {"1700000000", urlsign.PushCallbackSignature("push.example.com", "1700000000", ""), false},
		"nothing":              {"", "", false},
		"no number":            {"now", sign("now"), false},
		"a number too far":     {"9223372036854775807", sign("9223372036854775807"), false},
		"a number too far ago": {"-9223372036854775808", sign("-9223372036854775808"), false},
	} {
		if err := s.CheckPushSignature(c.timestamp, c.signature); (err == nil) != c.ok || err != nil && errs.KindOf(err) != errs.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.PushKey = ""
	if err := s.CheckPushSignature("1700000000", urlsign.PushCallbackSignature("push.example.com", "1700000000", "")); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("without a key: %v", err)
	}
}

// report is one event of a stream, at seconds after the start of the test.
type report struct {
	stream string
	live   bool
	at     int
}

func (b *bundle) report(t testing.TB, r report) {
	t.Helper()
	err := b.ReportPush(t.Context(), PushReport{Domain: "push.example", App: "live", Stream: r.stream, Live: r.live, At: start.Add(time.Duration(r.at) * time.Second)})
	if err != nil {
		t.Error(err)
	}
}

func TestTheNewestReportOfAStreamCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	on := func(at int) report { return report{live: true, at: at} }
	off := func(at int) report { return report{at: at} }
	for name, c := range map[string]struct {
		reports []report
		want    []Status // after each
	}{
		"in order":                 {[]report{on(1), off(2), on(3)}, []Status{1, 0, 1}},
		"twice each":               {[]report{on(1), on(1), off(2), off(2), on(1), on(3), off(2), on(3)}, []Status{1, 1, 0, 0, 0, 1, 1, 1}},
		"the end before the start": {[]report{off(2), on(1)}, []Status{0, 0}},
		"an end from before":       {[]report{on(3), off(2)}, []Status{1, 1}},
		"an end for nothing":       {[]report{off(1)}, []Status{0}},
		"both in one second":       {[]report{on(1), off(1), on(1), off(1)}, []Status{1, 0, 0, 0}},
		"reopened in one second":   {[]report{on(1), off(2), on(2), off(2)}, []Status{1, 0, 1, 1}},
	} {
		r := b.create(t)
		for i, rep := range c.reports {
			rep.stream = r.ID
			b.report(t, rep)
			if got := b.get(t, r.ID).Status; got != c.want[i] {
				t.Errorf("%s: status %d after report %d, want %d", name, got, i, c.want[i])
			}
		}
	}
}

// Reports of one stream with different times lead to the same state in every
// order and however often each comes, also when they come at once.
func TestEveryOrderOfReportsEndsTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sequence := []report{{live: true, at: 1}, {at: 2}, {live: true, at: 3}, {at: 4}, {live: true, at: 5}}
	for last := range sequence {
		r := b.create(t)
		var wg sync.WaitGroup
		for _, rep := range slices.Concat(sequence[:last+1], sequence[:last+1]) {
			rep.stream = r.ID
			wg.Go(func() { b.report(t, rep) })
		}
		wg.Wait()
		want := Prepare
		if sequence[last].live {
			want = On
		}
		if got := b.get(t, r.ID); got.Status != want || got.StartedAt == nil && last > 0 && got.Status == On {
			t.Errorf("after %d reports: status %d, want %d", last+1, got.Status, want)
		}
	}
}

func TestReportsMindWhatElseHappensToARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := func(do func(id string) (Room, error), id string) {
		t.Helper()
		if _, err := do(id); err != nil {
			t.Fatal(err)
		}
	}
	ended := b.create(t)
	b.report(t, report{ended.ID, true, 1})
	alice(func(id string) (Room, error) { return b.Stop(t.Context(), "alice", id) }, ended.ID)
	before := b.get(t, ended.ID)
	b.report(t, report{ended.ID, true, 9})
	b.report(t, report{ended.ID, false, 10})
	if got := b.get(t, ended.ID); got.Status != Off || !got.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("an ended room is in %d", got.Status)
	}
	deleted := b.create(t)
	alice(func(id string) (Room, error) { return b.Delete(t.Context(), "alice", id) }, deleted.ID)
	b.report(t, report{deleted.ID, true, 1})
	if _, err := b.Get(t.Context(), deleted.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("a deleted room: %v", err)
	}

	paused := b.create(t)
	b.report(t, report{paused.ID, true, 1})
	alice(func(id string) (Room, error) { return b.Pause(t.Context(), "alice", id) }, paused.ID)
	b.report(t, report{paused.ID, true, 1}) // a repetition is no new publish
	if got := b.get(t, paused.ID).Status; got != Prepare {
		t.Errorf("a repeated report ends a pause: %d", got)
	}
	b.report(t, report{paused.ID, true, 2})
	if got := b.get(t, paused.ID).Status; got != On {
		t.Errorf("a new publish does not end a pause: %d", got)
	}
}

func TestOnlyTheAnchorsStreamsMoveARoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, other := b.create(t, linked), b.create(t, linked)
	name := func(meeting, user, kind string) string { return rtcAppID + "_" + meeting + "_" + user + "_" + kind }
	for _, stream := range []string{
		name(r.MeetingID, "bob", "camera"), name(r.MeetingID, "Alice", "camera"), name(r.MeetingID, "alice", "screen"), name(r.MeetingID, "alice_x", "audio"),
		name(r.MeetingID[:8], "alice", "camera"), name("0", "alice", "camera"), "other_" + r.MeetingID + "_alice_camera", r.MeetingID + "_alice_camera",
		r.MeetingID, r.ID[:31], r.ID + "0", "", "a/b", strings.Repeat("x", 500), "a\x00b", "\xff",
	} {
		b.report(t, report{stream, true, 1})
	}
	if got := b.get(t, r.ID).Status; got != Prepare {
		t.Errorf("status %d", got)
	}
	camera, audio := name(r.MeetingID, "alice", "camera"), name(r.MeetingID, "alice", "audio")
	for i, step := range []struct {
		report
		want Status
	}{
		{report{camera, true, 1}, On},
		{report{audio, true, 5}, On},
		{report{camera, false, 4}, On}, // the other one goes on
		{report{audio, false, 6}, Prepare},
		{report{r.ID, true, 1}, On}, // times of other streams do not count
		{report{r.ID, false, 2}, Prepare},
	} {
		b.report(t, step.report)
		if got := b.get(t, r.ID).Status; got != step.want {
			t.Errorf("step %d: status %d, want %d", i, got, step.want)
		}
	}
	if got := b.get(t, other.ID).Status; got != Prepare {
		t.Errorf("another room is in %d", got)
	}
}

func TestOtherAppsDomainsAndFuturesAreNotHeeded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	base := PushReport{Domain: "push.example", App: "live", Stream: r.ID, Live: true, At: start}
	for name, c := range map[string]struct {
		change func(*PushReport)
		kind   errs.Kind
		fails  bool
	}{
		"another app":    {change: func(p *PushReport) { p.App = "vod" }},
		"no app":         {change: func(p *PushReport) { p.App = "" }},
		"another domain": {func(p *PushReport) { p.Domain = "pull.example" }, errs.Forbidden, true},
		"no domain":      {func(p *PushReport) { p.Domain = "" }, errs.Forbidden, true},
		"the future":     {func(p *PushReport) { p.At = start.Add(301 * time.Second) }, errs.Invalid, true},
	} {
		p := base
		c.change(&p)
		if err := b.ReportPush(t.Context(), p); (err != nil) != c.fails || err != nil && errs.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
		if got := b.get(t, r.ID).Status; got != Prepare {
			t.Errorf("%s: status %d", name, got)
		}
	}
}

func TestACDNDoesNotEndWhatOurOwnMediaServerHas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	b.report(t, report{r.ID, true, 1})
	b.exec(t, `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, started_at)
		VALUES ('local', '', '1', 'publish', $1, 'live', $2, $3)`, media.DefaultVhost, r.ID, start)
	b.report(t, report{r.ID, false, 2})
	if got := b.get(t, r.ID).Status; got != On {
		t.Errorf("status %d", got)
	}
}

func TestOurOwnMediaServerDoesNotEndWhatTheCDNHas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	b.published(t, r.own())
	b.report(t, report{r.ID, true, 1})
	b.unpublished(t, r.own())
	if got := b.get(t, r.ID).Status; got != On {
		t.Errorf("status %d", got)
	}
	b.report(t, report{r.ID, false, 2})
	if got := b.get(t, r.ID).Status; got != Prepare {
		t.Errorf("status %d with nobody left", got)
	}
}

func TestReportsAndTheAnchorAtOnceEndLegally(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() { b.report(t, report{r.ID, i%2 == 0, i}) })
		if i == 8 {
			wg.Go(func() {
				if _, err := b.Stop(t.Context(), "alice", r.ID); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if got := b.get(t, r.ID); got.Status != Off || got.StoppedAt == nil {
		t.Errorf("status %d", got.Status)
	}
}

func TestRTCTokensAreForRoomsThatExist(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.create(t, linked)
	token, expires, err := b.RTCToken(t.Context(), "bob", r.MeetingID)
	if err != nil || !expires.Equal(start.Add(24*time.Hour)) || token != urlsign.RTCToken(rtcAppID, rtcAppKey, r.MeetingID, "bob", "", expires.Unix()) {
		t.Errorf("%s until %v: %v", token, expires, err)
	}
	if link := b.LinksFor(r, "bob", start).Link.RTCPush; !strings.HasSuffix(link, fmt.Sprintf("&timestamp=%d&token=%s", expires.Unix(), token)) {
		t.Errorf("the room's own URL has another token: %s", link)
	}
	for _, id := range []string{"", r.ID, "none", r.MeetingID[:35], "a\x00", strings.Repeat("a", 65)} {
		_, _, err := b.RTCToken(t.Context(), "bob", id)
		wantErr(t, err, errs.NotFound, "room_not_found")
	}
	_, _, err = b.RTCToken(t.Context(), "b@b", r.MeetingID)
	wantErr(t, err, errs.Invalid, "invalid_user_id")
	if _, err := b.Delete(t.Context(), "alice", r.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = b.RTCToken(t.Context(), "bob", r.MeetingID)
	wantErr(t, err, errs.NotFound, "room_not_found")
}
