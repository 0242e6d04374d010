package httpx_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// limitedBundle is a chain with a limit of 2 requests per second, 4 at once, on
// a clock that the test turns.
type limitedBundle struct {
	http.Handler
	now     time.Time
	served  atomic.Int64
	refused atomic.Int64
	charge  func(context.Context, http.ResponseWriter) // by the handler; nil: nothing
}

func setupLimited(t *testing.T, change func(*httpx.Limits)) *limitedBundle {
	t.Helper()
	b := setup(t)
	b.config.Proxies, b.config.Now, b.config.Rand = prefixes("10.0.0.0/8"), time.Now, rand.Reader
	l := &limitedBundle{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.rt.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		l.served.Add(1)
		if l.charge != nil {
			l.charge(r.Context(), w)
		}
	})
	limits := httpx.Limits{PerSecond: 2, Now: func() time.Time { return l.now }, Exempt: []string{"/callback/", "/healthz"},
		Refused: func(string) { l.refused.Add(1) }}
	if change != nil {
		change(&limits)
	}
	l.Handler = b.config.Wrap(limits.Wrap(b.rt))
	return l
}

// ask sends a request from an address, through proxies if there are any.
func (l *limitedBundle) ask(path, from string, forwarded ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path, r.RemoteAddr = path, from
	if len(forwarded) > 0 {
		r.Header.Set("X-Forwarded-For", strings.Join(forwarded, ","))
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w
}

// empty takes all that a caller has, which must be this many requests.
func (l *limitedBundle) empty(t *testing.T, want int, from string, forwarded ...string) {
	t.Helper()
	for i := range want {
		if w := l.ask("/x", from, forwarded...); w.Code != http.StatusOK {
			t.Fatalf("%s %v: request %d of %d: %d", from, forwarded, i+1, want, w.Code)
		}
	}
	if w := l.ask("/x", from, forwarded...); w.Code != http.StatusTooManyRequests {
		t.Fatalf("%s %v: one request too many: %d", from, forwarded, w.Code)
	}
}

func TestBucketEmptiesAndRefills(t *testing.T) {
	t.Parallel()
	l := setupLimited(t, nil)
	for _, step := range []struct {
		after            time.Duration
		status           int
		remaining, reset string
		retry            string
	}{
		{0, 200, "3", "1", ""},
		{0, 200, "2", "1", ""},
		{0, 200, "1", "2", ""},
		{0, 200, "0", "2", ""},
		{0, 429, "0", "2", "1"},
		{499 * time.Millisecond, 429, "0", "2", "1"}, // what was refused cost nothing
		{time.Millisecond, 200, "0", "2", ""},
		{0, 429, "0", "2", "1"},
		{750 * time.Millisecond, 200, "0", "2", ""},
		{250 * time.Millisecond, 200, "0", "2", ""}, // halves add up
		{time.Hour, 200, "3", "1", ""},              // and never more than the burst
		{-time.Hour, 200, "2", "1", ""},             // a clock that is set back locks nobody out
	} {
		l.now = l.now.Add(step.after)
		w := l.ask("/x", "192.0.2.7:5000")
		h := w.Header()
		if w.Code != step.status || h.Get("RateLimit-Limit") != "4" || h.Get("RateLimit-Remaining") != step.remaining ||
			h.Get("RateLimit-Reset") != step.reset || h.Get("Retry-After") != step.retry {
			t.Errorf("after %v: %d %v, want %+v", step.after, w.Code, h, step)
		}
	}
	if l.served.Load() != 9 || l.refused.Load() != 3 {
		t.Errorf("%d served, %d refused", l.served.Load(), l.refused.Load())
	}
}

func TestRetryAfterIsWhenTheNextRequestFits(t *testing.T) {
	t.Parallel()
	l := setupLimited(t, func(l *httpx.Limits) { l.PerSecond = 1 })
	l.empty(t, 2, "192.0.2.7:5000")
	l.now = l.now.Add(time.Second)
	if w := l.ask("/x", "192.0.2.7:5000"); w.Code != http.StatusOK {
		t.Errorf("after the second that Retry-After named: %d", w.Code)
	}
}

func TestCallersHaveBucketsOfTheirOwn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second []string // peer and hops
		same          bool
	}{
		"two addresses": {[]string{"192.0.2.7:1"}, []string{"192.0.2.8:1"}, false},
		"two ports":     {[]string{"192.0.2.7:1"}, []string{"192.0.2.7:2"}, true},
		"the loopback address is nothing special": {[]string{"127.0.0.1:1"}, []string{"127.0.0.1:2"}, true},
		"IPv4 in IPv6":                     {[]string{"192.0.2.7:1"}, []string{"[::ffff:192.0.2.7]:1"}, true},
		"one /64":                          {[]string{"[2001:db8:1:2::7]:1"}, []string{"[2001:db8:1:2:ffff::8]:1"}, true},
		"two /64":                          {[]string{"[2001:db8:1:2::7]:1"}, []string{"[2001:db8:1:3::7]:1"}, false},
		"no address":                       {[]string{"@"}, []string{"@"}, true},
		"behind a trusted proxy":           {[]string{"10.0.0.1:1", "192.0.2.7"}, []string{"10.0.0.1:1", "192.0.2.8"}, false},
		"by another trusted proxy":         {[]string{"10.0.0.1:1", "192.0.2.7"}, []string{"10.0.0.2:1", "192.0.2.7"}, true},
		"claimed through a trusted proxy":  {[]string{"10.0.0.1:1", "203.0.113.1", "192.0.2.7"}, []string{"10.0.0.1:1", "203.0.113.2", "192.0.2.7"}, true},
		"claimed by a stranger":            {[]string{"192.0.2.7:1", "203.0.113.1"}, []string{"192.0.2.7:1", "203.0.113.2"}, true},
		"a stranger cannot use up another": {[]string{"192.0.2.9:1", "192.0.2.7"}, []string{"192.0.2.7:1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := setupLimited(t, nil)
			l.empty(t, 4, c.first[0], c.first[1:]...)
			want := http.StatusOK
			if c.same {
				want = http.StatusTooManyRequests
			}
			if w := l.ask("/x", c.second[0], c.second[1:]...); w.Code != want {
				t.Errorf("status %d, want %d", w.Code, want)
			}
		})
	}
}

// The memory for callers is bounded. Who is pushed out of it gains one burst.
func TestManyAddressesPushOutTheOldestOnly(t *testing.T) {
	t.Parallel()
	const kept = 1 << 16
	l := setupLimited(t, nil)
	l.empty(t, 4, "192.0.2.7:1")
	l.empty(t, 4, "192.0.2.8:1")
	for i := range kept - 2 {
		l.ask("/x", strangerNumber(i))
	}
	if w := l.ask("/x", "192.0.2.7:1"); w.Code != http.StatusTooManyRequests {
		t.Fatalf("as many callers as fit, and one is forgotten: %d", w.Code)
	}
	l.ask("/x", strangerNumber(kept))
	l.empty(t, 4, "192.0.2.8:1")
	l.now = l.now.Add(500 * time.Millisecond)
	l.empty(t, 1, "192.0.2.8:1")
}

func strangerNumber(n int) string {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(a[4:], uint32(n))
	return netip.AddrPortFrom(netip.AddrFrom16(a), 1).String()
}

func TestExemptPathsAreNeverLimited(t *testing.T) {
	t.Parallel()
	l := setupLimited(t, nil)
	for path, exempt := range map[string]bool{
		"/callback/on_play": true, "/callback/nginx-rtmp/": true, "/callback/": true, "/healthz": true,
		"/callback": false, "/callbacks": false, "/healthz/": false, "/healthz2": false, "/": false, "": false, "/x": false,
		// What another part of the router might tidy up.
		"/callback/../x": false, "/callback//x": false, "/callback/./x": false, "/callback/..": false, "/x/../healthz": false,
	} {
		l.now = l.now.Add(time.Hour)
		l.empty(t, 4, "192.0.2.7:1")
		w := l.ask(path, "192.0.2.7:1")
		if got := w.Code != http.StatusTooManyRequests; got != exempt {
			t.Errorf("%q: %d", path, w.Code)
		}
		if told := w.Header().Get("RateLimit-Limit") != ""; told == exempt {
			t.Errorf("%q: headers %v", path, w.Header())
		}
	}
}

func TestWithoutALimitNothingIsCounted(t *testing.T) {
	t.Parallel()
	l := setupLimited(t, func(l *httpx.Limits) { l.PerSecond = 0 })
	for range 1000 {
		if w := l.ask("/x", "192.0.2.7:1"); w.Code != http.StatusOK || w.Header().Get("RateLimit-Limit") != "" {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
	}
}

func TestRefusalsAreOptionalToObserve(t *testing.T) {
	t.Parallel()
	l := setupLimited(t, func(l *httpx.Limits) { l.Refused = nil })
	l.empty(t, 4, "192.0.2.7:1")
}

func TestABurstOfManyAtOnceIsCountedRight(t *testing.T) {
	t.Parallel()
	l := setupLimited(t, nil)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { l.ask("/x", "192.0.2.7:1") })
	}
	wg.Wait()
	if l.served.Load() != 4 || l.refused.Load() != 96 {
		t.Errorf("%d served, %d refused", l.served.Load(), l.refused.Load())
	}
}

func TestTheRefusalIsInTheEnvelopeOfThePath(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.Errors(envelope("any"), "/")
	b.rt.Errors(envelope("live"), "/live/")
	h := b.config.Wrap(httpx.Limits{PerSecond: 1, Now: func() time.Time { return time.Time{} }}.Wrap(b.rt))
	for i, c := range []struct{ path, want string }{
		{"/live/a", "live:no_such_path"}, {"/a", "any:no_such_path"}, {"/live/a", "live:too_many_requests"}, {"/a", "any:too_many_requests"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if w.Body.String() != c.want {
			t.Errorf("request %d: %s, want %s", i, w.Body, c.want)
		}
	}
}

// Not parallel: allocations are counted. Media servers call for every player.
func TestExemptionCostsNoAllocation(t *testing.T) {
	rt := httpx.NewRouter()
	rt.HandleFunc("POST /callback/on_play", func(http.ResponseWriter, *http.Request) {})
	limited := httpx.Limits{PerSecond: 1, Now: time.Now, Exempt: []string{"/callback/"}}.Wrap(rt)
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/callback/on_play", nil)
	bare := testing.AllocsPerRun(100, func() { rt.ServeHTTP(w, r) })
	if got := testing.AllocsPerRun(100, func() { limited.ServeHTTP(w, r) }); got != bare {
		t.Errorf("%v allocations, %v without limits", got, bare)
	}
}

func TestAnAccountHasALimitFromWhereverItAsks(t *testing.T) {
	t.Parallel()
	var counted []string
	l := setupLimited(t, func(c *httpx.Limits) {
		c.PerSecond, c.AccountPerSecond = 5, 2
		c.Refused = func(limit string) { counted = append(counted, limit) }
	})
	var failed error
	l.ServeHTTP(httptest.NewRecorder(), nobody("/callback/x")) // has no account
	charge := func(username, from string) http.Header {
		h := http.Header{}
		l.charge = func(ctx context.Context, w http.ResponseWriter) {
			failed = httpx.ChargeAccount(ctx, w.Header(), username)
			h = w.Header()
		}
		l.ask("/x", from)
		return h
	}
	for i, remaining := range []string{"3", "2", "1", "0"} {
		h := charge("alice", "192.0.2."+string(rune('1'+i))+":1")
		if failed != nil || h.Get("RateLimit-Limit") != "4" || h.Get("RateLimit-Remaining") != remaining {
			t.Errorf("request %d: %v %v", i, failed, h)
		}
	}
	h := charge("alice", "192.0.2.9:1")
	if e := errs.As(failed); e.Kind != errs.RateLimited || e.RetryAfter != 500*time.Millisecond || h.Get("RateLimit-Remaining") != "0" {
		t.Errorf("one too many: %v %v", failed, h)
	}
	if len(counted) != 1 || counted[0] != "account_rate_limit" {
		t.Errorf("counted %v", counted)
	}
	if h := charge("bob", "192.0.2.9:1"); failed != nil || h.Get("RateLimit-Remaining") != "3" {
		t.Errorf("another account: %v %v", failed, h)
	}
	l.now = l.now.Add(500 * time.Millisecond)
	if charge("alice", "192.0.2.9:1"); failed != nil {
		t.Errorf("later: %v", failed)
	}
}

func TestWithoutLimitsNobodyIsCharged(t *testing.T) {
	t.Parallel()
	if err := httpx.ChargeAccount(t.Context(), http.Header{}, "alice"); err != nil {
		t.Error(err)
	}
}

func nobody(path string) *http.Request { return httptest.NewRequest("GET", path, nil) }

func TestWhoHoldsTooManyConnectionsIsRefusedOnThem(t *testing.T) {
	t.Parallel()
	var counted string
	l := setupLimited(t, func(c *httpx.Limits) {
		c.Crowded = func(peer string) bool { return peer == "192.0.2.1:7" }
		c.Refused = func(limit string) { counted = limit }
	})
	w := l.ask("/x", "192.0.2.1:7")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Connection") != "close" || strings.TrimSpace(w.Body.String()) != "Too Many Requests" || counted != "max_connections_per_address" {
		t.Errorf("%d %v %s, counted %q", w.Code, w.Header(), w.Body, counted)
	}
	for path, from := range map[string]string{"/callback/on_play": "192.0.2.1:7", "/x": "192.0.2.2:7"} {
		if w := l.ask(path, from); w.Code != http.StatusOK {
			t.Errorf("%s from %s: %d", path, from, w.Code)
		}
	}
}

func TestRequestsHaveABudgetAndCallbacksTheirOwn(t *testing.T) {
	t.Parallel()
	l := setupLimited(t, func(c *httpx.Limits) { c.PerSecond, c.Budget = 0, time.Minute })
	for path, want := range map[string]bool{"/x": true, "/callback/x": false} {
		l.charge = func(ctx context.Context, _ http.ResponseWriter) {
			if end, ok := ctx.Deadline(); ok != want || ok && time.Until(end) > time.Minute {
				t.Errorf("%s: until %v, %v", path, end, ok)
			}
		}
		l.ask(path, "192.0.2.1:7")
	}
}
