package event

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

const (
	newRoom = `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
		SELECT $1::text || n, 'live', 'show', 'anna', $1::text || n, '{}', now(), now() FROM generate_series(1, $2::int) n`
	newSession = `INSERT INTO open_sessions (identity, node, server_id, client_id, scene, vhost, app, stream, started_at)
		SELECT session_identity('n', 's', $1::text || n, $2, '', 'live', $3), 'n', 's', $1::text || n, $2, '', 'live', $3, now() FROM generate_series(1, $4::int) n`
	endSession = `WITH gone AS (DELETE FROM open_sessions s WHERE s.client_id = $1 RETURNING s.*)
		INSERT INTO ended_sessions SELECT g.*, now(), 'unpublish' FROM gone g`
)

// do runs a statement in a transaction of its own.
func do(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// logged returns all events in order, and what there is of them in the outbox.
func logged(t testing.TB, pool *pgxpool.Pool) []Event {
	t.Helper()
	l := &Log{DB: pool, Now: time.Now, Keep: time.Hour}
	var all []Event
	for cursor := ""; ; {
		page, next, err := l.List(t.Context(), Page{OldestFirst: true, After: cursor, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if cursor = next; len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	var wanted, outbox, drafts int
	err := pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM events JOIN event_wants USING (type)),
		(SELECT count(*) FROM event_outbox o JOIN events USING (number, id, type, subject, sequence, at, data)), (SELECT count(*) FROM event_drafts)`).
		Scan(&wanted, &outbox, &drafts)
	if err != nil || outbox != wanted || drafts != 0 {
		t.Errorf("%d events are wanted, %d in the outbox, %d drafts, %v", wanted, outbox, drafts, err)
	}
	return all
}

func types(all []Event) string {
	var names []string
	for _, e := range all {
		names = append(names, string(e.Type))
	}
	return strings.Join(names, " ")
}

// change is a statement, and the events that it leaves: always, and where
// somebody wants all.
type change struct {
	sql    string
	args   []any
	always string
	wanted string
}

var changes = []change{
	{newRoom, []any{"r", 3}, "room.created room.created room.created", ""},
	{"UPDATE rooms SET status = 1, started_at = now() WHERE id = 'r1'", nil, "room.started", ""},
	{"UPDATE rooms SET status = 1 WHERE id = 'r1'", nil, "", ""},
	{"UPDATE rooms SET like_count = 7, vod_id = 'v' WHERE id = 'r1'", nil, "", ""},
	{"UPDATE rooms SET title = 'another', notice = 'n', extends = 'e', muted = true, meeting_info = '[]' WHERE id = 'r1'", nil, "room.updated", ""},
	{"UPDATE rooms SET status = 0 WHERE id IN ('r1', 'r2')", nil, "room.paused", ""},
	{"UPDATE rooms SET status = 2, stopped_at = now() WHERE id <> 'r3'", nil, "room.stopped room.stopped", ""},
	{"UPDATE rooms SET status = 2, deleted_at = now(), stopped_at = now()", nil, "room.deleted room.deleted room.deleted", ""},
	{"UPDATE rooms SET title = 'of a room that is gone'", nil, "", ""},
	{newSession, []any{"p", "publish", "x", 1}, "stream.published", "session.started"},
	{newSession, []any{"v", "play", "x", 20}, "", strings.Repeat("session.started ", 20)},
	{"UPDATE open_sessions SET bytes_in = 5, seen_at = now()", nil, "", ""},
	{"UPDATE open_sessions SET refused = 'replaced', replaced_at = now() WHERE client_id = 'p1'", nil, "stream.unpublished", "session.ended"},
	{newSession, []any{"q", "publish", "x", 1}, "stream.published", "session.started"},
	{endSession, []any{"p1"}, "", ""},
	{endSession, []any{"q1"}, "stream.unpublished", "session.ended"},
	{endSession, []any{"v1"}, "", "session.ended"},
	{`INSERT INTO recordings (session_id, node, vhost, app, stream, file, started_at, created_at) VALUES (1, 'n', '', 'live', 'x', '/x.flv?auth_key=s3cret', now(), now())
		ON CONFLICT (session_id, file) DO UPDATE SET duration = 2`, nil, "recording.ready", ""},
	{`INSERT INTO recordings (session_id, node, vhost, app, stream, file, started_at, created_at) VALUES (1, 'n', '', 'live', 'x', '/x.flv?auth_key=s3cret', now(), now())
		ON CONFLICT (session_id, file) DO UPDATE SET duration = 2`, nil, "", ""},
	{"INSERT INTO refusals (at, action, reason, node, stream) VALUES (now(), 'play', 'no_right', 'n', ''), (now(), 'play', 'no_right', 'n', 'x')", nil, "", "decision.denied decision.denied"},
}

func TestEveryChangeLeavesItsEventsAndNoMore(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	do(t, pool, "INSERT INTO event_wants SELECT unnest($1::text[])", Always())
	schemas := payloads(t)
	wanted := false
	run := func(c change) {
		before := len(logged(t, pool))
		do(t, pool, c.sql, c.args...)
		after := logged(t, pool)[before:]
		want := strings.Fields(c.always)
		if wanted {
			want = append(want, strings.Fields(c.wanted)...)
		}
		got := strings.Fields(types(after))
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.sql, got, want)
		}
		for _, e := range after {
			checkPayload(t, schemas, e)
		}
	}
	for _, wanted = range []bool{false, true} {
		for _, c := range changes {
			run(c)
		}
		do(t, pool, "TRUNCATE rooms, recordings CASCADE")
		do(t, pool, "DELETE FROM open_sessions")
		do(t, pool, "INSERT INTO event_wants VALUES ('session.started'), ('session.ended'), ('decision.denied') ON CONFLICT DO NOTHING")
		if wanted {
			break
		}
	}
	checkSequences(t, logged(t, pool))
}

// checkSequences wants numbers to rise, and sequences by one.
func checkSequences(t testing.TB, all []Event) {
	t.Helper()
	last, number := map[string]int64{}, int64(0)
	for _, e := range all {
		if e.Sequence != last[e.Subject]+1 || e.Number <= number {
			t.Errorf("%d of %s follows %d, number %d follows %d", e.Sequence, e.Subject, last[e.Subject], e.Number, number)
		}
		last[e.Subject], number = e.Sequence, e.Number
	}
}

// payloads are the schemas of webhooks by type, as the spec has them.
func payloads(t *testing.T) map[Type]*openapi3.Schema {
	t.Helper()
	found := map[Type]*openapi3.Schema{}
	doc := spectest.New(t).Document()
	for name, ref := range doc.Components.Schemas {
		if strings.HasPrefix(name, "WebhookEvent") {
			found[Type(ref.Value.Properties["type"].Value.Enum[0].(string))] = ref.Value
		}
	}
	hooks := doc.Extensions["x-webhooks"].(map[string]any)
	listed := doc.Components.Schemas["EventType"].Value.Enum
	for _, typ := range Types {
		if found[typ] == nil || hooks[string(typ)] == nil || !slices.Contains(listed, any(string(typ))) {
			t.Errorf("the spec does not have %s everywhere", typ)
		}
	}
	if len(found) != len(Types) || len(hooks) != len(Types) || len(listed) != len(Types) {
		t.Errorf("the spec has more types: %d %d %d", len(found), len(hooks), len(listed))
	}
	return found
}

func checkPayload(t *testing.T, schemas map[Type]*openapi3.Schema, e Event) {
	t.Helper()
	text, err := json.Marshal(e)
	var value any
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err == nil {
		err = schemas[e.Type].VisitJSON(value, openapi3.EnableFormatValidation(), openapi3.MultiErrors())
	}
	if err == nil {
		err = undocumented(schemas[e.Type], value, string(e.Type))
	}
	if err != nil || len(text) > 20_000 {
		t.Errorf("%d bytes, %v\n%s", len(text), err, text)
	}
}

// undocumented complains of a field that the spec does not have.
func undocumented(s *openapi3.Schema, value any, at string) error {
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	for name, field := range object {
		ref := s.Properties[name]
		if ref == nil {
			return fmt.Errorf("%s.%s is not in the spec", at, name)
		}
		if err := undocumented(ref.Value, field, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func TestWhatIsRolledBackLeavesNothing(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SAVEPOINT a", "INSERT INTO rooms SELECT 'x', 'live', 't', '', '', 'a', '', '', 0, 0, 'x', NULL, NULL, '{}', 0, now(), now()", "ROLLBACK TO a",
		"INSERT INTO rooms SELECT 'y', 'live', 't', '', '', 'a', '', '', 0, 0, 'y', NULL, NULL, '{}', 0, now(), now()"} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tx, err = pool.Begin(t.Context()); err == nil {
		_, err = tx.Exec(t.Context(), newRoom, "r", 5)
	}
	if err != nil || tx.Rollback(t.Context()) != nil {
		t.Fatal(err)
	}
	if all := logged(t, pool); len(all) != 1 || all[0].Subject != "y" {
		t.Errorf("%+v", all)
	}
}

// A transaction that has taken its number, and is slow to end, is waited for by
// readers, and by nobody else.
func TestALateCommitIsNotMissed(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	slow, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Rollback(context.WithoutCancel(t.Context())) // it is over, unless the test has failed
	for _, sql := range []string{"INSERT INTO rooms SELECT 'slow', 'live', 't', '', '', 'a', '', '', 0, 0, 'slow', NULL, NULL, '{}', 0, now(), now()",
		"SET CONSTRAINTS ALL IMMEDIATE"} { // as the commit does, a moment before it is one
		if _, err := slow.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	tail := &Tail{DB: pool, Log: dbtest.Log(t), Most: 1, Every: time.Millisecond}
	go tail.Run(t.Context())
	f, err := tail.Follow(t.Context(), Filter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	do(t, pool, newRoom, "fast", 2)
	l := &Log{DB: pool, Now: time.Now, Keep: time.Hour}
	early, cursor, err := l.List(t.Context(), Page{OldestFirst: true, Limit: 10})
	if err != nil || len(early) != 0 {
		t.Errorf("%+v, %v", early, err)
	}
	if newest, _, err := l.List(t.Context(), Page{Limit: 10}); err != nil || len(newest) != 0 {
		t.Errorf("%+v, %v", newest, err)
	}
	if err := slow.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, _, err := l.List(t.Context(), Page{OldestFirst: true, After: cursor, Limit: 10})
	if err != nil || len(all) != 3 || all[0].Subject != "slow" {
		t.Errorf("%+v, %v", all, err)
	}
	for _, want := range all {
		if got, err := f.Next(t.Context()); err != nil || got.ID != want.ID {
			t.Errorf("%+v, %v, want %s", got, err, want.Subject)
		}
	}
}

// Two processes change the same subjects in many transactions, in any order, and
// announce things beside it; while a reader reads on.
func TestManyWritersNumberWithoutAGapAndAReaderMissesNothing(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	open := func() *pgxpool.Pool {
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	pool := open()
	do(t, pool, "INSERT INTO event_wants VALUES ('session.started'), ('session.ended')")
	read := make(chan []Event)
	done := make(chan struct{})
	go func() { read <- readOn(t, open(), done) }()
	var writers sync.WaitGroup
	for w := range 6 {
		mine := open()
		writers.Go(func() {
			for i := range 15 {
				if err := change3(t.Context(), mine, w, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	all := logged(t, pool)
	checkSequences(t, all)
	got := <-read
	if len(all) != 6*15*4 || len(got) != len(all) {
		t.Errorf("%d events, %d read", len(all), len(got))
	}
	for i := range min(len(got), len(all)) {
		if got[i].Number != all[i].Number {
			t.Fatalf("%d is number %d, want %d", i, got[i].Number, all[i].Number)
		}
	}
}

// change3 has three players come to streams in an order of its own, and one
// leave; every third time it is announced, before or after.
func change3(ctx context.Context, pool *pgxpool.Pool, w, i int) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		client := fmt.Sprintf("c%d-%d-", w, i)
		announce := func(when bool) error {
			if !when || i%3 > 0 {
				return nil
			}
			_, err := tx.Exec(ctx, "INSERT INTO revocations (what, reason, asked_at, next_at) VALUES ('stream', 'r', now(), now())")
			return err
		}
		if err := announce(w%2 == 0); err != nil {
			return err
		}
		for n := range 3 {
			if _, err := tx.Exec(ctx, newSession, client, "play", fmt.Sprint("s", (n*(w%2+1)+i)%3)+"", 1); err != nil {
				return err
			}
			client += "x"
		}
		if err := announce(w%2 == 1); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, endSession, client[:len(client)-3]+"1")
		return err
	})
}

// readOn reads the log upwards while it is written, to the end.
func readOn(t *testing.T, pool *pgxpool.Pool, done <-chan struct{}) (all []Event) {
	l := &Log{DB: pool, Now: time.Now, Keep: time.Hour}
	for cursor, last := "", false; ; {
		select {
		case <-done:
			last = true
		default:
		}
		page, next, err := l.List(t.Context(), Page{OldestFirst: true, After: cursor, Limit: 1000})
		if err != nil {
			t.Error(err)
			return all
		}
		all, cursor = append(all, page...), next
		if last {
			return all
		}
	}
}

func TestNoSecretGetsIntoTheLog(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	do(t, pool, newRoom, "r", 1)
	do(t, pool, `UPDATE rooms SET cover_url = 'https://c/x?sign=s3cret', extends = '{"key":"s3cret"}', notice = repeat('长', 256), title = repeat('题', 63),
		meeting_info = '[{"rtc_pull_url":"artc://p/x?token=s3cret"}]'`)
	for _, c := range changes {
		if strings.Contains(c.sql, "s3cret") {
			do(t, pool, c.sql)
		}
	}
	schemas := payloads(t)
	all := logged(t, pool)
	if types(all) != "room.created room.updated recording.ready" {
		t.Errorf("%s", types(all))
	}
	for _, e := range all {
		if checkPayload(t, schemas, e); strings.Contains(string(e.Data), "s3cret") {
			t.Errorf("%s", e.Data)
		}
	}
}

func TestASlowFollowerIsDropped(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	tail := &Tail{DB: pool, Log: dbtest.Log(t), Most: 2, Every: time.Millisecond}
	go tail.Run(t.Context())
	slow, err := tail.Follow(t.Context(), Filter{}, -1)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := tail.Follow(t.Context(), Filter{Types: []string{"room.stopped"}}, -1)
	if err != nil {
		t.Fatal(err)
	}
	do(t, pool, newRoom, "r", buffered+1)
	do(t, pool, "UPDATE rooms SET status = 2 WHERE id = 'r1'")
	if e, err := quick.Next(t.Context()); err != nil || e.Type != RoomStopped {
		t.Errorf("%+v, %v", e, err)
	}
	for n := 0; err == nil; n++ {
		if _, err = slow.Next(t.Context()); err != nil && (err != ErrSlow || n != buffered) {
			t.Errorf("%v after %d", err, n)
		}
	}
	slow.Close()
	if tail.Followers() != 1 {
		t.Errorf("%d follow", tail.Followers())
	}
}
