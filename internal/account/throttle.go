package account

import (
	"cmp"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// limit allows burst failures at once and one more after every interval.
type limit struct {
	burst int
	every time.Duration
}

// About 15 MiB when all are full. Pushing an own entry out takes thousands of
// sources, as each source runs into its own limit first.
const (
	maxPairs   = 1 << 15
	maxSources = 1 << 14
	maxHomes   = 1 << 15
)

type pair struct {
	account string
	source  netip.Prefix
}

// throttle slows guessing per account and source, and per source over all
// accounts. There is deliberately no limit per account alone: with one, anybody
// could keep the owner out by failing in the owner's name.
//
// A bucket is one instant: when it will be empty again. That is all a leaky
// bucket needs.
type throttle struct {
	perPair   limit
	perSource limit
	limited   func(limit string) // told of each refusal

	mu      sync.Mutex
	pairs   *simplelru.LRU[pair, time.Time]
	sources *simplelru.LRU[netip.Prefix, time.Time]
	homes   *simplelru.LRU[pair, struct{}] // who has logged in from where
}

// The time in which all the failures that a limit allows are forgotten.
const (
	pairWindow   = 4 * time.Minute
	sourceWindow = 2 * time.Minute

	defaultPairAttempts   = 8
	defaultSourceAttempts = 60
)

func newThrottle(perPair, perSource int, limited func(limit string)) *throttle {
	perPair, perSource = cmp.Or(perPair, defaultPairAttempts), cmp.Or(perSource, defaultSourceAttempts)
	return &throttle{
		perPair:   limit{burst: perPair, every: pairWindow / time.Duration(perPair)},
		perSource: limit{burst: perSource, every: sourceWindow / time.Duration(perSource)},
		limited:   limited,
		pairs:     mustSimpleLRU[pair, time.Time](maxPairs),
		sources:   mustSimpleLRU[netip.Prefix, time.Time](maxSources),
		homes:     mustSimpleLRU[pair, struct{}](maxHomes),
	}
}

// mustSimpleLRU panics only for a size below one, and ours are constants.
func mustSimpleLRU[K comparable, V any](size int) *simplelru.LRU[K, V] {
	l, err := simplelru.NewLRU[K, V](size, nil)
	if err != nil {
		panic(err)
	}
	return l
}

// attempt is one login under way.
//
//	check ──> (queue for a hash) ──> charge ──> hash ──┬─> failed: stays charged
//	                                                   ├─> succeed
//	                                                   └─> cancel
//
// It is charged before the hash, so that a thousand guesses at once cannot all
// slip in before the first has failed, and after the queue, so that a crowd of
// good logins does not look like failures.
type attempt struct {
	throttle *throttle
	pair     pair
}

func (t *throttle) attempt(username string, from netip.Addr) attempt {
	p := pair{source: sourceOf(from)}
	// Names that cannot exist share one bucket, so that they cost no memory.
	if validUsername(username) {
		p.account = foldUsername(username)
	}
	return attempt{throttle: t, pair: p}
}

// check refuses with too_many_attempts what charge would refuse now.
func (a attempt) check(now time.Time) error {
	t := a.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	_, source := fill(t.sources, a.pair.source, t.perSource, now)
	_, pair := fill(t.pairs, a.pair, t.perPair, now)
	return t.refuse(source, pair)
}

// charge counts the attempt as failed until told otherwise, or refuses it. A
// refused attempt costs nothing, so RetryAfter stays true while a client keeps
// asking.
func (a attempt) charge(now time.Time) error {
	t := a.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	sourceEmpty, sourceWait := fill(t.sources, a.pair.source, t.perSource, now)
	pairEmpty, pairWait := fill(t.pairs, a.pair, t.perPair, now)
	if err := t.refuse(sourceWait, pairWait); err != nil {
		return err
	}
	t.sources.Add(a.pair.source, sourceEmpty)
	t.pairs.Add(a.pair, pairEmpty)
	return nil
}

// cancel takes the charge back: the attempt showed nothing about the password.
func (a attempt) cancel() {
	t := a.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	drain(t.sources, a.pair.source, t.perSource)
	drain(t.pairs, a.pair, t.perPair)
}

// succeed clears the source for this account. Its failures on other accounts
// stay, or a guesser would wash them away with an account of their own.
func (a attempt) succeed() {
	t := a.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	drain(t.sources, a.pair.source, t.perSource)
	t.pairs.Remove(a.pair)
	t.homes.Add(a.pair, struct{}{})
}

// known says that the account has logged in from this source before. Nobody can
// ask that from elsewhere.
func (a attempt) known() bool {
	a.throttle.mu.Lock()
	defer a.throttle.mu.Unlock()
	return a.throttle.homes.Contains(a.pair)
}

// fill returns when the bucket would be empty after one more failure, and how
// long to wait until that failure fits: zero when it fits now.
func fill[K comparable](buckets *simplelru.LRU[K, time.Time], key K, l limit, now time.Time) (time.Time, time.Duration) {
	empty, _ := buckets.Get(key)
	if empty.Before(now) {
		empty = now
	}
	empty = empty.Add(l.every)
	return empty, max(0, empty.Sub(now)-time.Duration(l.burst)*l.every)
}

// drain takes one failure out of the bucket.
func drain[K comparable](buckets *simplelru.LRU[K, time.Time], key K, l limit) {
	if empty, ok := buckets.Peek(key); ok {
		buckets.Add(key, empty.Add(-l.every))
	}
}

// sourceOf returns whom to count: an IPv4 address, or an IPv6 /64, since one
// subscriber owns all of that. Callers without an address count as one.
func sourceOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// refuse returns an error for who has to wait.
func (t *throttle) refuse(source, pair time.Duration) error {
	wait := max(source, pair)
	switch {
	case wait == 0:
		return nil
	case source > pair:
		t.limited("login_attempts_per_address")
	default:
		t.limited("login_attempts")
	}
	return &errs.Error{
		Kind: errs.RateLimited, Reason: "too_many_attempts",
		Message: "too many failed attempts, try again later", RetryAfter: wait,
	}
}
