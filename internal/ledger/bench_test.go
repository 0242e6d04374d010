package ledger

import (
	"sync/atomic"
	"testing"
)

// BenchmarkPlay is the decision and the durable session of a player, 64 at
// once. Compare it with one transaction for each.
func BenchmarkPlay(b *testing.B) {
	spy := &spyDB{}
	l := setup(b, spy.on())
	l.benchmark(b, func() {
		c := onSRS(stream("s"))
		if v, err := l.Handle(b.Context(), c.play()); err != nil || !v.Allow {
			b.Error(v, err)
		}
	})
	b.ReportMetric(float64(b.N)/float64(max(spy.committed.Load(), 1)), "events/commit")
}

// BenchmarkPublish also locks and moves a room, of which there are 1000.
func BenchmarkPublish(b *testing.B) {
	l := setup(b)
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = l.room(b, 0).ID
	}
	var turn atomic.Int64
	l.benchmark(b, func() {
		c := onSRS(stream(ids[turn.Add(1)%int64(len(ids))]))
		if _, err := l.Handle(b.Context(), c.publish()); err != nil {
			b.Error(err)
		}
		if _, err := l.Handle(b.Context(), c.unpublish()); err != nil {
			b.Error(err)
		}
	})
}

func (l *bench) benchmark(b *testing.B, once func()) {
	const atOnce = 64
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan struct{})
	for range atOnce {
		go func() {
			for left.Add(-1) >= 0 {
				once()
			}
			done <- struct{}{}
		}()
	}
	for range atOnce {
		<-done
	}
}
