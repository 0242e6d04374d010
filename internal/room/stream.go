package room

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// StreamOwner returns the anchor of the room that a stream name belongs to, or
// "" for a name that is no room's.
func (s *Service) StreamOwner(ctx context.Context, app, stream string) (string, error) {
	p := db.RoomAnchorOfStreamParams{App: app, Stream: stream}
	if meeting, _, ok := s.parseLinkStream(stream); ok {
		p.MeetingID = &meeting
	}
	owner, err := s.q.RoomAnchorOfStream(ctx, s.DB, p)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return owner, pg.Err(err, nil)
}

// Lock finds the room of a stream and locks it, so that stopping the room and
// publishing to it happen one after the other. It returns "" for a stream that
// is no room's, and ended for a room that takes no publisher any more. Only
// the anchor's own stream of a co-streaming room counts.
func (s *Service) Lock(ctx context.Context, tx pgx.Tx, st media.Stream) (id string, ended bool, err error) {
	if st.Vhost != "" && st.Vhost != media.DefaultVhost && st.Vhost != media.HostOf(s.Links.PushDomain) {
		return "", false, nil
	}
	if meeting, user, ok := s.parseLinkStream(st.Name); ok && st.App == linkApp {
		row, err := s.q.RoomForMeetingPublish(ctx, tx, db.RoomForMeetingPublishParams{MeetingID: &meeting, AnchorID: user})
		return locked(row.ID, row.Status, row.Deleted, err)
	}
	row, err := s.q.RoomForPublish(ctx, tx, db.RoomForPublishParams{App: st.App, ID: st.Name})
	return locked(row.ID, row.Status, row.Deleted, err)
}

func locked(id string, status int16, deleted bool, err error) (string, bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	return id, Status(status) == Off || deleted, err
}

// WentLive puts a locked room on air because its stream is being published.
func (s *Service) WentLive(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	return s.q.RoomStart(ctx, tx, db.RoomStartParams{ID: id, Now: now})
}

// LeftAir takes a locked room off air because nobody publishes its stream, unless
// the vendor's CDN has one of its streams; see ReportPush.
func (s *Service) LeftAir(ctx context.Context, tx pgx.Tx, id string, now time.Time) error {
	return s.q.RoomLeaveAir(ctx, tx, db.RoomLeaveAirParams{ID: id, Now: now})
}
