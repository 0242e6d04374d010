package evict

import (
	"context"

	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Pending counts the sessions that are to be cut off and are not gone yet, at
// most 10,000. Those who cannot be cut off at all do not count. Error: Unavailable.
func (s *Service) Pending(ctx context.Context) (int64, error) {
	n, err := s.q.EvictionsPending(ctx, s.DB)
	return n, pg.Err(err, nil)
}
