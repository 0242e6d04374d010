package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Figures are what is on air, and how much there has been.
type Figures struct {
	Sources, Consumers int64            // open publishers and players, all processes together
	Protocols          map[string]Count // by Session.Protocol
}

// Count is of sessions of one protocol, publishers and players alike. Active is
// what is open now, whichever process admitted it. Total is what this process
// has admitted since it started and what it found open then, so it never goes
// through the history; it is at least Active, also where other processes admit.
type Count struct{ Total, Active int64 }

// figuresFresh is how long an answer is good for: it counts all open sessions.
const figuresFresh = time.Second

// maxProtocols bounds what is counted apart; a server names half a dozen.
const maxProtocols = 32

// counters count admissions by protocol, once for each commit.
type counters struct {
	mu       sync.Mutex
	admitted map[string]int64

	reading sync.Mutex // held while the database is asked
	at      time.Time
	last    *Figures
	// found is what was open when this process began; nil until that was read.
	found map[string]int64
}

// note counts the admissions of a committed batch.
func (c *counters) note(batch []*op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.admitted == nil {
		c.admitted = map[string]int64{}
	}
	for _, o := range batch {
		if !o.answered || !o.starts() || !o.verdict.Allow || o.verdict.Reason == media.Duplicate {
			continue
		}
		protocol := o.e.Protocol
		if _, known := c.admitted[protocol]; !known && len(c.admitted) >= maxProtocols {
			protocol = ""
		}
		c.admitted[protocol]++
	}
}

// Figures tells what is on air now. An answer is at most a second old. Error:
// Unavailable.
func (l *Ledger) Figures(ctx context.Context) (Figures, error) {
	c := &l.counters
	c.reading.Lock()
	defer c.reading.Unlock()
	now := l.Now()
	if c.last != nil && now.Sub(c.at) < figuresFresh && !now.Before(c.at) {
		return c.last.clone(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := l.q.SessionsOpenFigures(ctx, l.DB, l.began)
	if err != nil {
		return Figures{}, pg.Err(err, nil)
	}
	if c.found == nil {
		c.found = map[string]int64{}
		for _, r := range rows {
			c.found[r.Protocol] += r.Before
		}
	}
	f := c.figures(rows)
	c.last, c.at = &f, now
	return f.clone(), nil
}

func (c *counters) figures(rows []db.SessionsOpenFiguresRow) Figures {
	f := Figures{Protocols: map[string]Count{}}
	for _, r := range rows {
		if r.Scene == string(media.Publish) {
			f.Sources += r.Active
		} else {
			f.Consumers += r.Active
		}
		count := f.Protocols[r.Protocol]
		count.Active += r.Active
		f.Protocols[r.Protocol] = count
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, totals := range []map[string]int64{c.admitted, c.found} {
		for protocol, n := range totals {
			count := f.Protocols[protocol]
			count.Total += n
			f.Protocols[protocol] = count
		}
	}
	for protocol, count := range f.Protocols {
		count.Total = max(count.Total, count.Active)
		f.Protocols[protocol] = count
	}
	return f
}

func (f Figures) clone() Figures {
	protocols := make(map[string]Count, len(f.Protocols))
	for k, v := range f.Protocols {
		protocols[k] = v
	}
	f.Protocols = protocols
	return f
}
