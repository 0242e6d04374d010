package explain

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var noon = time.Date(2023, 11, 7, 12, 0, 0, 0, time.UTC)

// door admits or refuses whatever it is asked, and notes what that was.
type door struct {
	allowed  bool
	takeover access.Takeover
	asked    media.Event
	at       time.Time
	nearby   []media.Stream
}

func (d *door) Explain(_ context.Context, now time.Time, e media.Event, nearby ...media.Stream) access.Explanation {
	d.asked, d.at, d.nearby = e, now, nearby
	return access.Explanation{Allowed: d.allowed, Scene: e.Scene(), Stream: e.Stream, At: now, Takeover: d.takeover}
}

// record is what runs: somebody who publishes, or nobody.
type record struct {
	rival  *ledger.Session
	yields bool
	err    error
}

func (r record) OnAir(context.Context, string, int) ([]media.Stream, error) {
	return []media.Stream{{App: "live", Name: "other"}}, r.err
}

func (r record) Rival(context.Context, media.Event, access.Decision) (ledger.Session, bool, bool, error) {
	if r.rival == nil {
		return ledger.Session{}, false, false, nil
	}
	return *r.rival, true, r.yields, nil
}

func TestAURLIsReadAndJudged(t *testing.T) {
	t.Parallel()
	anna := &ledger.Session{Node: "edge-1", ClientID: "c1", Address: "192.0.2.9", StartedAt: noon.Add(-time.Hour)}
	for name, c := range map[string]struct {
		question Question
		door     door
		record   record
		allowed  bool
		reason   media.Reason
		codes    []string // that are among the findings
		absent   []string // that are not
		scene    media.Scene
		at       time.Time
	}{
		"one to publish that is good": {question: Question{URL: "rtmp://push.example.com/live/show?sd=x"}, door: door{allowed: true}, allowed: true,
			absent: []string{"somebody_publishes", "would_take_over"}, scene: media.Publish, at: noon},
		"one to play, by its form":     {question: Question{URL: "https://pull.example.com/live/show.flv"}, door: door{allowed: true}, allowed: true, scene: media.Play, at: noon},
		"what somebody says it is for": {question: Question{URL: "rtmp://push.example.com/live/show", Scene: media.Play}, scene: media.Play, at: noon},
		"somebody publishes already": {question: Question{URL: "rtmp://push.example.com/live/show"}, door: door{allowed: true}, record: record{rival: anna},
			reason: media.AlreadyPublishing, codes: []string{"somebody_publishes"}, scene: media.Publish, at: noon},
		"somebody who gives way": {question: Question{URL: "rtmp://push.example.com/live/show"}, door: door{allowed: true, takeover: access.Takeover{Policy: access.TakeoverReplace}},
			record: record{rival: anna, yields: true}, allowed: true, codes: []string{"would_take_over"}, scene: media.Publish, at: noon},
		"who publishes now says nothing of then": {question: Question{URL: "rtmp://push.example.com/live/show", At: noon.Add(time.Hour)}, door: door{allowed: true},
			record: record{rival: anna}, allowed: true, absent: []string{"somebody_publishes"}, scene: media.Publish, at: noon.Add(time.Hour)},
		"a player has no rival": {question: Question{URL: "https://pull.example.com/live/show.flv"}, door: door{allowed: true}, record: record{rival: anna}, allowed: true,
			absent: []string{"somebody_publishes"}, scene: media.Play, at: noon},
		"one that is refused has other worries": {question: Question{URL: "rtmp://push.example.com/live/show"}, record: record{rival: anna},
			absent: []string{"somebody_publishes"}, scene: media.Publish, at: noon},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := c.door
			s := New(Config{Access: &d, Streams: c.record, Now: func() time.Time { return noon }, PublishHost: "push.example.com", PlayHost: "pull.example.com", App: "live"})
			a, err := s.URL(t.Context(), c.question)
			if err != nil {
				t.Fatal(err)
			}
			if a.Allowed != c.allowed || a.Reason != c.reason || a.Scene != c.scene || !d.at.Equal(c.at) {
				t.Errorf("%+v at %v", a, d.at)
			}
			if st := d.asked.Stream; st.App != "live" || st.Name != "show" || len(d.nearby) != 1 {
				t.Errorf("asked about %+v, beside %v", st, d.nearby)
			}
			var codes []string
			for _, f := range a.Findings {
				if codes = append(codes, f.Code); f.Code == "" || f.Text == "" {
					t.Errorf("a finding without code or text: %+v", f)
				}
			}
			for _, code := range c.codes {
				if !slices.Contains(codes, code) {
					t.Errorf("%s is not among %v", code, codes)
				}
			}
			for _, code := range c.absent {
				if slices.Contains(codes, code) {
					t.Errorf("%s is among %v", code, codes)
				}
			}
		})
	}
}

func TestAQuestionThatCannotBeAnswered(t *testing.T) {
	t.Parallel()
	away := errors.New("the database is away")
	s := New(Config{Access: &door{}, Streams: record{err: away}, Now: func() time.Time { return noon }, App: "live"})
	if _, err := s.URL(t.Context(), Question{URL: "rtmp://h/live/x"}); !errors.Is(err, away) {
		t.Errorf("without a record: %v", err)
	}
	if _, err := s.URL(t.Context(), Question{URL: "no url at all \x00"}); err == nil || errors.Is(err, away) {
		t.Errorf("what is no URL: %v", err)
	}
}
