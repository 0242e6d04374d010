package volcengine

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// The vendor's limit of the actions that have one, in calls of one access key
// per second.
const perSecond = 10

// limitersKept bounds how many keys are counted at once. Only genuine ones are.
const limitersKept = 4096

var errTooFast = &errs.Error{Kind: errs.RateLimited, Reason: "too_many_requests", Message: "more than 10 requests in a second", RetryAfter: time.Second}

// limits counts the calls of each access key and action.
type limits struct {
	mu    sync.Mutex
	known *simplelru.LRU[[2]string, *rate.Limiter]
}

func (l *limits) allow(key, action string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known, _ = simplelru.NewLRU[[2]string, *rate.Limiter](limitersKept, nil) // fails only for sizes below one
	}
	id := [2]string{key, action}
	limiter, ok := l.known.Get(id)
	if !ok {
		limiter = rate.NewLimiter(perSecond, perSecond)
		l.known.Add(id, limiter)
	}
	return limiter.AllowN(now, 1)
}
