package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
)

// The bounds of asking nodes for statistics.
const (
	statsTimeout = 2 * time.Second
	statsFresh   = time.Second
)

type nodeStats map[media.Stream]media.LiveStream

// statsCache keeps the last answer of each node for a moment, so that many
// readers cost a node one request. It forgets no node: they are few.
type statsCache struct {
	mu    sync.Mutex
	nodes map[string]*statsEntry
}

// statsEntry is locked while its node is asked: the others wait for the answer
// instead of asking too.
type statsEntry struct {
	mu   sync.Mutex
	at   time.Time
	told nodeStats
}

func (c *statsCache) of(node string) *statsEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes == nil {
		c.nodes = map[string]*statsEntry{}
	}
	e := c.nodes[node]
	if e == nil {
		e = &statsEntry{}
		c.nodes[node] = e
	}
	return e
}

// ask collects the statistics of some nodes at once, each within its timeout.
// A node that does not answer or cannot be asked is left out.
func (l *Ledger) ask(ctx context.Context, names map[string]bool) map[string]nodeStats {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		told = map[string]nodeStats{}
	)
	for name := range names {
		n, known := l.Nodes.Get(name)
		lister := l.Controls[n.Kind].Lister
		if !known || lister == nil || n.ControlURL == "" {
			continue
		}
		wg.Go(func() {
			stats := l.askNode(ctx, n, lister)
			mu.Lock()
			defer mu.Unlock()
			told[n.Name] = stats
		})
	}
	wg.Wait()
	return told
}

var untold = outage.Words{Begins: "node does not tell its streams", Ends: "node tells its streams again"}

func (l *Ledger) askNode(ctx context.Context, n media.Node, lister media.Lister) nodeStats {
	e := l.stats.of(n.Name)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := l.Now()
	if e.told != nil && now.Sub(e.at) < statsFresh && !now.Before(e.at) {
		return e.told
	}
	ctx, cancel := context.WithTimeout(ctx, l.patient)
	defer cancel()
	streams, err := lister.Streams(ctx, n)
	l.outages.Note(ctx, untold, n.Name, err, "node", n.Name)
	told := make(nodeStats, len(streams))
	for _, s := range streams {
		told[s.Stream] = s
	}
	// A reader that went away may not have heard the node. The answer is as old
	// as its end, or those who waited for a slow node would each ask it again.
	if ctx.Err() != context.Canceled {
		e.told, e.at = told, l.Now()
	}
	return told
}
