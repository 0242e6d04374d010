package webhook

import (
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// schedule is how long after a failure the next attempt is made: that of the
// standard, over three days.
var schedule = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
	20 * time.Hour, 24 * time.Hour}

const (
	// spread is by how much at most a pause is longer, as a part of it, so that
	// what failed together does not come back together.
	spread = 0.1
	// shortHold is for an endpoint that is overloaded and does not say for how long.
	shortHold = 5 * time.Second
	// longestWait bounds what an endpoint may ask for.
	longestWait = 24 * time.Hour
	// failingAfter is for how long nothing must have arrived until an endpoint is
	// disabled whose delivery is given up.
	failingAfter = 72 * time.Hour
)

// pause is how long to wait after some tries. False says that they were enough.
func pause(tries int, asked time.Duration) (time.Duration, bool) {
	if tries > len(schedule) {
		return 0, false
	}
	wait := schedule[tries-1]
	wait += time.Duration(spread * mathrand.Float64() * float64(wait))
	return max(wait, min(asked, longestWait)), true
}

// overloaded are the answers after which an endpoint is left in peace for a while.
func overloaded(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// retryAfter reads the header: seconds, or a date. Zero where there is none, or
// one that asks for nothing.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longestWait)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longestWait)
	}
	return 0
}
