package reconcile

import (
	"time"

	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// sampler makes a sample of each stream of a node out of what a visit reads
// anyway. A node with more streams than samplesPerVisit is sampled at every other
// visit, one with twice as many at every third, so that the samples of a node
// are no more in a day, however many streams it has.
type sampler struct {
	visits   int
	at       time.Time
	last     map[int64]carried // by session, of the visit before
	now      map[int64]carried
	byStream map[media.Stream]*ledger.Sample
}

// carried is what a publisher had sent at one moment.
type carried struct {
	at    time.Time
	bytes int64
}

const samplesPerVisit = 500

func (s *sampler) begin(asked time.Time) {
	s.visits++
	s.at, s.last, s.now, s.byStream = asked, s.now, map[int64]carried{}, map[media.Stream]*ledger.Sample{}
}

// add counts one session. What has been refused and is being cut off is none of
// the stream's.
func (s *sampler) add(of ledger.Session, live media.LiveClient, there bool) {
	if of.Refused != "" {
		return
	}
	sample := s.byStream[of.Stream]
	if sample == nil {
		sample = &ledger.Sample{Stream: of.Stream, Kbps: -1}
		s.byStream[of.Stream] = sample
	}
	switch {
	case of.Scene == media.Play:
		sample.Viewers++
	case there && live.BytesIn > 0:
		sample.Kbps = s.rate(of.ID, live.BytesIn)
	}
}

// rate is in kilobits per second since the visit before; -1 where there was none.
func (s *sampler) rate(id, bytes int64) int {
	s.now[id] = carried{s.at, bytes}
	before, ok := s.last[id]
	elapsed := s.at.Sub(before.at)
	if !ok || elapsed <= 0 || bytes < before.bytes {
		return -1
	}
	return int(min(float64(bytes-before.bytes)*8/1000/elapsed.Seconds(), 1<<30))
}

func (s *sampler) end() []ledger.Sample {
	if s.visits%(1+len(s.byStream)/samplesPerVisit) != 0 {
		return nil
	}
	out := make([]ledger.Sample, 0, len(s.byStream))
	for _, sample := range s.byStream {
		out = append(out, *sample)
	}
	return out
}
