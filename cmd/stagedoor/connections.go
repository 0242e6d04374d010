package main

import (
	"net/netip"
	"sync"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// connections are those of the main listener, and how many there may be.
//
// In all: when there are as many, the next one takes the place of one without a
// request, the oldest of the address that has the most, so that whoever opens
// thousands closes them under himself. When requests are under way on all of
// them, it is closed.
//
// Of one address: asking is refused on more, callbacks excepted. What comes over
// a connection is not known before, and a media server opens one for each client.
type connections struct {
	most, mostOfOne int            // 0: no limit
	proxies         []netip.Prefix // each stands for many clients
	limited         func(limit string)

	mu     sync.Mutex
	open   map[*watched]uint64 // and when it was, by number
	number uint64
	crowd  map[netip.Prefix]int
}

// admit counts a connection that was accepted, or says that there is no place.
func (c *connections) admit(w *watched) bool {
	peer, _ := netip.ParseAddrPort(w.RemoteAddr().String())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open, c.crowd = map[*watched]uint64{}, map[netip.Prefix]int{}
	}
	if c.most > 0 && len(c.open) >= c.most {
		c.limited("max_connections")
		if !c.makeRoom() {
			return false
		}
	}
	w.from, w.conns = httpx.CallerOf(peer.Addr()), c
	c.number++
	c.open[w] = c.number
	c.crowd[w.from]++
	return true
}

// makeRoom closes a connection without a request.
func (c *connections) makeRoom() bool {
	var out *watched
	for w, number := range c.open {
		if w.active.Load() {
			continue
		}
		if out == nil || c.crowd[w.from] > c.crowd[out.from] || c.crowd[w.from] == c.crowd[out.from] && number < c.open[out] {
			out = w
		}
	}
	if out == nil {
		return false
	}
	c.forget(out)
	_ = out.TCPConn.Close() // its server finds out and closes it, too
	return true
}

func (c *connections) remove(w *watched) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(w)
}

func (c *connections) forget(w *watched) {
	if _, ok := c.open[w]; !ok {
		return
	}
	delete(c.open, w)
	if c.crowd[w.from]--; c.crowd[w.from] == 0 {
		delete(c.crowd, w.from)
	}
}

// count is how many are open.
func (c *connections) count() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return float64(len(c.open))
}

// crowded says whether the peer of a request has more than it may.
func (c *connections) crowded(peer string) bool {
	p, err := netip.ParseAddrPort(peer)
	if err != nil || c.mostOfOne == 0 {
		return false
	}
	addr := p.Addr().Unmap().WithZone("")
	for _, proxy := range c.proxies {
		if proxy.Contains(addr) {
			return false
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crowd[httpx.CallerOf(addr)] > c.mostOfOne
}

// Close ends the connection and gives its place back.
func (w *watched) Close() error {
	if w.conns != nil {
		w.conns.remove(w)
	}
	return w.TCPConn.Close()
}
