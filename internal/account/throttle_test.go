package account

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// fails charges one failed attempt and returns how long it was told to wait.
func (t *throttle) fails(username, from string, now time.Time) time.Duration {
	addr, _ := netip.ParseAddr(from)
	a := t.attempt(username, addr)
	checked := a.check(now)
	err := a.charge(now)
	if (checked == nil) != (err == nil) {
		panic(fmt.Sprintf("check said %v and charge %v", checked, err))
	}
	if err == nil {
		return 0
	}
	if wait := errs.As(err).RetryAfter; wait > 0 {
		return wait
	}
	panic("refused without RetryAfter")
}

func TestThrottleRefillsSteadily(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	th := newThrottle(0, 0, func(string) {})
	for range th.perPair.burst {
		if wait := th.fails("alice", "192.0.2.1", now); wait != 0 {
			t.Fatalf("told to wait %s within the burst", wait)
		}
	}
	for range 3 { // asking again does not make it longer
		if wait := th.fails("alice", "192.0.2.1", now); wait != th.perPair.every {
			t.Fatalf("got %s, want %s", wait, th.perPair.every)
		}
	}
	if wait := th.fails("alice", "192.0.2.1", now.Add(th.perPair.every-time.Nanosecond)); wait != time.Nanosecond {
		t.Errorf("just before: got %s", wait)
	}
	if wait := th.fails("alice", "192.0.2.1", now.Add(th.perPair.every)); wait != 0 {
		t.Errorf("in time: got %s", wait)
	}
	later := now.Add(24 * time.Hour)
	for range th.perPair.burst { // rest gives back the burst, not more
		if wait := th.fails("alice", "192.0.2.1", later); wait != 0 {
			t.Fatalf("after a day: got %s", wait)
		}
	}
	if wait := th.fails("alice", "192.0.2.1", later); wait == 0 {
		t.Error("a day of rest gave more than the burst")
	}
}

func TestThrottleCountsASourceOverAllAccounts(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	th := newThrottle(0, 0, func(string) {})
	for i := range th.perSource.burst {
		if wait := th.fails(fmt.Sprintf("user%d", i), "192.0.2.1", now); wait != 0 {
			t.Fatalf("attempt %d: told to wait %s", i, wait)
		}
	}
	if wait := th.fails("alice", "192.0.2.1", now); wait != th.perSource.every {
		t.Errorf("got %s, want %s", wait, th.perSource.every)
	}
	if wait := th.fails("alice", "192.0.2.2", now); wait != 0 {
		t.Errorf("its neighbour waits %s", wait)
	}
}

func TestThrottleSuccessDoesNotWashAwayOtherFailures(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	th := newThrottle(0, 0, func(string) {})
	guesses := 0
	for th.fails(fmt.Sprintf("victim%d", guesses), "192.0.2.1", now) == 0 {
		guesses++
		own := th.attempt("mallory", netip.MustParseAddr("192.0.2.1"))
		if own.charge(now) == nil {
			own.succeed()
		}
		if guesses > th.perSource.burst {
			t.Fatal("own logins gave guesses back")
		}
	}
	if guesses != th.perSource.burst {
		t.Errorf("%d guesses, want %d", guesses, th.perSource.burst)
	}
}

func TestThrottleCancelledAttemptsCostNothing(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	th := newThrottle(0, 0, func(string) {})
	for range 10 * th.perSource.burst {
		a := th.attempt("alice", home())
		if err := a.charge(now); err != nil {
			t.Fatal(err)
		}
		a.cancel()
	}
}

func TestThrottleTakesSourcesTogetherThatOneSubscriberOwns(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	for name, tc := range map[string]struct {
		first, second string
		same          bool
	}{
		"one IPv4 address":             {"192.0.2.1", "192.0.2.1", true},
		"two IPv4 addresses":           {"192.0.2.1", "192.0.2.2", false},
		"IPv4 written as IPv6":         {"192.0.2.1", "::ffff:192.0.2.1", true},
		"two addresses of a /64":       {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		"two /64 of a /48":             {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"a zone":                       {"fe80::1%eth0", "fe80::2%eth1", true},
		"loopback is a source too":     {"127.0.0.1", "127.0.0.1", true},
		"no address, twice":            {"", "", true},
		"no address and some address":  {"", "192.0.2.1", false},
		"IPv4 and the IPv6 loopback":   {"127.0.0.1", "::1", false},
		"mapped addresses stay apart":  {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		"unspecified and no address":   {"::", "", false},
		"zero IPv4 and no address too": {"0.0.0.0", "", false},
	} {
		th := newThrottle(0, 0, func(string) {})
		for range th.perPair.burst {
			th.fails("alice", tc.first, now)
		}
		if got := th.fails("alice", tc.second, now) > 0; got != tc.same {
			t.Errorf("%s: counted together=%v, want %v", name, got, tc.same)
		}
	}
}

func TestThrottleFoldsNames(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	th := newThrottle(0, 0, func(string) {})
	for range th.perPair.burst {
		th.fails("Alice", "192.0.2.1", now)
	}
	if th.fails("aLICE", "192.0.2.1", now) == 0 {
		t.Error("another spelling gives another try")
	}
}

func TestThrottleMemoryIsBounded(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	th := newThrottle(0, 0, func(string) {})
	th.pairs.Resize(200)
	th.sources.Resize(100)
	for i := range 1000 {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		th.fails("alice", from.String(), now)
		th.fails(strings.Repeat("long", 1000), from.String(), now)
	}
	if th.pairs.Len() != 200 || th.sources.Len() != 100 {
		t.Errorf("%d pairs, %d sources", th.pairs.Len(), th.sources.Len())
	}
	for _, p := range th.pairs.Keys() {
		if len(p.account) > maxUsername {
			t.Fatal("an impossible name is kept")
		}
	}
}
