package e2e

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// outcome is how one request of a load ended.
type outcome struct {
	status int // zero without an answer
	err    error
	took   time.Duration
	id     string // what the answer acknowledged
}

// request does one request; n is unique within its load.
type request func(ctx context.Context, n int) outcome

// load repeats requests from several workers at once.
type load struct {
	workers sync.WaitGroup
	ending  atomic.Bool
	count   atomic.Int64
	// failFast ends a worker at its first request without an answer.
	failFast bool

	mu       sync.Mutex
	outcomes []outcome
}

func (l *load) start(t *testing.T, workers int, do request) {
	ctx := t.Context()
	for range workers {
		l.workers.Go(func() {
			for !l.ending.Load() {
				begin := time.Now()
				o := do(ctx, int(l.count.Add(1)))
				o.took = time.Since(begin)
				l.mu.Lock()
				l.outcomes = append(l.outcomes, o)
				l.mu.Unlock()
				if o.err != nil && l.failFast {
					return
				}
			}
		})
	}
}

func (l *load) finish() []outcome {
	l.ending.Store(true)
	l.workers.Wait()
	return l.outcomes
}

// answered says how many requests have got a status.
func (l *load) answered(status int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tally(l.outcomes)[status]
}

// awaitMore waits until n more requests have got a status.
func (l *load) awaitMore(t *testing.T, status, n int) {
	t.Helper()
	before := l.answered(status)
	eventually(t, strconv.Itoa(n)+" more requests with status "+strconv.Itoa(status), func() bool { return l.answered(status) >= before+n })
}

func tally(all []outcome) map[int]int {
	counts := map[int]int{}
	for _, o := range all {
		counts[o.status]++
	}
	return counts
}

func slowest(all []outcome) time.Duration {
	if len(all) == 0 {
		return 0
	}
	return slices.MaxFunc(all, func(a, b outcome) int { return int(a.took - b.took) }).took.Round(time.Millisecond)
}

// creating makes rooms.
func (a account) creating() request {
	return func(ctx context.Context, n int) outcome {
		resp, err := a.CreateRoomV2WithResponse(ctx, roomNamed("room "+strconv.Itoa(n), a.name))
		if err != nil {
			return outcome{err: err}
		}
		o := outcome{status: resp.StatusCode()}
		if resp.JSON200 != nil {
			o.id = resp.JSON200.ID
		}
		return o
	}
}

// playing asks for a player at a stream, as nginx-rtmp does.
func (s *server) playing(c *api.ClientWithResponses, pull string, firstID int) request {
	u, err := url.Parse(pull)
	if err != nil {
		panic(err) // the server made it
	}
	name := strings.TrimPrefix(u.Path, "/live/")
	return func(ctx context.Context, n int) outcome {
		form := "app=live&flashver=&swfurl=&tcurl=rtmp://" + u.Host + "/live&pageurl=&addr=127.0.0.1&clientid=" + strconv.Itoa(firstID+n) +
			"&call=play&name=" + name + "&start=0&duration=0&reset=0&" + u.RawQuery
		resp, err := c.NginxRTMPCallbackWithBodyWithResponse(ctx, "application/x-www-form-urlencoded", strings.NewReader(form))
		if err != nil {
			return outcome{err: err}
		}
		return outcome{status: resp.StatusCode()}
	}
}

// assertKept demands that everything that was acknowledged is there.
func (a account) assertKept(t *testing.T, all []outcome) {
	t.Helper()
	kept := 0
	for _, o := range all {
		if o.id == "" {
			continue
		}
		resp, err := a.GetRoomWithResponse(t.Context(), api.RoomGetRequest{ID: o.id, UserID: a.name})
		if err != nil || resp.StatusCode() != http.StatusOK {
			t.Errorf("acknowledged room %s: %v, %s", o.id, err, body(resp))
			continue
		}
		kept++
	}
	say(t, "%d acknowledged rooms are there", kept)
}
