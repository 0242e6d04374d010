package reconcile

import (
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestASamplerTellsTheBitRateSinceTheVisitBefore(t *testing.T) {
	t.Parallel()
	var s sampler
	st := media.Stream{App: "live", Name: "a"}
	publisher, player := ledger.Session{ID: 1, Scene: media.Publish, Stream: st}, ledger.Session{ID: 2, Scene: media.Play, Stream: st}
	cutOff := ledger.Session{ID: 3, Scene: media.Play, Stream: st, Refused: media.TokenRevoked}
	at := time.Unix(1_700_000_000, 0)
	for i, step := range []struct {
		bytes int64
		there bool
		want  int
	}{
		{1_000_000, true, -1}, // nothing to compare with
		{2_250_000, true, 1000},
		{2_250_000, true, 0},
		{0, false, -1},
		{3_000_000, true, -1},
		{10, true, -1}, // counted anew
		{1_250_010, true, 1000},
	} {
		s.begin(at.Add(time.Duration(i) * 10 * time.Second))
		s.add(publisher, media.LiveClient{BytesIn: step.bytes}, step.there)
		s.add(player, media.LiveClient{}, false)
		s.add(cutOff, media.LiveClient{}, true)
		if got, want := s.end(), []ledger.Sample{{Stream: st, Viewers: 1, Kbps: step.want}}; !slices.Equal(got, want) {
			t.Errorf("visit %d: %+v, want %+v", i, got, want)
		}
	}
}

func TestANodeOfManyStreamsIsSampledLessOften(t *testing.T) {
	t.Parallel()
	var s sampler
	total := 0
	for range 30 {
		s.begin(time.Now())
		for i := range 2*samplesPerVisit + 1 {
			s.add(ledger.Session{ID: int64(i), Scene: media.Publish, Stream: media.Stream{Name: string(rune('a' + i))}}, media.LiveClient{}, true)
		}
		total += len(s.end())
	}
	if total != 10*(2*samplesPerVisit+1) {
		t.Errorf("%d samples", total)
	}
}
