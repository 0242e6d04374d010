package httpx

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"slices"
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
	// AccountPerSecond is the same for one account; see ChargeAccount.
	AccountPerSecond int
	// Budget is the longest that a request may take; 0: no limit. Lasting are the
	// paths of those that may take as long as they like.
	Budget  time.Duration
	Lasting []string
	// Crowded says whether the peer of a request holds more connections than it
	// may; nil: none does.
	Crowded func(peer string) bool
	Now     func() time.Time
	// Exempt are paths that are never limited. One that ends in a slash stands
	// for everything below it.
	Exempt []string
	// Refused is told of each refusal, by the setting of the limit, for metrics.
	Refused func(limit string)
}

// Wrap puts the limits before a router. It belongs inside the chain, which
// finds the address of the client.
func (l Limits) Wrap(rt Handler) Handler {
	if l.Refused == nil {
		l.Refused = func(string) {}
	}
	return &limited{Handler: rt, limits: l, callers: newBuckets[netip.Prefix](l.PerSecond),
		accounts: &accountLimit{newBuckets[string](l.AccountPerSecond), l.Now, l.Refused}}
}

// limited puts a request before its limits.
type limited struct {
	Handler
	limits   Limits
	callers  *buckets[netip.Prefix]
	accounts *accountLimit
}

// ServeHTTP looks at the path first: callbacks of media servers pass without a
// lock.
func (l *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.limits.exempt(r.URL.Path) {
		l.Handler.ServeHTTP(w, r)
		return
	}
	if err := l.admit(w, r); err != nil {
		l.Fail(w, r, err)
		return
	}
	if l.limits.Budget > 0 && !slices.Contains(l.limits.Lasting, r.URL.Path) {
		ctx, cancel := context.WithTimeout(r.Context(), l.limits.Budget)
		defer cancel()
		outer := r
		r = r.WithContext(ctx)
		defer func() { outer.Pattern = r.Pattern }() // which the chain wants to know
	}
	from(r.Context()).accounts = l.accounts
	l.Handler.ServeHTTP(w, r)
}

func (l *limited) admit(w http.ResponseWriter, r *http.Request) error {
	if l.limits.Crowded != nil && l.limits.Crowded(r.RemoteAddr) {
		l.limits.Refused("max_connections_per_address")
		w.Header().Set("Connection", "close")
		return &errs.Error{Kind: errs.RateLimited, Reason: "too_many_connections", Message: "too many connections, try again later", RetryAfter: time.Second}
	}
	wait := l.callers.take(w.Header(), CallerOf(ClientAddr(r.Context())), l.limits.Now())
	return refusal(wait, "rate_limit", l.limits.Refused)
}

// refusal is the answer to who has to wait, or nil.
func refusal(wait time.Duration, limit string, refused func(limit string)) error {
	if wait <= 0 {
		return nil
	}
	refused(limit)
	return &errs.Error{Kind: errs.RateLimited, Reason: "too_many_requests", Message: "too many requests, try again later", RetryAfter: wait}
}

// accountLimit counts the requests of accounts, wherever they come from.
type accountLimit struct {
	*buckets[string]
	now     func() time.Time
	refused func(limit string)
}

// ChargeAccount counts a request of an account that has proved who it is, or
// refuses it with RateLimited too_many_requests. The headers h tell of the limit
// that has less left, this one or that of the address.
func ChargeAccount(ctx context.Context, h http.Header, username string) error {
	l := from(ctx).accounts
	if l == nil {
		return nil
	}
	return refusal(l.take(h, username, l.now()), "account_rate_limit", l.refused)
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

// buckets of requests, one for each who asks.
type buckets[K comparable] struct {
	perSecond int

	mu    sync.Mutex
	known *simplelru.LRU[K, *rate.Limiter]
}

// newBuckets returns nil for no limit.
func newBuckets[K comparable](perSecond int) *buckets[K] {
	if perSecond <= 0 {
		return nil
	}
	known, err := simplelru.NewLRU[K, *rate.Limiter](callersKept, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &buckets[K]{perSecond: perSecond, known: known}
}

// take takes a request out of the bucket of who asks and returns zero, or how
// long it takes until there is one. It tells in headers how many are left, unless
// they tell of fewer already.
func (b *buckets[K]) take(h http.Header, who K, now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	allowed, left := b.takeOne(who, now)
	if told, err := strconv.Atoi(h.Get("RateLimit-Remaining")); err != nil || int(left) < told || !allowed {
		b.tell(h, left)
	}
	if allowed {
		return 0
	}
	return max(b.until(1-left), 1)
}

func (b *buckets[K]) burst() int { return 2 * b.perSecond }

// takeOne takes one request, if there is one, and tells how many are left, the
// part that has already come back of the next included. A refusal costs nothing,
// so that Retry-After stays true while a client keeps asking.
func (b *buckets[K]) takeOne(who K, now time.Time) (allowed bool, left float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket, known := b.known.Get(who)
	if !known {
		bucket = rate.NewLimiter(rate.Limit(b.perSecond), b.burst())
		b.known.Add(who, bucket)
	}
	allowed = bucket.AllowN(now, 1)
	return allowed, bucket.TokensAt(now)
}

// tell says in headers how full the bucket is, and in how many seconds it is
// full again.
func (b *buckets[K]) tell(h http.Header, left float64) {
	burst := b.burst()
	h.Set("RateLimit-Limit", strconv.Itoa(burst))
	h.Set("RateLimit-Remaining", strconv.Itoa(int(left)))
	h.Set("RateLimit-Reset", strconv.Itoa(int(math.Ceil(b.until(float64(burst)-left).Seconds()))))
}

// until returns how long so many requests take to come back.
func (b *buckets[K]) until(requests float64) time.Duration {
	return time.Duration(requests / float64(b.perSecond) * float64(time.Second))
}

// CallerOf returns whom to count: an IPv4 address, or an IPv6 /64, since one
// subscriber owns all of that. Callers without an address count as one.
func CallerOf(a netip.Addr) netip.Prefix {
	a = plain(a)
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for no address
	return p
}
