package ledger

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestConsumersAreThoseWhoWatchNowTheLongestFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	st, elsewhere := stream("a"), media.Stream{Vhost: "v.example.com", App: app, Name: "a"}
	first, left, second := onSRS(st), onSRS(st), onNginx(st)
	b.allow(t, onSRS(st).publish(), first.play(), left.play(), second.play(), left.leave(), onSRS(elsewhere).play(), onSRS(stream("b")).play())
	got, err := b.Consumers(t.Context(), st, 10)
	if err != nil || len(got) != 2 || got[0].ClientID != first.id || got[1].ClientID != second.id {
		t.Fatalf("got %+v, %v", got, err)
	}
	s := got[0]
	if s.Node != srsNode || s.Scene != media.Play || s.Stream != st || s.Address != "192.0.2.7" || s.Protocol != "rtmp" || s.StartedAt.IsZero() || s.EndedAt != nil || s.ID == 0 {
		t.Errorf("the session is %+v", s)
	}
	for limit, want := range map[int]int{1: 1, 0: 0, -5: 0, math.MaxInt: 2} {
		if got, err := b.Consumers(t.Context(), st, limit); err != nil || len(got) != want {
			t.Errorf("limit %d: got %d, %v", limit, len(got), err)
		}
	}
}

func TestConsumersOfManyStreamsComeByStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	asked := []media.Stream{stream("empty")}
	for i := range 30 {
		st := stream(fmt.Sprint("s", i))
		asked = append(asked, st, st)
		b.allow(t, onSRS(st).play(), onSRS(st).play())
	}
	asked = append(asked, make([]media.Stream, 5000)...)
	got, err := b.ConsumersOf(t.Context(), asked, 1)
	if err != nil || len(got) != 30 {
		t.Fatalf("got %d streams, %v", len(got), err)
	}
	if got, err := b.ConsumersOf(t.Context(), nil, 5); err != nil || len(got) != 0 {
		t.Errorf("of none: %v, %v", got, err)
	}
}

func TestClosedListsEndedPublishersOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var ends []time.Time
	for _, name := range []string{"one", "two", "Twofold"} {
		c := onSRS(stream(name))
		b.allow(t, c.publish())
		b.clock.advance(time.Minute)
		b.allow(t, c.unpublish())
		ends = append(ends, b.clock.Now())
	}
	viewer, early := onSRS(stream("two")), onSRS(stream("early"))
	b.allow(t, viewer.play(), viewer.leave(), early.unpublish(), onSRS(stream("on-air")).publish())
	for name, c := range map[string]struct {
		f     ClosedFilter
		want  []string
		total int64
	}{
		"everything, oldest first": {ClosedFilter{Limit: 10}, []string{"one", "two", "Twofold"}, 3},
		"newest first":             {ClosedFilter{Limit: 10, Descending: true}, []string{"Twofold", "two", "one"}, 3},
		"a page":                   {ClosedFilter{Limit: 1, Offset: 1}, []string{"two"}, 3},
		"behind the end":           {ClosedFilter{Limit: 10, Offset: 3}, nil, 3},
		"no rows wanted":           {ClosedFilter{}, nil, 3},
		"a negative offset":        {ClosedFilter{Limit: 1, Offset: -7}, []string{"one"}, 3},
		"one name":                 {ClosedFilter{Limit: 10, Stream: "two"}, []string{"two"}, 1},
		"a part of a name":         {ClosedFilter{Limit: 10, Stream: "TWO", Fuzzy: true}, []string{"two", "Twofold"}, 2},
		"no pattern language":      {ClosedFilter{Limit: 10, Stream: "t%", Fuzzy: true}, nil, 0},
		"an application":           {ClosedFilter{Limit: 10, App: "other"}, nil, 0},
		"a vhost":                  {ClosedFilter{Limit: 10, Vhost: media.DefaultVhost}, []string{"one", "two", "Twofold"}, 3},
		"another vhost":            {ClosedFilter{Limit: 10, Vhost: "v"}, nil, 0},
		"from":                     {ClosedFilter{Limit: 10, From: ends[0]}, []string{"two", "Twofold"}, 2},
		"to":                       {ClosedFilter{Limit: 10, To: ends[0]}, []string{"one"}, 1},
		"text no database takes":   {ClosedFilter{Limit: 10, Stream: "two\x00\xff"}, nil, 0},
		"times out of all bounds":  {ClosedFilter{Limit: 10, From: time.Time{}.AddDate(-9000, 0, 0), To: time.Time{}.AddDate(90000, 0, 0)}, []string{"one", "two", "Twofold"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got, total, err := b.Closed(t.Context(), c.f)
			var names []string
			for _, s := range got {
				names = append(names, s.Stream.Name)
				if s.EndedAt == nil || s.EndedAt.Sub(s.StartedAt) < time.Minute || s.EndReason != "unpublish" || s.Scene != media.Publish {
					t.Errorf("%+v", s)
				}
			}
			if err != nil || total != c.total || fmt.Sprint(names) != fmt.Sprint(c.want) {
				t.Errorf("got %v of %d, %v; want %v of %d", names, total, err, c.want, c.total)
			}
		})
	}
}

// Who reads page after page sees each broadcast once, although others come and go.
func TestPagesGoOnWhereTheOneBeforeEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	end := func(name string) {
		c := onSRS(stream(name))
		b.allow(t, c.publish(), c.unpublish())
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} { // in one instant
		end(name)
	}
	closed := func(descending bool) (got []string) {
		for offset := 0; offset < 6; offset += 2 {
			page, _, err := b.Closed(t.Context(), ClosedFilter{Descending: descending, Offset: offset, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page {
				got = append(got, s.Stream.Name)
			}
			if descending {
				end(fmt.Sprint("later", offset))
			}
		}
		return got
	}
	if oldest, newest := closed(false), closed(true); fmt.Sprint(oldest) != "[a b c d e]" || fmt.Sprint(newest) != "[e d c b a]" {
		t.Errorf("got %v and %v", oldest, newest)
	}
	for _, name := range []string{"m", "n", "o", "p"} {
		b.allow(t, onSRS(stream(name)).publish())
	}
	first, _, err := b.Live(t.Context(), LiveFilter{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	b.allow(t, onSRS(stream("aaa")).publish())
	next, _, err := b.Live(t.Context(), LiveFilter{Limit: 2, Offset: 2})
	if got := append(paths(first), paths(next)...); err != nil || fmt.Sprint(got) != "[/live/m /live/n /live/o /live/p]" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestListsDoNotPageWithoutEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, _, err := b.Closed(t.Context(), ClosedFilter{Limit: 1, Offset: math.MaxInt}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("closed: %v", err)
	}
	if _, _, err := b.Live(t.Context(), LiveFilter{Limit: 1, Offset: math.MaxInt}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("live: %v", err)
	}
}

func TestReadsReportADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, consumers := b.Consumers(ctx, stream("a"), 1)
	_, _, closed := b.Closed(ctx, ClosedFilter{Limit: 1})
	_, _, live := b.Live(ctx, LiveFilter{Limit: 1})
	_, found := b.Find(ctx, "/live/a")
	_, figures := b.Figures(ctx)
	for name, err := range map[string]error{"consumers": consumers, "closed": closed, "live": live, "find": found, "figures": figures} {
		if err == nil || errs.KindOf(err) == errs.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}
