package room

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// RTCToken returns the token with which a user joins the co-streaming channel of
// a room, and until when it is good. Errors: NotFound, Invalid for a user name
// that the token's hash would not keep apart from others.
func (s *Service) RTCToken(ctx context.Context, user, meetingID string) (token string, expires time.Time, err error) {
	if !rtcID(meetingID) {
		return "", time.Time{}, errNotFound
	}
	if !rtcID(user) {
		return "", time.Time{}, errs.InvalidField("user_id", "co-streaming needs a user name of 0-9 A-Z a-z _ = -")
	}
	_, err = s.q.RoomByMeetingID(ctx, s.DB, &meetingID)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", time.Time{}, errNotFound
	}
	if err != nil {
		return "", time.Time{}, pg.Err(err, nil)
	}
	expires = s.Now().Add(rtcTTL).Truncate(time.Second)
	return urlsign.RTCToken(s.Links.RTCAppID, s.Links.RTCAppKey, meetingID, user, "", expires.Unix()), expires, nil
}
