package room

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// staleAtOnce is how many stale reports one call settles; the next one goes on.
const staleAtOnce = 500

// ExpireReports takes streams off the air that a CDN reported longer ago than a
// lease and never again: the report of their end was lost. Error: Unavailable.
func (s *Service) ExpireReports(ctx context.Context, lease time.Duration) error {
	now := s.Now()
	before := now.Add(-lease).Unix()
	stale, err := s.q.PushReportsStale(ctx, s.DB, db.PushReportsStaleParams{Before: before, RowLimit: staleAtOnce})
	if err != nil {
		return pg.Err(err, nil)
	}
	for _, r := range stale {
		if err := s.expireReport(ctx, r, before, now); err != nil {
			return pg.Err(err, nil)
		}
	}
	return nil
}

func (s *Service) expireReport(ctx context.Context, r db.PushReportsStaleRow, before int64, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if _, _, err := s.Lock(ctx, tx, media.Stream{App: r.App, Name: r.Stream}); err != nil {
			return err
		}
		n, err := s.q.PushReportExpire(ctx, tx, db.PushReportExpireParams{RoomID: r.RoomID, Stream: r.Stream, Before: before})
		if err != nil || n == 0 { // reported anew
			return err
		}
		live, err := s.q.SessionPublishing(ctx, tx, db.SessionPublishingParams{App: r.App, Stream: r.Stream})
		if err != nil || live {
			return err
		}
		return s.LeftAir(ctx, tx, r.RoomID, now)
	})
}
