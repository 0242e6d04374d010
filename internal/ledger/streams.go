package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Live is a stream that is being published, by the ledger, with what its node
// can tell of it.
type Live struct {
	media.LiveStream
	Node      media.Node
	StartedAt time.Time
}

// The bounds of asking nodes for statistics.
const (
	maxStreamsListed = 1000
	statsTimeout     = 2 * time.Second
	statsFresh       = time.Second
)

// Streams lists what is being published now, ordered by app and name. A node
// that does not answer leaves zero values; the list itself is the ledger's.
func (l *Ledger) Streams(ctx context.Context) ([]Live, error) {
	rows, err := l.q.SessionsLive(ctx, l.DB, maxStreamsListed)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	told := l.ask(ctx)
	out := make([]Live, len(rows))
	for i, r := range rows {
		st := media.Stream{Vhost: r.Vhost, App: r.App, Name: r.Stream}
		live := Live{LiveStream: media.LiveStream{Clients: int(r.Players) + 1}}
		if stat, ok := told[statKey{r.Node, st}]; ok {
			live.LiveStream = stat
		}
		live.Stream = st
		live.Node, _ = l.Nodes.Get(r.Node)
		if r.StartedAt != nil {
			live.StartedAt = *r.StartedAt
		}
		out[i] = live
	}
	return out, nil
}

type statKey struct {
	node   string
	stream media.Stream
}

// statsCache keeps one answer for a moment, so that many readers of the list
// cost a node one request.
type statsCache struct {
	mu   sync.Mutex
	at   time.Time
	told map[statKey]media.LiveStream
}

// ask collects the statistics of all nodes at once, each within its timeout.
func (l *Ledger) ask(ctx context.Context) map[statKey]media.LiveStream {
	c := &l.stats
	c.mu.Lock()
	defer c.mu.Unlock()
	now := l.Now()
	if c.told != nil && now.Sub(c.at) < statsFresh && !now.Before(c.at) {
		return c.told
	}
	ctx, cancel := context.WithTimeout(ctx, statsTimeout)
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		told = map[statKey]media.LiveStream{}
	)
	for _, n := range l.Nodes.Known() {
		lister := l.Listers[n.Kind]
		if lister == nil || n.ControlURL == "" {
			continue
		}
		wg.Go(func() {
			streams, err := lister.Streams(ctx, n)
			if err != nil {
				l.Log.WarnContext(ctx, "node does not tell its streams", "node", n.Name, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range streams {
				told[statKey{n.Name, s.Stream}] = s
			}
		})
	}
	wg.Wait()
	// A reader that went away has not heard everybody. The answer is as old as
	// its end, or those who waited for a slow node would each ask it again.
	if ctx.Err() != context.Canceled {
		c.told, c.at = told, l.Now()
	}
	return told
}
