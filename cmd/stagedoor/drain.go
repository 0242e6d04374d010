package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// drainGrace is how long answers ask clients to close before connections
	// that are idle then are closed under them.
	drainGrace = 200 * time.Millisecond
	drainPoll  = 5 * time.Millisecond
)

// drain ends servers without losing a request that a client has sent already.
// http.Server alone does: its Shutdown resets connections that wait to be
// accepted, drops requests that have not been read, and closes idle connections
// that their clients are about to use.
type drain struct {
	on   atomic.Bool
	busy atomic.Int64 // connections that are new, or have a request under way
}

func (d *drain) started() bool { return d.on.Load() }

// watched is a connection that remembers whether it counts as busy.
type watched struct {
	*net.TCPConn
	busy   atomic.Bool
	active atomic.Bool // a request is under way

	conns *connections // that count it, or nil
	from  netip.Prefix
}

// watch is the ConnState hook of the servers. It is called several times for
// every request, so connections take no lock of all of them.
func (d *drain) watch(conn net.Conn, state http.ConnState) {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	c := conn.(*watched) // our listeners make no others
	c.active.Store(state == http.StateActive)
	busy := state == http.StateNew || state == http.StateActive
	switch was := c.busy.Swap(busy); {
	case busy && !was:
		d.busy.Add(1)
	case was && !busy:
		d.busy.Add(-1)
	}
}

func (d *drain) quiet() bool { return d.busy.Load() == 0 }

// finish ends the servers; each sends to ended when it accepts no more. Busy
// clients are told with an answer to close, then nobody new is let in, then
// what is under way may end, and only then idle connections are closed. When
// ctx ends first, the rest is cut off.
func (d *drain) finish(ctx context.Context, servers []*http.Server, listeners []net.Listener, ended <-chan error) error {
	d.on.Store(true)
	pause(ctx, drainGrace)
	for _, l := range listeners {
		_ = l.Close() // its server tells that it has ended
	}
	for range servers {
		<-ended
	}
	for !d.quiet() && pause(ctx, drainPoll) {
	}
	var problems []error
	for _, srv := range servers {
		problems = append(problems, srv.Shutdown(ctx))
	}
	return errors.Join(problems...)
}

// pause returns false when ctx ended before the time was over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// wrap makes answers close their connections once draining has started.
func (d *drain) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.started() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// A lastCall listener hands out, after it was closed, the connections that the
// kernel had taken for it until then. Closing a plain one resets them, though
// their clients may have sent a request already.
type lastCall struct {
	*net.TCPListener
	conns *connections // nil: no limit

	mu   sync.Mutex
	rest []*net.TCPConn
}

// Accept waits for the next connection for which there is a place.
func (l *lastCall) Accept() (net.Conn, error) {
	for {
		w, err := l.accept()
		if err != nil {
			return nil, err // and no *watched that is nil
		}
		if l.conns == nil || l.conns.admit(w) {
			return w, nil
		}
		_ = w.Close() // nothing was said on it
	}
}

func (l *lastCall) accept() (*watched, error) {
	conn, err := l.AcceptTCP()
	if err == nil {
		return &watched{TCPConn: conn}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) == 0 {
		return nil, err
	}
	conn, l.rest = l.rest[0], l.rest[1:]
	return &watched{TCPConn: conn}, nil
}

// Close takes what is waiting and refuses everybody else.
func (l *lastCall) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	raw, err := l.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			l.rest = acceptAll(int(fd))
			// Closing takes effect only when Accept has let go of the socket.
			_ = syscall.Shutdown(int(fd), syscall.SHUT_RD) // Close follows anyway
		})
	}
	return errors.Join(err, l.TCPListener.Close())
}

// acceptAll empties the queue of a socket that does not block.
func acceptAll(fd int) (all []*net.TCPConn) {
	for {
		taken, _, err := syscall.Accept(fd)
		if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.ECONNABORTED) {
			continue
		}
		if err != nil { // nothing is left
			return all
		}
		syscall.CloseOnExec(taken)
		file := os.NewFile(uintptr(taken), "")
		if conn, err := net.FileConn(file); err == nil {
			all = append(all, conn.(*net.TCPConn)) // as the socket is
		}
		_ = file.Close() // the connection has its own handle
	}
}
