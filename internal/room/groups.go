package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

var errNoGroup = errs.New(errs.BadGateway, "im_unavailable", "the message service did not answer")

// Groups live in other people's services, and this process may die between any
// two steps. So a group is on the list of strays before it is made, until its
// room is stored; and again before its room is deleted, until it is removed. A
// group that a room has is never taken for a stray.

// createGroups makes a room's group in each of its message services and returns
// their common id, which becomes the room's. When one of them fails, those made
// before it are removed again.
func (s *Service) createGroups(ctx context.Context, creator, id string, servers []string) (string, error) {
	for i, server := range servers {
		group, err := s.createGroup(ctx, server, creator, id)
		if err == nil && i > 0 && group != id {
			s.abandonGroups(ctx, group, servers[i:i+1])
			err = errNoGroup.With(fmt.Errorf("two groups of one room: %s and %s", id, group))
		}
		if err != nil {
			s.abandonGroups(ctx, id, servers[:i])
			return "", err
		}
		id = group
	}
	return id, nil
}

// createGroup makes one group. One that may have been made although nobody said
// so stays on the list: its provider does not answer just now.
func (s *Service) createGroup(ctx context.Context, server, creator, id string) (string, error) {
	ours := server == im.ServerNew // the id; the older service chooses its own
	if ours {
		if err := s.keepStray(ctx, server, id); err != nil {
			return "", err
		}
	}
	group, err := s.Groups.Of(server).CreateGroup(ctx, creator, id)
	if err != nil {
		if errors.Is(err, im.ErrRefused) {
			s.forgetStrays(ctx, id, server)
		}
		return "", errNoGroup.With(fmt.Errorf("create a group of %s: %w", server, err))
	}
	if group != id || !ours {
		s.forgetStrays(ctx, id, server)
		if err := s.keepStray(ctx, server, group); err != nil {
			s.abandonGroups(ctx, group, []string{server})
			return "", err
		}
	}
	if !rtcID(group) { // it goes into URLs
		s.abandonGroups(ctx, group, []string{server})
		return "", errNoGroup.With(fmt.Errorf("%s made a group with the id %.80q", server, group))
	}
	return group, nil
}

// abandonTimeout bounds the removal of one group. Whoever asked for the room
// still waits.
const abandonTimeout = 2 * time.Second

// abandonGroups removes the groups of a room that could not be stored or is
// gone. The request may be over, so its cancellation does not count. What
// cannot be removed now stays on the list.
func (s *Service) abandonGroups(ctx context.Context, group string, servers []string) {
	ctx = context.WithoutCancel(ctx)
	for _, server := range servers {
		if err := s.deleteGroup(ctx, server, group); err != nil {
			s.Log.WarnContext(ctx, "message group left behind", "server", server, "group", group, "error", err)
			continue
		}
		s.forgetStrays(ctx, group, server)
	}
}

// deleteGroup removes a group. Where there is nothing to remove, all is well.
func (s *Service) deleteGroup(ctx context.Context, server, group string) error {
	d, ok := s.Groups.Of(server).(im.Deleter)
	if !ok || group == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, abandonTimeout)
	defer cancel()
	return d.DeleteGroup(ctx, group)
}

// keepStray puts a group on the list, unless its provider has nothing to
// remove.
func (s *Service) keepStray(ctx context.Context, server, group string) error {
	if _, ok := s.Groups.Of(server).(im.Deleter); !ok || group == "" {
		return nil
	}
	return pg.Err(s.q.StrayGroupKeep(ctx, s.DB, db.StrayGroupKeepParams{Server: server, GroupID: group, Now: s.Now()}), nil)
}

// keepStrays puts the groups of a room on the list that is about to go.
func (s *Service) keepStrays(ctx context.Context, r Room) error {
	for _, server := range r.IMServers {
		if err := s.keepStray(ctx, server, r.ChatID); err != nil {
			return err
		}
	}
	return nil
}

// forgetStrays takes groups off the list. One that stays there by mistake is
// looked at again and does no harm.
func (s *Service) forgetStrays(ctx context.Context, group string, servers ...string) {
	servers = slices.DeleteFunc(slices.Clone(servers), func(server string) bool {
		_, ok := s.Groups.Of(server).(im.Deleter)
		return !ok
	})
	if len(servers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	if err := s.q.StrayGroupsForget(ctx, s.DB, db.StrayGroupsForgetParams{GroupID: group, Servers: servers}); err != nil {
		s.Log.WarnContext(ctx, "message group stays on the list of strays", "group", group, "error", err)
	}
}

// strayPause is how long a group that could not be removed is left alone, and
// strayBatch how many are tried in one go.
const (
	strayPause = 10 * time.Minute
	strayBatch = 20
)

// never is when a group is tried again that its provider cannot remove.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// SweepGroups tries again to remove the groups that no room has. One process
// calls it every few minutes. Error: Unavailable.
func (s *Service) SweepGroups(ctx context.Context) error {
	now := s.Now()
	rows, err := s.q.StrayGroups(ctx, s.DB, db.StrayGroupsParams{TriedBefore: now.Add(-strayPause), RowLimit: strayBatch})
	if err != nil {
		return pg.Err(err, nil)
	}
	for _, row := range rows {
		err := s.deleteGroup(ctx, row.Server, row.GroupID)
		if err == nil {
			s.forgetStrays(ctx, row.GroupID, row.Server)
			continue
		}
		tried := db.StrayGroupTriedParams{Server: row.Server, GroupID: row.GroupID, Now: now}
		if errors.Is(err, im.ErrKept) {
			tried.Now = never
		}
		if err := s.q.StrayGroupTried(ctx, s.DB, tried); err != nil {
			return pg.Err(err, nil)
		}
	}
	return nil
}
