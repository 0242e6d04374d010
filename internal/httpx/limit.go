package httpx

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// callersKept bounds the memory that callers cost, about 15 MiB. Whoever is
// forgotten begins anew, with a full bucket and no more than that.
const callersKept = 1 << 16

// Limits are how often one client address may ask, whoever it says it is: the
// question is settled before any credential is looked at, so that guessing one
// is limited too.
type Limits struct {
	PerSecond int // requests, and half of what fits at once; 0: no limit
	Now       func() time.Time
	// Exempt are paths that are never limited. One that ends in a slash stands
	// for everything below it.
	Exempt []string
	// Refused is told of each refusal, for metrics.
	Refused func()
}

// Wrap puts the limits before a router. It belongs inside the chain, which
// finds the address of the client.
func (l Limits) Wrap(rt Handler) Handler {
	if l.PerSecond <= 0 {
		return rt
	}
	callers, err := simplelru.NewLRU[netip.Prefix, *rate.Limiter](callersKept, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &limited{Handler: rt, limits: l, callers: callers}
}

// limited keeps a bucket of requests for each caller.
type limited struct {
	Handler
	limits Limits

	mu      sync.Mutex
	callers *simplelru.LRU[netip.Prefix, *rate.Limiter]
}

// ServeHTTP looks at the path first: callbacks of media servers pass without a
// lock.
func (l *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.limits.exempt(r.URL.Path) {
		l.Handler.ServeHTTP(w, r)
		return
	}
	allowed, left := l.take(callerOf(ClientAddr(r.Context())), l.limits.Now())
	l.tell(w.Header(), left)
	if allowed {
		l.Handler.ServeHTTP(w, r)
		return
	}
	if l.limits.Refused != nil {
		l.limits.Refused()
	}
	l.Fail(w, r, &errs.Error{Kind: errs.RateLimited, Reason: "too_many_requests", Message: "too many requests, try again later",
		RetryAfter: l.until(1 - left)})
}

// exempt believes clean paths only: a router that tidies others might find
// something else behind the dots.
func (l Limits) exempt(path string) bool {
	for _, e := range l.Exempt {
		if strings.HasPrefix(path, e) && (len(path) == len(e) || strings.HasSuffix(e, "/")) {
			return isClean(path)
		}
	}
	return false
}

func (l Limits) burst() int { return 2 * l.PerSecond }

// take takes one request out of the caller's bucket, if there is one, and tells
// how many are left, the part that has already come back of the next included.
// A refusal costs nothing, so that Retry-After stays true while a client keeps
// asking.
func (l *limited) take(caller netip.Prefix, now time.Time) (allowed bool, left float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, known := l.callers.Get(caller)
	if !known {
		bucket = rate.NewLimiter(rate.Limit(l.limits.PerSecond), l.limits.burst())
		l.callers.Add(caller, bucket)
	}
	allowed = bucket.AllowN(now, 1)
	return allowed, bucket.TokensAt(now)
}

// tell says in headers how full the bucket is, and in how many seconds it is
// full again.
func (l *limited) tell(h http.Header, left float64) {
	burst := l.limits.burst()
	h.Set("RateLimit-Limit", strconv.Itoa(burst))
	h.Set("RateLimit-Remaining", strconv.Itoa(int(left)))
	h.Set("RateLimit-Reset", strconv.Itoa(int(math.Ceil(l.until(float64(burst)-left).Seconds()))))
}

// until returns how long so many requests take to come back.
func (l *limited) until(requests float64) time.Duration {
	return time.Duration(requests / float64(l.limits.PerSecond) * float64(time.Second))
}

// callerOf returns whom to count: an IPv4 address, or an IPv6 /64, since one
// subscriber owns all of that. Callers without an address count as one.
func callerOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for no address
	return p
}
