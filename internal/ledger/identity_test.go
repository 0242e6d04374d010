package ledger

import (
	"bytes"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestTheDatabaseComputesTheSameIdentities(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	for _, c := range [][]string{
		{"node", "vid-1/pid-2", "c1", "play", "__defaultVhost__", "live", "s"},
		{"node", "", "", "", "", "", ""},
		{"Knoten", "größer", "客户端", "publish", "v.example.com", "läuft", "直播"},
	} {
		id := identityOf(c[0], c[1], c[2], media.Scene(c[3]), media.Stream{Vhost: c[4], App: c[5], Name: c[6]})
		var theirs []byte
		if err := pool.QueryRow(t.Context(), "SELECT session_identity($1, $2, $3, $4, $5, $6, $7)", c[0], c[1], c[2], c[3], c[4], c[5], c[6]).Scan(&theirs); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(id[:], theirs) {
			t.Errorf("%q: %x and %x", c, id, theirs)
		}
	}
}

func TestIdentitiesTellWhatDiffersApart(t *testing.T) {
	t.Parallel()
	one := media.Event{Node: "n", ServerID: "s", ClientID: "c", Action: media.Playing, Stream: media.Stream{Vhost: "v", App: "a", Name: "b"}}
	seen := map[identity]bool{identify(one): true}
	for _, change := range []func(*media.Event){
		func(e *media.Event) { e.Node = "m" },
		func(e *media.Event) { e.ServerID = "" },
		func(e *media.Event) { e.ClientID = "d" },
		func(e *media.Event) { e.Action = media.Publishing },
		func(e *media.Event) { e.Stream.Vhost = "" },
		func(e *media.Event) { e.Stream.App, e.Stream.Name = "ab", "" },
		func(e *media.Event) { e.Stream.App, e.Stream.Name = "", "ab" },
	} {
		e := one
		change(&e)
		if id := identify(e); seen[id] {
			t.Errorf("%+v is somebody else", e)
		} else {
			seen[id] = true
		}
	}
	e := one
	e.Action = media.Stopped
	id := identify(e)
	if first, last := span(id[:connectionPart]); !seen[id] || bytes.Compare(first, id[:]) > 0 || bytes.Compare(id[:], last) > 0 {
		t.Errorf("%x is not between %x and %x", id, first, last)
	}
}

// What is on record survives the way to the new tables and back.
func TestSessionsSurviveTheirMigration(t *testing.T) {
	t.Parallel()
	url := dbtest.EmptyURL(t)
	up := func() {
		if err := pg.MigrateUp(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	down := func() {
		for version := uint(13); version >= 13; {
			if err := pg.MigrateDown(t.Context(), url, 1); err != nil {
				t.Fatal(err)
			}
			var err error
			if version, _, _, err = pg.MigrateStatus(t.Context(), url); err != nil {
				t.Fatal(err)
			}
		}
	}
	up()
	down()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	now := time.Now().UTC().Truncate(time.Microsecond)
	_, err = conn.Exec(t.Context(), `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, started_at, ended_at, end_reason, bytes_in, subject) VALUES
		('n', 's', 'open', 'publish', 'v', 'a', 'b', $1, NULL, '', 7, 'alice'),
		('n', 's', 'ended', 'play', 'v', 'a', 'b', $1, $1::timestamptz + interval '1 second', 'close', 8, ''),
		('n', 's', 'old', 'play', 'v', 'a', 'b', $1::timestamptz - interval '41 days', $1::timestamptz - interval '40 days', 'close', 9, ''),
		('n', 's', 'early', 'play', '', '', '', NULL, $1, 'early', 0, '')`, now)
	if err != nil {
		t.Fatal(err)
	}
	const kept = `SELECT string_agg(concat_ws(' ', id, node, server_id, client_id, scene, started_at = $1, ended_at - $1, end_reason, bytes_in, subject), ', ' ORDER BY id) FROM sessions`
	const want = "1 n s open publish t  7 alice, 2 n s ended play t 00:00:01 close 8 "
	check := func(where string) {
		t.Helper()
		var got string
		if err := conn.QueryRow(t.Context(), kept, pgx.QueryExecModeExec, now).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", where, got, err, want)
		}
	}
	up()
	check("up")
	var early, next int64
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM early_ends WHERE whole), nextval('session_ids')").Scan(&early, &next); err != nil || early != 1 || next != 5 {
		t.Errorf("%d early ends, next id %d, %v", early, next, err)
	}
	down()
	check("down")
}
