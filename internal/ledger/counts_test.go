package ledger

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// counted is what has been counted of all streams, and what there is to count.
func (b *bench) counted(t *testing.T) (kept, truth string) {
	t.Helper()
	err := b.pool.QueryRow(t.Context(), `SELECT
		(SELECT string_agg(concat_ws(' ', app, stream, pv, uv, online), ', ' ORDER BY app, stream) FROM (
			SELECT app, stream, sum(pv) AS pv, sum(uv) AS uv, sum(online) AS online FROM stream_counts GROUP BY app, stream) c
			WHERE (pv, uv, online) <> (0, 0, 0)),
		(SELECT string_agg(concat_ws(' ', app, stream, pv, uv, online), ', ' ORDER BY app, stream) FROM (
			SELECT app, stream, count(*) AS pv, count(DISTINCT viewer_of(subject, credential_kind, address)) AS uv, count(*) FILTER (WHERE ended_at IS NULL) AS online
			FROM sessions WHERE scene = 'play' AND refused = '' GROUP BY app, stream) s)`).Scan(&kept, &truth)
	if err != nil {
		t.Fatal(err)
	}
	return kept, truth
}

func (b *bench) wantCounted(t *testing.T) {
	t.Helper()
	if kept, truth := b.counted(t); kept != truth || truth == "" {
		t.Errorf("counted %s\nwant    %s", kept, truth)
	}
}

// Crowds come and go on two processes, in any order, more than once, and some are
// not told in time: the counts are those of the sessions on record.
func TestCountsAreTrueWhateverHappens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := setupOn(t, b.pool, b.sameClock)
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			random, l := rand.New(rand.NewPCG(1, uint64(worker))), []*bench{b, other}[worker%2]
			for range 40 {
				c := onSRS(stream(fmt.Sprintf("s%d", random.IntN(4))))
				play := c.play()
				play.Address = fmt.Sprintf("192.0.2.%d", random.IntN(9))
				events := []media.Event{play, play, c.leave(), c.close()}
				random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				l.allow(t, events[:1+random.IntN(len(events))]...)
				if random.IntN(4) == 0 {
					l.putAside(undoOp(c.play(), l.clock.Now()))
				}
			}
		})
	}
	wg.Wait()
	b.allow(t, onSRS(stream("s0")).play())
	other.allow(t, onSRS(stream("s0")).play())
	eventually(t, "nothing is left to do", func() bool { return b.aftermath.empty() && other.aftermath.empty() })
	b.wantCounted(t)
}

func TestWhoIsTakenBackOrRefusedLaterWasNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stays, goes, comes := onSRS(stream("s")), onSRS(stream("s")), onSRS(stream("s"))
	first, second, third := stays.play(), goes.play(), comes.play()
	first.Address, second.Address, third.Address = "192.0.2.1", "192.0.2.2", "192.0.2.1"
	b.allow(t, first, second, third)
	for _, s := range b.open(t)[1:] {
		e := second
		if s.ClientID == comes.id {
			e = third
		}
		b.putAside(undoOp(e, s.StartedAt))
	}
	b.allow(t, onSRS(stream("t")).play())
	eventually(t, "they are taken back", func() bool { return b.aftermath.empty() })
	b.wantCounted(t)
	b.wantRows(t, "SELECT concat_ws(' ', stream, sum(pv), sum(uv), sum(online)) FROM stream_counts GROUP BY stream ORDER BY stream", "s 1 1 1", "t 1 1 1")

	if _, err := b.pool.Exec(t.Context(), "UPDATE open_sessions SET refused = 'room_ended' WHERE stream = 't'"); err != nil {
		t.Fatal(err)
	}
	b.wantCounted(t)
}

// A viewer who is taken back has been there all the same if he came another time,
// whether that has ended or is taken back later.
func TestWhoIsTakenBackWasThereByAnotherSession(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second string // what becomes of the second session
		want   string
	}{
		"that is open":             {"open", "s 1 1 1"},
		"that has ended":           {"ended", "s 1 1 0"},
		"that is taken back first": {"taken back first", "s 0 0 0"},
		"that is taken back later": {"taken back", "s 0 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			first, second := onSRS(stream("s")), onSRS(stream("s"))
			b.allow(t, first.play())
			b.allow(t, second.play())
			undo := map[string]*op{}
			for _, s := range b.open(t) {
				undo[s.ClientID] = undoOp(onSRS(stream("s")).called(s.ClientID).play(), s.StartedAt)
			}
			gone := []*op{undo[first.id]}
			switch c.second {
			case "ended":
				b.allow(t, second.leave())
			case "taken back first":
				gone = []*op{undo[second.id], undo[first.id]}
			case "taken back":
				gone = append(gone, undo[second.id])
			}
			for _, o := range gone {
				b.putAside(o)
			}
			b.allow(t, onSRS(stream("t")).play())
			eventually(t, "they are taken back", func() bool { return b.aftermath.empty() })
			b.wantCounted(t)
			b.wantRows(t, "SELECT concat_ws(' ', stream, sum(pv), sum(uv), sum(online)) FROM stream_counts WHERE stream = 's' GROUP BY stream", c.want)
		})
	}
}

// Streams that nobody has come to for long are forgotten, but not how often a
// room was played.
func TestStreamsOfLongAgoAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Keep = 24 * time.Hour
	room := b.room(t, 0)
	old, shown, watched := onSRS(stream("old")), onSRS(stream(room.ID)), onSRS(stream("watched"))
	b.allow(t, old.play(), old.leave(), shown.play(), shown.leave(), watched.play())
	b.clock.advance(25 * time.Hour)
	late := onSRS(stream("late"))
	b.allow(t, late.play(), late.leave())
	for range 2 {
		if err := b.ForgetStreams(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantRows(t, "SELECT concat_ws(' ', CASE stream WHEN '"+room.ID+"' THEN 'room' ELSE stream END, pv, uv, online) FROM stream_counts ORDER BY 1",
			"late 1 1 0", "room 1 1 0", "watched 1 1 1")
		b.wantRows(t, "SELECT count(*)::text FROM stream_viewers", "2")
	}
	b.allow(t, old.play(), onSRS(stream(room.ID)).play())
	b.wantRows(t, "SELECT concat_ws(' ', CASE stream WHEN '"+room.ID+"' THEN 'room' ELSE stream END, sum(pv), sum(uv), sum(online)) FROM stream_counts GROUP BY stream ORDER BY 1",
		"late 1 1 0", "old 1 1 1", "room 2 2 1", "watched 1 1 1")
}

// What was counted outlives the days from which it was counted.
func TestCountsOutliveTheSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := onSRS(stream("s"))
	b.allow(t, c.play(), c.leave(), c.close(), onSRS(stream("s")).play())
	if _, err := b.pool.Exec(t.Context(), "DELETE FROM ended_sessions"); err != nil {
		t.Fatal(err)
	}
	b.wantRows(t, "SELECT concat_ws(' ', stream, sum(pv), sum(online)) FROM stream_counts GROUP BY stream", "s 2 1")
}

// Nobody waits for the row of a stream that somebody else is counting.
func TestCountingWaitsForNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.allow(t, onSRS(stream("s")).play())
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "SELECT FROM stream_counts FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	c := onSRS(stream("s"))
	b.allow(t, c.play(), c.leave())
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.allow(t, onSRS(stream("s")).play())
	b.wantCounted(t)
	b.wantRows(t, "SELECT count(*)::text FROM stream_counts", "2")
}

// wantRows compares the texts that a query returns.
func (b *bench) wantRows(t *testing.T, sql string, want ...string) {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
	if err := rows.Err(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}
