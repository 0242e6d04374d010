package room

import (
	"context"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// combiner lets callers who ask for the same thing at the same time share one
// trip to the database: while one is under way for a key, those who ask for that
// key line up and go together on the next. A lone caller goes at once. A trip
// begins after everybody on it has asked, so its answer is never older than the
// question.
type combiner[Q, A any] struct {
	// do answers the questions of one trip, in the order in which they were asked.
	// When it fails, and it was not for the database, each question goes alone, so
	// that nobody is refused for what another one asked.
	do func(ctx context.Context, key string, asked []Q) ([]A, error)

	mu    sync.Mutex
	lines map[string]*[]*passenger[Q, A] // of the keys with a trip under way
}

type passenger[Q, A any] struct {
	question Q
	answer   A
	err      error
	left     bool // gave up before the trip
	aboard   bool
	done     chan struct{}
}

const (
	maxAboard = 128
	maxInLine = 4096
	// tripTimeout bounds one trip. Two of them fit into the patience of whoever has
	// just missed one.
	tripTimeout = 3 * time.Second
)

var errLine = &errs.Error{Kind: errs.Unavailable, Reason: "temporarily_unavailable", Message: "the service is temporarily unavailable", RetryAfter: time.Second}

func newCombiner[Q, A any](do func(context.Context, string, []Q) ([]A, error)) *combiner[Q, A] {
	return &combiner[Q, A]{do: do, lines: map[string]*[]*passenger[Q, A]{}}
}

// ask returns the answer to one question. Who gives up in the line is as if he
// had never asked; who is on a trip already hears how it ended.
func (c *combiner[Q, A]) ask(ctx context.Context, key string, question Q) (A, error) {
	p := &passenger[Q, A]{question: question, done: make(chan struct{})}
	if !c.lineUp(ctx, key, p) {
		return p.answer, errLine
	}
	select {
	case <-p.done:
		return p.answer, p.err
	case <-ctx.Done():
	}
	if c.leave(p) {
		return p.answer, pg.Err(ctx.Err(), nil)
	}
	<-p.done
	return p.answer, p.err
}

func (c *combiner[Q, A]) lineUp(ctx context.Context, key string, p *passenger[Q, A]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	line, busy := c.lines[key]
	if !busy {
		line = &[]*passenger[Q, A]{}
		c.lines[key] = line
	}
	if len(*line) >= maxInLine {
		return false
	}
	*line = append(*line, p)
	if !busy {
		go c.travel(context.WithoutCancel(ctx), key)
	}
	return true
}

func (c *combiner[Q, A]) leave(p *passenger[Q, A]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.left = !p.aboard
	return p.left
}

// travel makes trips until nobody is left in the line.
func (c *combiner[Q, A]) travel(ctx context.Context, key string) {
	for {
		aboard, more := c.board(key)
		if !more {
			return
		}
		c.trip(ctx, key, aboard)
	}
}

func (c *combiner[Q, A]) board(key string) (aboard []*passenger[Q, A], more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := c.lines[key]
	if len(*line) == 0 {
		delete(c.lines, key)
		return nil, false
	}
	n := min(len(*line), maxAboard)
	for _, p := range (*line)[:n] {
		if !p.left {
			p.aboard = true
			aboard = append(aboard, p)
		}
	}
	*line = append([]*passenger[Q, A](nil), (*line)[n:]...)
	return aboard, true
}

func (c *combiner[Q, A]) trip(ctx context.Context, key string, aboard []*passenger[Q, A]) {
	questions := make([]Q, len(aboard))
	for i, p := range aboard {
		questions[i] = p.question
	}
	answers, err := c.within(ctx, key, questions)
	if err != nil && len(aboard) > 1 && errs.KindOf(err) != errs.Unavailable {
		for i := range aboard {
			c.trip(ctx, key, aboard[i:i+1])
		}
		return
	}
	for i, p := range aboard {
		if p.err = err; err == nil {
			p.answer = answers[i]
		}
		close(p.done)
	}
}

func (c *combiner[Q, A]) within(ctx context.Context, key string, questions []Q) ([]A, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tripTimeout)
	defer cancel()
	answers, err := c.do(ctx, key, questions)
	return answers, pg.Err(err, nil)
}
