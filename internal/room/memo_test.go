package room

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAnswerIsRememberedForAsLongAsItSays(t *testing.T) {
	t.Parallel()
	c := &clock{at: start}
	m := newMemo[int](c.now, time.Second)
	asked := 0
	get := func(ttl time.Duration, err error) (int, error) {
		return m.get(t.Context(), "key", func(context.Context) (int, time.Duration, error) {
			asked++
			return asked, ttl, err
		})
	}
	for i, step := range []struct {
		wait time.Duration
		want int
	}{{0, 1}, {2 * time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
		c.advance(step.wait)
		if got, err := get(3*time.Second, nil); got != step.want || err != nil {
			t.Errorf("step %d: %d, error %v", i, got, err)
		}
	}
	c.advance(3 * time.Second)
	for range 2 { // failures are remembered too
		if _, err := get(time.Second, errBroken); !errors.Is(err, errBroken) || asked != 3 {
			t.Errorf("asked %d times, error %v", asked, err)
		}
	}
}

func TestManyWhoWantToKnowAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemo[int](time.Now, time.Minute)
		asked, answer := 0, make(chan int)
		ask := func(context.Context) (int, time.Duration, error) {
			asked++
			return <-answer, time.Minute, nil
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if got, err := m.get(t.Context(), "key", ask); got != 7 || err != nil {
					t.Errorf("%d, error %v", got, err)
				}
			})
		}
		impatient, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if _, err := m.get(impatient, "key", ask); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
		synctest.Wait()
		cancel() // stops nobody else
		synctest.Wait()
		answer <- 7
		all.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestAQuestionIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemo[int](time.Now, time.Second)
		began := time.Now()
		_, err := m.get(t.Context(), "key", func(ctx context.Context) (int, time.Duration, error) {
			<-ctx.Done()
			return 0, 0, ctx.Err()
		})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestWhoHasGivenUpDoesNotAsk(t *testing.T) {
	t.Parallel()
	m := newMemo[int](time.Now, time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.get(ctx, "key", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOnlySoManyAnswersAreKept(t *testing.T) {
	t.Parallel()
	m := newMemo[int](time.Now, time.Second)
	for i := range memoSize + 10 {
		_, _ = m.get(t.Context(), fmt.Sprint(i), func(context.Context) (int, time.Duration, error) { return i, time.Hour, nil })
	}
	if n := m.known.Len(); n != memoSize {
		t.Errorf("%d are kept", n)
	}
}
