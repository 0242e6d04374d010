package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

func TestStreamsAreWhatIsBeingPublishedInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if live, err := b.Streams(t.Context()); err != nil || len(live) != 0 {
		t.Fatalf("got %+v, %v", live, err)
	}
	on := func(vhost, app, name string) client {
		return onSRS(media.Stream{Vhost: vhost, App: app, Name: name})
	}
	gone := on(media.DefaultVhost, "live", "gone")
	b.allow(t, on(media.DefaultVhost, "live", "b").publish(), on(media.DefaultVhost, "live", "a").publish(),
		on(media.DefaultVhost, "aaa", "z").publish(), gone.publish(), gone.unpublish(),
		onNginx(stream("a")).play(), onSRS(stream("a")).play(), on("v.example.com", "live", "a").play(),
		onSRS(stream("watched-by-nobody-yet")).play())
	left := onSRS(stream("a"))
	b.allow(t, left.play(), left.leave())
	live, err := b.Streams(t.Context())
	if err != nil || len(live) != 3 {
		t.Fatalf("got %+v, %v", live, err)
	}
	for i, want := range []string{"aaa/z 1", "live/a 3", "live/b 1"} {
		if got := fmt.Sprint(live[i].Stream, " ", live[i].Clients); got != want {
			t.Errorf("stream %d is %s, want %s", i, got, want)
		}
		if live[i].Node.Name != srsNode || live[i].Node.Kind != node.KindSRS || live[i].StartedAt.IsZero() {
			t.Errorf("stream %d: %+v", i, live[i])
		}
	}
}

func TestStreamsCarryWhatTheirNodeTells(t *testing.T) {
	t.Parallel()
	b := setup(t, realListers)
	b.pages(t, nginxNode, node.KindNginxRTMP, stat(capturedStat(t)))
	b.allow(t, onNginx(stream("room1")).publish(), onNginx(stream("room2")).publish(),
		onNginx(media.Stream{Vhost: "other", App: app, Name: "room1"}).at(localNode).publish())
	live, err := b.Streams(t.Context())
	if err != nil || len(live) != 3 {
		t.Fatalf("got %+v, %v", live, err)
	}
	if s := live[0]; s.Clients != 2 || s.Video.Codec != "H264" || s.Audio.SampleRate != 44100 || s.Uptime != 4936*time.Millisecond {
		t.Errorf("room1: %+v", s)
	}
	for _, s := range live[1:] {
		if s.Clients != 1 || s.Video != (media.Video{}) || s.Uptime != 0 {
			t.Errorf("what the page does not list: %+v", s)
		}
	}
}

func TestANodeThatDoesNotAnswerLeavesTheListWhole(t *testing.T) {
	t.Parallel()
	b := setup(t, withLister(node.KindSRS, lister(func(context.Context, media.Node) ([]media.LiveStream, error) {
		return nil, errors.New("no answer")
	})))
	b.allow(t, onSRS(stream("a")).publish(), onSRS(stream("b")).publish())
	live, err := b.Streams(t.Context())
	if err != nil || len(live) != 2 || live[0].Clients != 1 {
		t.Errorf("got %+v, %v", live, err)
	}
}

func TestManyReadersCostANodeOneRequest(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	b := setup(t, withLister(node.KindSRS, lister(func(context.Context, media.Node) ([]media.LiveStream, error) {
		return []media.LiveStream{{Stream: stream("a"), Clients: int(asked.Add(1))}}, nil
	})))
	b.allow(t, onSRS(stream("a")).publish())
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if live, err := b.Streams(t.Context()); err != nil || live[0].Clients != 1 {
				t.Errorf("got %+v, %v", live, err)
			}
		})
	}
	wg.Wait()
	b.clock.advance(statsFresh)
	if live, err := b.Streams(t.Context()); err != nil || live[0].Clients != 2 {
		t.Errorf("a moment later: %+v, %v", live, err)
	}
}

// The answer of a slow node is fresh when it comes, not when it was asked for.
func TestASlowNodeIsNotAskedByEachReaderInTurn(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	b := setup(t)
	b.Controls = media.Controls{node.KindSRS: {Lister: lister(func(context.Context, media.Node) ([]media.LiveStream, error) {
		asked.Add(1)
		b.clock.advance(2 * statsFresh)
		return nil, nil
	})}}
	b.allow(t, onSRS(stream("a")).publish())
	for range 5 {
		if _, err := b.Streams(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestAReaderThatGoesAwayLeavesNoHalfAnswerToTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, withLister(node.KindSRS, lister(func(ctx context.Context, _ media.Node) ([]media.LiveStream, error) {
		return []media.LiveStream{{Stream: stream("a"), Clients: 9}}, ctx.Err()
	})))
	b.allow(t, onSRS(stream("a")).publish())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.Ledger.ask(ctx, map[string]bool{srsNode: true})
	if live, err := b.Streams(t.Context()); err != nil || live[0].Clients != 9 {
		t.Errorf("got %+v, %v", live, err)
	}
}

func TestStreamsReportADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Streams(ctx); err == nil {
		t.Error("no error")
	}
}

// A scan of all sessions that ever were would hold up the commit that everybody
// shares.
func TestNothingScansAllSessions(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	statements := map[string][]any{}
	spy := &spyDB{exec: func(sql string, args []any) error {
		mu.Lock()
		defer mu.Unlock()
		statements[sql] = args
		return nil
	}}
	b := setup(t, spy.on())
	b.crowd(t, 60_000)
	c, d := onSRS(stream("x")), onNginx(stream("y"))
	b.allow(t, c.publish(), c.publish(), c.play(), c.recorded("/f", ""), c.leave(), c.unpublish(), c.close(), c.unpublish(), d.publish(), d.close(),
		c.streaming(stream("z")).unpublish(), c.streaming(stream("z")).publish())
	b.putAside(undoOp(c.publish(), b.clock.Now()))
	b.allow(t, onSRS(stream("w")).play())
	eventually(t, "nothing is left to do", b.aftermath.empty)
	mu.Lock()
	defer mu.Unlock()
	for sql, args := range statements {
		if strings.HasPrefix(sql, "COPY ") {
			continue
		}
		b.wantIndexed(t, sql, args)
	}
	if len(statements) < 12 {
		t.Errorf("only %d statements were seen", len(statements))
	}
}

// crowd puts players and publishers of 900 streams on record, of whom one in
// twenty is still there. Nobody counts them, and what tells them apart is not what
// the program would make of them: both would take longer than to write them.
func (b *bench) crowd(t *testing.T, n int) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "ALTER TABLE open_sessions DISABLE TRIGGER USER; ALTER TABLE ended_sessions DISABLE TRIGGER USER"); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `WITH crowd AS (
			SELECT n, 'p' || n AS client, 's' || n % 900 AS stream, CASE WHEN n % 50 = 0 AND (n % 20 > 0 OR n <= 18000) THEN 'publish' ELSE 'play' END AS scene,
				$1::timestamptz AS at
			FROM generate_series(1, $2::int) n
		), known AS (
			SELECT c.*, (SELECT substring(session_identity('elsewhere', 'vid-9/pid-9', '', '', '', '', '') FOR 8))
				|| substring(sha256(convert_to(client, 'UTF8')) FOR 20) AS identity FROM crowd c
		), opened AS (
			INSERT INTO open_sessions (identity, node, server_id, client_id, scene, vhost, app, stream, started_at)
			SELECT identity, 'elsewhere', 'vid-9/pid-9', client, scene, '__defaultVhost__', 'live', stream, at FROM known WHERE n % 20 = 0
			ON CONFLICT DO NOTHING
		)
		INSERT INTO ended_sessions
		SELECT n, 0, at, 0, 0, identity, 'elsewhere', 'vid-9/pid-9', client, scene, '__defaultVhost__', 'live', stream, '', '', '', '', '', '', NULL, NULL,
			at + n * interval '1 second', '' FROM known WHERE n % 20 > 0`, b.clock.Now(), n)
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), "ALTER TABLE open_sessions ENABLE TRIGGER USER; ALTER TABLE ended_sessions ENABLE TRIGGER USER; ANALYZE open_sessions, ended_sessions")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) wantIndexed(t *testing.T, sql string, args []any) {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "EXPLAIN "+sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	for _, line := range plan {
		if strings.Contains(line, "Seq Scan on ended_sessions") || strings.Contains(line, "Seq Scan on open_sessions") && !strings.Contains(sql, "SessionsOpenFigures") {
			t.Errorf("%s\n%v", sql, plan)
		}
	}
}
