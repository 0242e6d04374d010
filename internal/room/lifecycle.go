package room

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

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

// Delete removes a room in any state, its message group with it, and returns
// its last state, Off. Errors: NotFound, Forbidden.
func (s *Service) Delete(ctx context.Context, caller, id string) (Room, error) {
	r, err := s.Owned(ctx, caller, id)
	if err != nil {
		return Room{}, err
	}
	return s.remove(ctx, r)
}

// DeleteAny is Delete of any room, for administrators. Error: NotFound.
func (s *Service) DeleteAny(ctx context.Context, id string) (Room, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return Room{}, err
	}
	return s.remove(ctx, r)
}

func (s *Service) remove(ctx context.Context, r Room) (Room, error) {
	if err := s.keepStrays(ctx, r); err != nil {
		return Room{}, err
	}
	id, p := r.ID, db.RoomDeleteParams{ID: r.ID, Now: s.Now()}
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err := s.q.RoomDelete(ctx, tx, p)
		if err != nil {
			return err
		}
		if r, err = fromRow(row); err != nil {
			return err
		}
		return s.endStreams(ctx, tx, r, p.Now)
	})
	if errors.Is(err, pgx.ErrNoRows) { // somebody was faster
		return Room{}, errNotFound
	}
	if err != nil {
		return Room{}, pg.Err(err, nil)
	}
	s.Signer.RoomClosed(id)
	s.abandonGroups(ctx, r.ChatID, r.IMServers)
	return r, nil
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
