package room

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// memo remembers what somebody else's service said, failures too, so that the
// same question is asked once in a while and by one at a time.
type memo[V any] struct {
	now     func() time.Time
	timeout time.Duration // of one question, whoever has stopped waiting for it
	known   *lru.Cache[string, said[V]]
	asking  singleflight.Group
}

type said[V any] struct {
	value V
	err   error
	until time.Time
}

// memoSize is how many answers are kept.
const memoSize = 8192

func newMemo[V any](now func() time.Time, timeout time.Duration) *memo[V] {
	known, err := lru.New[string, said[V]](memoSize)
	if err != nil {
		panic(err) // the size is not positive
	}
	return &memo[V]{now: now, timeout: timeout, known: known}
}

// get returns the answer that is known, or asks. What ask returns is good for
// as long as it says. Whoever gives up waiting does not stop others.
func (m *memo[V]) get(ctx context.Context, key string, ask func(context.Context) (V, time.Duration, error)) (V, error) {
	if s, ok := m.known.Get(key); ok && m.now().Before(s.until) {
		return s.value, s.err
	}
	var none V
	if err := ctx.Err(); err != nil {
		return none, err
	}
	answer := m.asking.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.timeout)
		defer cancel()
		value, ttl, err := ask(ctx)
		s := said[V]{value, err, m.now().Add(ttl)}
		m.known.Add(key, s)
		return s, nil
	})
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case a := <-answer:
		s := a.Val.(said[V])
		return s.value, s.err
	}
}
