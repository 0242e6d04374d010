package ledger

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Sample is how a stream went on one node at one moment.
type Sample struct {
	Stream  media.Stream
	Viewers int
	Kbps    int // at which it comes in; -1 if unknown
}

// Point is how a stream went on all nodes during one step of a chart.
type Point struct {
	At      time.Time
	Viewers int64
	Kbps    int64 // -1 if unknown
}

// samplesKept is how long samples stay.
const samplesKept = 24 * time.Hour

// digestOf is what samples are filed under: sixteen bytes for three names.
func digestOf(st media.Stream) []byte {
	sum := sha256.Sum256([]byte(st.Vhost + "\x00" + st.App + "\x00" + st.Name))
	return sum[:16]
}

// NoteSamples keeps what a node was seen to carry, in one statement. Error:
// Unavailable.
func (l *Ledger) NoteSamples(ctx context.Context, node string, at time.Time, all []Sample) error {
	if len(all) == 0 {
		return nil
	}
	p := db.SamplesInsertParams{At: at, Node: node}
	for _, s := range all {
		p.Streams, p.Viewers, p.Kbps = append(p.Streams, digestOf(s.Stream)), append(p.Viewers, int32(s.Viewers)), append(p.Kbps, int32(s.Kbps))
	}
	return pg.Err(l.q.SamplesInsert(ctx, l.DB, p), nil)
}

// The bounds of a chart.
const (
	maxPoints = 240
	minStep   = 10 * time.Second
	chartOf   = time.Hour // where nobody says since when
)

var errUntil = errs.InvalidField("until", "until is not after since")

// Samples returns how a stream went, the oldest step first, and how long a step
// is. A zero since is an hour before until, a zero until is now. Errors: Invalid,
// Unavailable.
func (l *Ledger) Samples(ctx context.Context, st media.Stream, since, until time.Time) (points []Point, step time.Duration, err error) {
	if until.IsZero() {
		until = l.Now()
	}
	if since.IsZero() {
		since = until.Add(-chartOf)
	}
	if oldest := l.Now().Add(-samplesKept); since.Before(oldest) {
		since = oldest
	}
	if !since.Before(until) {
		return nil, 0, errUntil
	}
	step = max((until.Sub(since)/maxPoints).Truncate(time.Second)+time.Second, minStep)
	rows, err := l.q.SamplesOf(ctx, l.DB, db.SamplesOfParams{Stream: digestOf(st), Since: since, Until: until, StepSeconds: int32(step / time.Second), RowLimit: 1000})
	points = make([]Point, len(rows))
	for i, r := range rows {
		points[i] = Point{At: r.At, Viewers: r.Viewers, Kbps: r.Kbps}
	}
	return points, step, pg.Err(err, nil)
}
