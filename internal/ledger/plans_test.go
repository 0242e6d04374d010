package ledger

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// readSpy notes the statements that are read with outside of transactions.
type readSpy struct {
	pg.DB
	mu         sync.Mutex
	statements map[string][]any
}

func (s *readSpy) note(sql string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statements[sql] = args
}

func (s *readSpy) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.note(sql, args)
	return s.DB.Query(ctx, sql, args...)
}

func (s *readSpy) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	s.note(sql, args)
	return s.DB.QueryRow(ctx, sql, args...)
}

// What was must not slow the look at what is: anybody may ask for it often.
func TestReadsDoNotGoThroughTheHistory(t *testing.T) {
	t.Parallel()
	spy := &readSpy{statements: map[string][]any{}}
	b := setup(t, withDB(func(real pg.DB) pg.DB { spy.DB = real; return spy }))
	b.crowd(t, 60_000)
	st, at := stream("s5"), b.clock.Now().Add(time.Hour)
	for _, read := range []func() error{
		func() error { _, err := b.Streams(t.Context()); return err },
		func() error { _, _, err := b.Live(t.Context(), LiveFilter{Limit: 20, After: "/live/s3"}); return err },
		func() error { _, err := b.Find(t.Context(), "/live/s100"); return err },
		func() error { _, err := b.Consumers(t.Context(), st, 20); return err },
		func() error { _, err := b.ConsumersOf(t.Context(), []media.Stream{st, stream("s6")}, 20); return err },
		func() error { _, err := b.Figures(t.Context()); return err },
		func() error { _, _, err := b.Closed(t.Context(), ClosedFilter{Limit: 20, Stream: "s50"}); return err },
		func() error {
			_, _, err := b.Closed(t.Context(), ClosedFilter{Limit: 20, From: at, To: at.Add(time.Minute), Stream: "50", Fuzzy: true, Descending: true})
			return err
		},
	} {
		if err := read(); err != nil {
			t.Fatal(err)
		}
	}
	spy.mu.Lock()
	defer spy.mu.Unlock()
	for sql, args := range spy.statements {
		b.wantIndexed(t, sql, args)
	}
	if len(spy.statements) < 9 {
		t.Errorf("only %d statements were seen", len(spy.statements))
	}
}
