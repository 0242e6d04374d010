package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a server at the other ends of pipes, on the clock of a synctest
// bubble.
type fake struct {
	// stall is how long the reply to the nth request of all takes.
	stall func(n int64) time.Duration

	dials, asked atomic.Int64
	reply        string
}

func (f *fake) dial(context.Context) (net.Conn, error) {
	f.dials.Add(1)
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		r := bufio.NewReader(theirs)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			time.Sleep(f.stall(f.asked.Add(1))) // the bubble's time, which costs none
			if _, err := io.WriteString(theirs, f.reply); err != nil {
				return
			}
		}
	}()
	return ours, nil
}

func (f *fake) load(clients int) load {
	return load{dial: f.dial, shots: func() shots { return fakeShots{} }, clients: clients, sleep: time.Sleep}
}

const yes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0"

type fakeShots struct{}

var errRefused = errors.New("refused")

func (fakeShots) next() []byte { return []byte(someRequest) }

func (fakeShots) check(status int, _ []byte) error {
	if status != http.StatusOK {
		return errRefused
	}
	return nil
}

func always(d time.Duration) func(int64) time.Duration {
	return func(int64) time.Duration { return d }
}

func TestClosedLoopCountsWhatAllClientsGetAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{stall: always(10 * time.Millisecond), reply: yes}
		rate, err := f.load(4).closedLoop(t.Context(), time.Second)
		if err != nil || rate < 396 || rate > 404 {
			t.Errorf("4 clients that wait 10 ms each make %v/s, %v", rate, err)
		}
		if n := f.dials.Load(); n != 4 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestFreshConnectionsAreOnePerRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{stall: always(10 * time.Millisecond), reply: yes}
		if _, err := f.load(3).withFreshConnections().closedLoop(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		if dials, asked := f.dials.Load(), f.asked.Load(); dials != asked || asked < 297 || asked > 303 {
			t.Errorf("%d connections for %d requests", dials, asked)
		}
	})
}

func TestOpenLoopKeepsItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{stall: always(3 * time.Millisecond), reply: yes}
		h, err := f.load(8).openLoop(t.Context(), 500, 2*time.Second)
		if err != nil || h.total != 1000 || f.asked.Load() != 1000 {
			t.Fatalf("%d latencies of %d requests, %v", h.total, f.asked.Load(), err)
		}
		if p50, p100 := h.quantile(0.5), h.quantile(1); p50 < 3*time.Millisecond || p100 > 3100*time.Microsecond {
			t.Errorf("a server that takes 3 ms has %v at the median and %v at the most", p50, p100)
		}
	})
}

// One reply of a hundred milliseconds holds up the hundred requests that were
// due meanwhile. A load that waits with them would see one slow request.
func TestOpenLoopCountsTheWaitingThatAStallCauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{reply: yes, stall: func(n int64) time.Duration {
			if n == 1 {
				return 100 * time.Millisecond
			}
			return 0
		}}
		h, err := f.load(1).openLoop(t.Context(), 1000, 400*time.Millisecond)
		if err != nil || h.total != 400 {
			t.Fatalf("%d latencies, %v", h.total, err)
		}
		for q, want := range map[float64]time.Duration{0.70: 0, 0.875: 50 * time.Millisecond, 0.99: 96 * time.Millisecond, 1: 100 * time.Millisecond} {
			if got := h.quantile(q); got < want || got > want+3*time.Millisecond {
				t.Errorf("quantile %v is %v, want %v", q, got, want)
			}
		}
	})
}

func TestWrongAnswersEndARound(t *testing.T) {
	t.Parallel()
	no := "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
	synctest.Test(t, func(t *testing.T) {
		f := &fake{stall: always(time.Millisecond), reply: no}
		if _, err := f.load(4).closedLoop(t.Context(), time.Second); !errors.Is(err, errRefused) {
			t.Errorf("closed loop: %v", err)
		}
		if _, err := f.load(4).openLoop(t.Context(), 1000, time.Second); !errors.Is(err, errRefused) {
			t.Errorf("open loop: %v", err)
		}
		if n := f.asked.Load(); n > 20 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestServerThatIsNotThereEndsARound(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	l := load{dial: func(context.Context) (net.Conn, error) { return nil, gone }, shots: func() shots { return fakeShots{} }, clients: 2, sleep: time.Sleep}
	for _, l := range []load{l, l.withFreshConnections()} {
		if _, err := l.closedLoop(t.Context(), time.Second); !errors.Is(err, gone) {
			t.Errorf("closed loop: %v", err)
		}
		if _, err := l.openLoop(t.Context(), 100, time.Second); !errors.Is(err, gone) {
			t.Errorf("open loop: %v", err)
		}
	}
}

// recorder is the bare handler with a look at what it is asked.
type recorder struct {
	mu  sync.Mutex
	ids map[string]int
	got http.Header
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, after, _ := strings.Cut(string(body), `"client_id":"`)
	id, _, _ := strings.Cut(after, `"`)
	rec.mu.Lock()
	rec.ids[id]++
	rec.got = r.Header
	rec.mu.Unlock()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	answerBare(w, r)
}

func TestEveryPlayerHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	rec := &recorder{ids: map[string]int{}}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)
	var p players
	l, err := playLoad(srv.Listener.Addr().String(), 4, somePlayURL(t), &p)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []load{l, l.withFreshConnections()} {
		if _, err := l.openLoop(t.Context(), 1000, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.admitted.Load(); n != 200 || len(rec.ids) != 200 || p.asked.Load() != 200 {
		t.Errorf("%d let in of %d, %d ids", n, p.asked.Load(), len(rec.ids))
	}
	for id, n := range rec.ids {
		if n != 1 || len(id) != len(clientIDRoom) || strings.Contains(id, "?") {
			t.Errorf("id %q came %d times", id, n)
		}
	}
	if got := rec.got.Get("User-Agent"); !strings.HasPrefix(got, "SRS/") {
		t.Errorf("User-Agent %q", got)
	}
}

func somePlayURL(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse("rtmp://pull.example.com:1935/live/sub/x?sd=v2-1893456000-k1-i2L4CBgBouo2c5n9OxylBQ&a=<b>")
	if err != nil {
		t.Fatal(err)
	}
	return u
}
