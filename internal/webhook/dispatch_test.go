package webhook

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func (b *bench) text(t *testing.T, sql string) (text string) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

const wants = "SELECT coalesce(string_agg(type, ' ' ORDER BY type), '') FROM event_wants"

func TestEndpointsGetTheEventsThatTheyWant(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	all, _ := b.endpoint(t, "https://8.8.8.8/")
	rooms, _ := b.endpoint(t, "https://8.8.8.8/", "room.started", "session.*")
	off, _ := b.endpoint(t, "https://8.8.8.8/", "decision.denied")
	no := false
	if _, err := b.Update(t.Context(), off.ID, Changes{Enabled: &no}); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"room.started", "room.stopped", "session.ended", "decision.denied"} {
		happen(t, b.pool, typ)
	}
	if n := b.text(t, "SELECT count(*)::text FROM event_outbox"); n != "3" {
		t.Errorf("%s events wait", n)
	}
	b.dispatched(t)
	for _, c := range []struct {
		id   string
		want []string
	}{{all.ID, []string{"room.stopped", "room.started"}}, {rooms.ID, []string{"session.ended", "room.started"}}, {off.ID, nil}} {
		var got []string
		for _, d := range b.list(t, c.id) {
			got = append(got, string(d.Type))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s got %v, want %v", c.id, got, c.want)
		}
	}
	if jobs := b.text(t, "SELECT count(*)::text FROM river.river_job WHERE state = 'available'"); jobs != "4" {
		t.Errorf("%s jobs", jobs)
	}
}

func TestWhatIsWantedFollowsTheEndpoints(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	const always = "recording.ready room.created room.deleted room.paused room.started room.stopped room.updated stream.published stream.unpublished"
	is := func(when, want string) {
		t.Helper()
		if got := b.text(t, wants); got != want {
			t.Errorf("%s %q is wanted, not %q", when, got, want)
		}
	}
	is("at first", "")
	e, _ := b.endpoint(t, "https://8.8.8.8/")
	is("by a plain one", always)
	more, _ := b.endpoint(t, "https://8.8.8.8/", "session.*")
	is("with sessions", "recording.ready room.created room.deleted room.paused room.started room.stopped room.updated session.ended session.started stream.published stream.unpublished")
	no, yes, few := false, true, []string{"room.paused"}
	for _, c := range []struct {
		when string
		ch   Changes
		want string
	}{{"less", Changes{Types: &few}, "room.paused session.ended session.started"}, {"off", Changes{Enabled: &no}, "session.ended session.started"},
		{"on", Changes{Enabled: &yes}, "room.paused session.ended session.started"}} {
		if _, err := b.Update(t.Context(), e.ID, c.ch); err != nil {
			t.Fatal(err)
		}
		is(c.when, c.want)
	}
	for _, id := range []string{e.ID, more.ID} {
		if err := b.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	is("in the end", "")
}

// Changes at the same time see one another.
func TestEndpointsOfManyAtOnceAreAllWanted(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	types := []string{"room.created", "room.started", "room.paused", "room.stopped", "session.started", "session.ended", "decision.denied", "recording.ready"}
	var all sync.WaitGroup
	for _, typ := range types {
		all.Go(func() {
			if _, _, err := b.Create(t.Context(), Settings{URL: "https://8.8.8.8/", Types: []string{typ}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := b.text(t, "SELECT count(*)::text FROM event_wants"); n != strconv.Itoa(len(types)) {
		t.Errorf("%s types are wanted", n)
	}
}

func TestEventsAreHandedOnOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	e, _ := b.endpoint(t, "https://8.8.8.8/")
	const n = 500
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO event_outbox SELECT nextval('event_numbers'), 'evt_' || i, 'room.started', 'room', i, now(), '{}'
		FROM generate_series(1, $1::integer) i`, n); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { b.dispatched(t) })
	}
	all.Wait()
	b.dispatched(t)
	seen := map[string]bool{}
	for _, d := range b.list(t, e.ID) {
		seen[d.EventID] = true
	}
	if len(seen) != n || b.text(t, "SELECT count(*)::text FROM webhook_deliveries") != strconv.Itoa(n) {
		t.Errorf("%d events for %s deliveries", len(seen), b.text(t, "SELECT count(*)::text FROM webhook_deliveries"))
	}
}

func TestAReplayHasTheIdsAndBytesOfBefore(t *testing.T) {
	t.Parallel()
	b, r := setup(t, loopback), newReceiver(t)
	e, secret := b.endpoint(t, r.URL, "room.*")
	began := time.Now().Add(-time.Minute)
	for _, typ := range []string{"room.started", "room.stopped", "stream.published"} {
		happen(t, b.pool, typ)
	}
	b.dispatched(t)
	replay := func(in Range, want int) {
		t.Helper()
		in.Since, in.Until = began, time.Now().Add(time.Minute)
		if n, next, err := b.Replay(t.Context(), e.ID, in); n != want || next != "" || err != nil {
			t.Errorf("Replay(%+v) = %d, %q, %v, want %d", in, n, next, err, want)
		}
	}
	replay(Range{}, 0) // they are on their way
	for _, d := range b.list(t, e.ID) {
		b.attempt(t, d)
	}
	replay(Range{MissingOnly: true}, 0)
	replay(Range{Types: []string{"room.started", "stream.*"}}, 1)
	replay(Range{}, 1) // the other one
	for _, d := range b.list(t, e.ID) {
		b.attempt(t, d)
	}
	bodies := map[string]string{}
	for i, id := range r.verified(t, secret) {
		body := r.messages()[i].body
		if before, there := bodies[id]; there && before != body {
			t.Errorf("%s was\n%s\nand is\n%s", id, before, body)
		}
		bodies[id] = body
	}
	if len(bodies) != 2 || len(r.messages()) != 4 {
		t.Errorf("%d events in %d messages", len(bodies), len(r.messages()))
	}
	no := false
	if _, err := b.Update(t.Context(), e.ID, Changes{Enabled: &no}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Replay(t.Context(), e.ID, Range{Since: began}); errs.KindOf(err) != errs.Conflict {
		t.Errorf("of a disabled one: %v", err)
	}
}

func TestALongReplayGoesByParts(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	e, _ := b.endpoint(t, "https://8.8.8.8/")
	const n = replayAtOnce + 5
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO events SELECT nextval('event_numbers'), 'evt_' || i, 'room.started', 'room', i, now(), '{}'
		FROM generate_series(1, $1::integer) i`, n); err != nil {
		t.Fatal(err)
	}
	r := Range{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}
	total := 0
	for parts := 1; ; parts++ {
		got, next, err := b.Replay(t.Context(), e.ID, r)
		if err != nil {
			t.Fatal(err)
		}
		total += got
		if r.After = next; next == "" {
			if parts != 2 {
				t.Errorf("%d parts", parts)
			}
			break
		}
	}
	if total != n {
		t.Errorf("%d of %d", total, n)
	}
}

func TestThereAreNotTooManyEndpoints(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO webhook_endpoints (id, url, secret_sealed, created_at, updated_at)
		SELECT 'wh_' || i, 'https://8.8.8.8/', '', now(), now() FROM generate_series(1, $1::integer) i`, maxEndpoints); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Create(t.Context(), Settings{URL: "https://8.8.8.8/"}); errs.As(err).Reason != "too_many_webhooks" {
		t.Errorf("Create = %v", err)
	}
}

// What an event says is written by the database; it is sent as it is.
func TestBodiesStayBelowTwentyThousandBytes(t *testing.T) {
	t.Parallel()
	b := setup(t, loopback)
	e, _ := b.endpoint(t, "https://8.8.8.8/")
	happen(t, b.pool, "room.started")
	b.dispatched(t)
	body := b.text(t, fmt.Sprintf("SELECT body FROM webhook_deliveries WHERE endpoint_id = '%s'", e.ID))
	if !json.Valid([]byte(body)) || len(body) > 20_000 {
		t.Errorf("%d bytes: %s", len(body), body)
	}
}
