package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// shots makes the requests of one connection and judges the replies.
type shots interface {
	// next returns the next request, valid until the one after it.
	next() []byte
	// check fails on anything but the reply that the request deserves.
	check(status int, body []byte) error
}

// load is a number of clients that ask the same of one server.
type load struct {
	dial    func(context.Context) (net.Conn, error)
	shots   func() shots // of one client
	clients int
	// fresh makes a connection for every request, as SRS does.
	fresh bool
	// sleep paces the open loop.
	sleep func(time.Duration)
}

func newLoad(addr string, clients int, s func() shots) load {
	var d net.Dialer
	return load{
		dial:    func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) },
		shots:   s,
		clients: clients,
		sleep:   preciseSleep,
	}
}

func (l load) withFreshConnections() load {
	l.fresh = true
	return l
}

// patience is how long the whole of a round may take beyond its duration.
const patience = 15 * time.Second

// closedLoop keeps every client busy for d and returns how many requests were
// answered in a second.
func (l load) closedLoop(ctx context.Context, d time.Duration) (perSecond float64, err error) {
	var stop atomic.Bool
	var answered atomic.Int64
	var started time.Time
	begin := func(context.Context) {
		started = time.Now()
		time.AfterFunc(d, func() { stop.Store(true) })
	}
	err = l.each(ctx, d, begin, func(ctx context.Context, c *caller) error {
		for !stop.Load() {
			if err := c.ask(ctx); err != nil {
				return err
			}
			answered.Add(1)
		}
		return nil
	})
	return float64(answered.Load()) / time.Since(started).Seconds(), err
}

// openLoop asks at a fixed rate for d, whether or not earlier requests have
// been answered. Each latency counts from the moment at which its request was
// due, so a server that stalls pays for all who would have come meanwhile.
func (l load) openLoop(ctx context.Context, rate float64, d time.Duration) (*histogram, error) {
	due := make(chan time.Time)
	begin := func(ctx context.Context) { go l.pace(ctx, due, rate, d) }
	var mu sync.Mutex
	all := &histogram{}
	err := l.each(ctx, d, begin, func(ctx context.Context, c *caller) error {
		own := &histogram{}
		for at := range due {
			if err := c.ask(ctx); err != nil {
				return err
			}
			own.add(time.Since(at))
		}
		mu.Lock()
		defer mu.Unlock()
		all.merge(own)
		return nil
	})
	return all, err
}

// pace hands out the moments at which requests are due and closes the channel
// at the end.
func (l load) pace(ctx context.Context, due chan<- time.Time, rate float64, d time.Duration) {
	defer close(due)
	start := time.Now()
	for i := range int(rate * d.Seconds()) {
		at := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if wait := time.Until(at); wait > 0 {
			l.sleep(wait)
		}
		select {
		case due <- at:
		case <-ctx.Done():
			return
		}
	}
}

// preciseSleep is finer than the runtime's timers, which wake an idle process
// only on whole milliseconds.
func preciseSleep(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // cut short by a signal, a request leaves early
}

// each runs f for every client once all of them are connected. begin is called
// in between.
func (l load) each(ctx context.Context, d time.Duration, begin func(context.Context), f func(context.Context, *caller) error) error {
	ctx, cancel := context.WithTimeout(ctx, d+patience)
	defer cancel()
	clients := make([]*caller, l.clients)
	for i := range clients {
		clients[i] = &caller{load: l, shots: l.shots()}
		defer clients[i].close()
		if l.fresh {
			continue
		}
		if err := clients[i].connect(ctx); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	begin(ctx)
	for _, c := range clients {
		group.Go(func() error { return f(ctx, c) })
	}
	return group.Wait()
}

// caller is one of the clients.
type caller struct {
	load  load
	shots shots
	conn  *conn
	open  bool
}

// ask sends one request and checks the reply.
func (c *caller) ask(ctx context.Context) error {
	if !c.open {
		if err := c.connect(ctx); err != nil {
			return err
		}
	}
	status, body, err := c.conn.roundTrip(c.shots.next())
	if err != nil {
		return err
	}
	if c.load.fresh {
		c.close()
	}
	return c.shots.check(status, body)
}

func (c *caller) connect(ctx context.Context) error {
	to, err := c.load.dial(ctx)
	if err != nil {
		return err
	}
	if c.conn == nil {
		c.conn = newConn(to)
	} else {
		c.conn.reset(to)
	}
	c.open = true
	if deadline, ok := ctx.Deadline(); ok {
		return to.SetDeadline(deadline)
	}
	return nil
}

func (c *caller) close() {
	if c.open {
		_ = c.conn.Close() // everything has been read
	}
	c.open = false
}
