package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// listed follows the cursors to the end.
func (b *bench) listed(t testing.TB, f SessionFilter) (names []string, pages int) {
	t.Helper()
	for {
		page, next, err := b.Sessions(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > f.Limit {
			t.Fatalf("%d on a page of %d", len(page), f.Limit)
		}
		for _, s := range page {
			names = append(names, string(s.Scene)+" "+s.Stream.Name)
		}
		if pages++; next == "" {
			return names, pages
		}
		f.After = next
	}
}

func TestSessionsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a, c := onSRS(stream("a")), onNginx(stream("c"))
	gone := onSRS(stream("gone"))
	b.allow(t, gone.publish(), gone.unpublish())
	watcher := onSRS(stream("gone"))
	b.allow(t, watcher.play(), watcher.leave())
	b.allow(t, a.publish())
	b.allow(t, onSRS(stream("a")).play())
	b.allow(t, c.publish())
	for name, x := range map[string]struct {
		f    SessionFilter
		want []string
	}{
		"open":            {SessionFilter{}, []string{"publish c", "play a", "publish a"}},
		"players":         {SessionFilter{Scene: media.Play}, []string{"play a"}},
		"of a stream":     {SessionFilter{Stream: stream("a")}, []string{"play a", "publish a"}},
		"of a name":       {SessionFilter{Stream: media.Stream{Name: "a"}}, []string{"play a", "publish a"}},
		"of a node":       {SessionFilter{Node: c.node}, []string{"publish c"}},
		"of a kind":       {SessionFilter{Credential: "live_token"}, nil},
		"of somebody":     {SessionFilter{Subject: "nobody"}, nil},
		"of odd names":    {SessionFilter{Stream: media.Stream{Name: "\x00\xff"}}, nil},
		"ended":           {SessionFilter{Ended: true}, []string{"play gone", "publish gone"}},
		"ended, of one":   {SessionFilter{Ended: true, Scene: media.Publish}, []string{"publish gone"}},
		"ended, of none":  {SessionFilter{Ended: true, Stream: stream("a")}, nil},
		"ended, later":    {SessionFilter{Ended: true, Since: b.Now().Add(time.Hour)}, nil},
		"ended, earlier":  {SessionFilter{Ended: true, Until: b.Now().Add(-time.Hour)}, nil},
		"ended, in a day": {SessionFilter{Ended: true, Since: b.Now().Add(-time.Hour), Until: b.Now().Add(time.Hour)}, []string{"play gone", "publish gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, x.f.Limit = range []int{1, 2, 3, 50} {
				got, pages := b.listed(t, x.f)
				if !slices.Equal(got, x.want) || pages > len(x.want)/x.f.Limit+1 {
					t.Errorf("%d on a page: %d pages of %v, want %v", x.f.Limit, pages, got, x.want)
				}
			}
		})
	}
	for _, cursor := range []string{"x", "AAAA", "f_________8AAAAAAAAAAA"} {
		if _, _, err := b.Sessions(t.Context(), SessionFilter{After: cursor, Limit: 1}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

// Twenty thousand are looked at for one page, and the list goes on behind them.
func TestALongLookAtEndedSessionsIsDividedIntoPages(t *testing.T) {
	t.Parallel()
	b := setup(t, idle)
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO ended_sessions
		SELECT n, 0, at, 0, 0, '', 'n', '', 'c', 'play', '', 'live', CASE WHEN n = 3 THEN 'needle' ELSE 'hay' END, '', '', '', '', '', '', NULL, NULL, at, ''
		FROM (SELECT n, $1::timestamptz + make_interval(secs => n / 10) AS at FROM generate_series(1, 20500) n) x`, b.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, pages := b.listed(t, SessionFilter{Ended: true, Stream: media.Stream{Name: "needle"}, Limit: 20})
	if !slices.Equal(got, []string{"play needle"}) || pages != 2 {
		t.Errorf("%v on %d pages", got, pages)
	}
}

func TestSamplesOfAllNodesMakeOneChart(t *testing.T) {
	t.Parallel()
	b := setup(t, idle)
	st, now := stream("a"), b.Now().Truncate(time.Minute)
	note := func(node string, ago time.Duration, viewers, kbps int) {
		t.Helper()
		err := b.NoteSamples(t.Context(), node, now.Add(-ago), []Sample{{Stream: st, Viewers: viewers, Kbps: kbps}, {Stream: stream("b"), Viewers: 99, Kbps: 99}})
		if err != nil {
			t.Fatal(err)
		}
	}
	note("origin", 59*time.Minute, 5, -1)
	note("origin", 30*time.Minute, 1, 1000)
	note("edge", 30*time.Minute-time.Second, 10, -1)
	note("edge", 30*time.Minute-2*time.Second, 20, -1)
	note("origin", 25*time.Hour, 7, 7)
	points, step, err := b.Samples(t.Context(), st, time.Time{}, now)
	if err != nil || step != 16*time.Second || len(points) != 2 {
		t.Fatalf("%+v each %v, %v", points, step, err)
	}
	if p := points[0]; p.Viewers != 5 || p.Kbps != -1 {
		t.Errorf("%+v", p)
	}
	if p := points[1]; p.Viewers != 16 || p.Kbps != 1000 {
		t.Errorf("%+v", p)
	}
	if points, step, err = b.Samples(t.Context(), st, now.Add(-48*time.Hour), now); err != nil || len(points) != 2 || step != 361*time.Second && step != 360*time.Second {
		t.Errorf("of two days: %+v each %v, %v", points, step, err)
	}
	if points, _, err = b.Samples(t.Context(), stream("nobody's"), time.Time{}, time.Time{}); err != nil || len(points) != 0 {
		t.Errorf("of nobody: %+v, %v", points, err)
	}
	if _, _, err = b.Samples(t.Context(), st, now, now); errs.As(err).Reason != "invalid_until" {
		t.Error(err)
	}
	if err := b.NoteSamples(t.Context(), "edge", now, nil); err != nil {
		t.Error(err)
	}
}
