package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// byChat returns the room of a message group. Error: NotFound.
func (s *Service) byChat(ctx context.Context, chatID string) (Room, error) {
	if !rtcID(chatID) {
		return Room{}, errNotFound
	}
	row, err := s.q.RoomByChatID(ctx, s.DB, chatID)
	if errors.Is(err, pgx.ErrNoRows) {
		return Room{}, errNotFound
	}
	if err != nil {
		return Room{}, pg.Err(err, nil)
	}
	return fromRow(row)
}

// SetMuted silences the message groups of a room, or ends that, and returns the
// new state. Providers that enforce it are told first; when one of them fails,
// nothing has changed. Errors: NotFound, Forbidden to all but the anchor,
// BadGateway.
func (s *Service) SetMuted(ctx context.Context, caller, chatID string, muted bool) (bool, error) {
	r, err := s.byChat(ctx, chatID)
	if err != nil {
		return false, err
	}
	if r.AnchorID != caller {
		return false, errNotOwner
	}
	if err := s.muteGroups(ctx, r, muted); err != nil {
		return false, err
	}
	row, err := s.q.RoomSetMuted(ctx, s.DB, db.RoomSetMutedParams{ID: r.ID, Muted: muted, Now: s.Now()})
	if errors.Is(err, pgx.ErrNoRows) { // deleted meanwhile, its groups with it
		return false, errNotFound
	}
	if err != nil {
		s.unmuteGroups(ctx, r, r.IMServers)
		return false, pg.Err(err, nil)
	}
	return row.Muted, nil
}

func (s *Service) muteGroups(ctx context.Context, r Room, muted bool) error {
	for i, server := range r.IMServers {
		if err := s.muteGroup(ctx, server, r, muted); err != nil {
			s.unmuteGroups(ctx, r, r.IMServers[:i])
			return errNoGroup.With(fmt.Errorf("mute a group of %s: %w", server, err))
		}
	}
	return nil
}

func (s *Service) muteGroup(ctx context.Context, server string, r Room, muted bool) error {
	if m, ok := s.Groups.Of(server).(im.Muter); ok {
		return m.MuteGroup(ctx, r.ChatID, r.AnchorID, muted)
	}
	return nil // it is enough to remember it
}

// unmuteGroups puts groups back into the state that is on record.
func (s *Service) unmuteGroups(ctx context.Context, r Room, servers []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	for _, server := range servers {
		if err := s.muteGroup(ctx, server, r, r.Muted); err != nil {
			s.Log.WarnContext(ctx, "message group left in another state", "server", server, "group", r.ChatID, "muted", r.Muted, "error", err)
		}
	}
}

// Muted says whether the message groups of a room are silent. Error: NotFound.
func (s *Service) Muted(ctx context.Context, _, chatID string) (bool, error) {
	r, err := s.byChat(ctx, chatID)
	return r.Muted, err
}

// muteState is what is on record of a room, for every user alike. The anchor
// gets it too: clients draw their switch from it.
func (r Room) muteState() im.MuteState {
	return im.MuteState{Muted: r.Muted, ByGroup: r.Muted}
}
