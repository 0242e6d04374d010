package room

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Owned returns a room to its anchor: NotFound before anything else, then
// Forbidden.
func (s *Service) Owned(ctx context.Context, caller, id string) (Room, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return Room{}, err
	}
	if r.AnchorID != caller {
		return Room{}, errNotOwner
	}
	return r, nil
}

// moved repeats a compare-and-set statement until the room is in the wanted
// state, by it or by somebody else, or has ended. No row means that the room
// was in none of the expected states at that moment; a callback may have moved
// it on since, so only Off is final.
func (s *Service) moved(ctx context.Context, id string, wanted Status, set func() (db.Room, error)) (Room, error) {
	for {
		row, err := set()
		if err == nil {
			return fromRow(row)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return Room{}, pg.Err(err, nil)
		}
		r, err := s.Get(ctx, id)
		switch {
		case err != nil:
			return Room{}, err
		case r.Status == wanted:
			return r, nil
		case r.Status == Off:
			return Room{}, errEnded
		}
	}
}

// Start puts a room on air. Starting a room that is on changes nothing.
// Errors: NotFound, Forbidden, Conflict once it has ended.
func (s *Service) Start(ctx context.Context, caller, id string) (Room, error) {
	if _, err := s.Owned(ctx, caller, id); err != nil {
		return Room{}, err
	}
	p := db.RoomStartParams{ID: id, Now: s.Now()}
	return s.moved(ctx, id, On, func() (db.Room, error) { return s.q.RoomStart(ctx, s.DB, p) })
}

// Pause takes a room off air for a while. Errors: NotFound, Forbidden,
// Conflict once it has ended.
func (s *Service) Pause(ctx context.Context, caller, id string) (Room, error) {
	if _, err := s.Owned(ctx, caller, id); err != nil {
		return Room{}, err
	}
	p := db.RoomPauseParams{ID: id, Now: s.Now()}
	return s.moved(ctx, id, Prepare, func() (db.Room, error) { return s.q.RoomPause(ctx, s.DB, p) })
}

// Stop ends a room for good; its stream is refused from now on, and who publishes
// or plays it is cut off. Stopping it again changes nothing. Errors: NotFound, Forbidden.
func (s *Service) Stop(ctx context.Context, caller, id string) (Room, error) {
	if _, err := s.Owned(ctx, caller, id); err != nil {
		return Room{}, err
	}
	p := db.RoomStopParams{ID: id, Now: s.Now()}
	r, err := s.moved(ctx, id, Off, func() (db.Room, error) {
		return s.ending(ctx, p.Now, func(tx pgx.Tx) (db.Room, error) { return s.q.RoomStop(ctx, tx, p) })
	})
	if err == nil {
		s.Signer.RoomClosed(id)
	}
	return r, err
}

// ending ends a room and, in the same transaction, asks for the end of whoever
// publishes and plays its streams.
func (s *Service) ending(ctx context.Context, now time.Time, end func(pgx.Tx) (db.Room, error)) (row db.Room, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if row, err = end(tx); err != nil {
			return err
		}
		p := db.RevocationsOfRoomParams{Apps: []string{row.App}, Streams: []string{row.ID}, Now: now}
		if row.MeetingID != nil {
			for _, stream := range s.linkStreams(*row.MeetingID, row.AnchorID) {
				p.Apps, p.Streams = append(p.Apps, linkApp), append(p.Streams, stream)
			}
		}
		return s.q.RevocationsOfRoom(ctx, tx, p)
	})
	return row, err
}

// Delete removes a room in any state, its message group with it, and returns
// its last state, Off. Errors: NotFound, Forbidden.
func (s *Service) Delete(ctx context.Context, caller, id string) (Room, error) {
	r, err := s.Owned(ctx, caller, id)
	if err != nil {
		return Room{}, err
	}
	if err := s.keepStrays(ctx, r); err != nil {
		return Room{}, err
	}
	p := db.RoomDeleteParams{ID: id, Now: s.Now()}
	row, err := s.ending(ctx, p.Now, func(tx pgx.Tx) (db.Room, error) { return s.q.RoomDelete(ctx, tx, p) })
	if errors.Is(err, pgx.ErrNoRows) { // somebody was faster
		return Room{}, errNotFound
	}
	if err != nil {
		return Room{}, pg.Err(err, nil)
	}
	s.Signer.RoomClosed(id)
	r, err = fromRow(row)
	s.abandonGroups(ctx, row.ChatID, row.IMServers)
	return r, err
}

// Changes are the texts of a room that may change; empty ones stay.
type Changes struct{ Title, Notice, Extends string }

// Update changes texts. Errors: Invalid, NotFound, Forbidden.
func (s *Service) Update(ctx context.Context, caller, id string, c Changes) (Room, error) {
	if err := validTexts(c.Title, c.Notice, c.Extends); err != nil {
		return Room{}, err
	}
	if c.Title != "" && strings.TrimSpace(c.Title) == "" {
		return Room{}, errs.InvalidField("title", "title is blank")
	}
	if err := validUTF8(c.Title, c.Notice, c.Extends); err != nil {
		return Room{}, err
	}
	if _, err := s.Owned(ctx, caller, id); err != nil {
		return Room{}, err
	}
	row, err := s.q.RoomUpdate(ctx, s.DB, db.RoomUpdateParams{ID: id, Now: s.Now(), Title: filled(c.Title), Notice: filled(c.Notice), Extends: filled(c.Extends)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Room{}, errNotFound
	}
	if err != nil {
		return Room{}, pg.Err(err, nil)
	}
	return fromRow(row)
}

func filled(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// maxMembers bounds co-streaming; clients show at most nine.
const maxMembers = 100

// Meeting returns the members of a room, none for a room without co-streaming.
// Error: NotFound.
func (s *Service) Meeting(ctx context.Context, id string) ([]Member, error) {
	r, err := s.Get(ctx, id)
	return r.Members, err
}

// SetMeeting replaces the members. Errors: NotFound, Forbidden, Invalid for a
// room without co-streaming.
func (s *Service) SetMeeting(ctx context.Context, caller, id string, members []Member) ([]Member, error) {
	r, err := s.Owned(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	if r.Mode != ModeLink {
		return nil, errs.New(errs.Invalid, "not_a_link_room", "the room has no co-streaming")
	}
	if err := validMembers(members); err != nil {
		return nil, err
	}
	if members == nil {
		members = []Member{}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	_, err = s.q.RoomSetMeeting(ctx, s.DB, db.RoomSetMeetingParams{ID: id, MeetingInfo: text, Now: s.Now()})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNotFound
	}
	return members, pg.Err(err, nil)
}

func validMembers(members []Member) error {
	if len(members) > maxMembers {
		return errs.InvalidField("members", "more than 100 members")
	}
	for _, m := range members {
		if len(m.UserID) > 256 || len(m.UserNick) > 256 || len(m.UserAvatar) > 1024 || len(m.RTCPullURL) > 1024 {
			return errs.InvalidField("members", "a member's field is too long")
		}
		if err := validUTF8(m.UserID, m.UserNick, m.UserAvatar, m.RTCPullURL); err != nil {
			return err
		}
	}
	return nil
}

// maxLikes is how many likes one batch of a client may bring.
const maxLikes = 10_000

// Like adds likes to the room of a message group and returns its new total.
// Errors: Invalid, NotFound.
func (s *Service) Like(ctx context.Context, chatID string, n int) (int64, error) {
	if n < 1 || n > maxLikes {
		return 0, errs.InvalidField("like_count", "like_count is between 1 and 10000")
	}
	row, err := s.q.RoomLike(ctx, s.DB, db.RoomLikeParams{ChatID: chatID, Likes: int64(n)})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errNotFound
	}
	if err != nil {
		return 0, pg.Err(err, nil)
	}
	s.cheer(chatID, row, int64(n))
	return row.LikeCount, nil
}
