package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func newLastCall(t *testing.T) *lastCall {
	t.Helper()
	l, err := listenOn(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // it may be closed
	return l
}

func dial(t *testing.T, l net.Listener, send string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // it may be closed
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestConnectionsThatWaitedAreHandedOutAfterClose(t *testing.T) {
	t.Parallel()
	l := newLastCall(t)
	for n := range 3 {
		dial(t, l, fmt.Sprintf("%d\n", n))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("a new connection is taken")
	}
	for n := range 3 {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if line != fmt.Sprintf("%d\n", n) || conn.Close() != nil {
			t.Errorf("connection %d says %q, %v", n, line, err)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("then: %v", err)
	}
	if err := l.Close(); err == nil {
		t.Error("closing twice is no error")
	}
}

// draining is a server that is being drained.
type draining struct {
	*drain
	listener *lastCall
	server   *http.Server
	ended    chan error
}

func newDraining(t *testing.T, h http.HandlerFunc) *draining {
	t.Helper()
	d := &draining{drain: &drain{}, listener: newLastCall(t), ended: make(chan error, 1)}
	d.server = &http.Server{Handler: d.wrap(h), ConnState: d.watch}
	go func() { d.ended <- serveOn(d.server, d.listener) }()
	return d
}

// begin drains and returns when nobody new is let in.
func (d *draining) begin(t *testing.T, timeout time.Duration) (finished chan error) {
	t.Helper()
	finished = make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		finished <- d.finish(ctx, []*http.Server{d.server}, []net.Listener{d.listener}, d.ended)
	}()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		conn, err := net.Dial("tcp", d.listener.Addr().String())
		if err != nil {
			return finished
		}
		_ = conn.Close() // taken, but it said nothing
	}
	t.Fatal("new connections are still taken")
	return nil
}

func answer(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only the headers count
	return resp
}

func TestDrainingServesWhatWasBegun(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	d := newDraining(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-release
		}
	})
	slow := dial(t, d.listener, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	half := dial(t, d.listener, "GET /half HTTP/1.1\r\nHos")
	idle := dial(t, d.listener, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp := answer(t, idle); resp.StatusCode != http.StatusOK || resp.Close {
		t.Errorf("before: %s, close %v", resp.Status, resp.Close)
	}

	finished := d.begin(t, patience)
	if _, err := io.WriteString(half, "t: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if resp := answer(t, half); resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("a request that came in two parts: %s, close %v", resp.Status, resp.Close)
	}
	select {
	case err := <-finished:
		t.Fatalf("finished before the slow request: %v", err)
	default:
	}
	close(release)
	if resp := answer(t, slow); resp.StatusCode != http.StatusOK {
		t.Errorf("the slow request: %s", resp.Status)
	}
	if err := <-finished; err != nil {
		t.Error(err)
	}
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection: %v", err)
	}
}

func TestDrainingCutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	d := newDraining(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	dial(t, d.listener, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	if err := <-d.begin(t, 2*drainGrace); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("finished with %v", err)
	}
}
