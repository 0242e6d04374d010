package room

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/im"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

var errNoGroup = errs.New(errs.BadGateway, "im_unavailable", "the message service did not answer")

// createGroups makes a room's group in each of its message services and returns
// their common id, which becomes the room's. When one of them fails, those made
// before it are removed again.
func (s *Service) createGroups(ctx context.Context, creator, id string, servers []string) (string, error) {
	for i, server := range servers {
		group, err := s.Groups.Of(server).CreateGroup(ctx, creator, id)
		if err == nil {
			err = s.checkGroup(ctx, server, group, id, i > 0)
		}
		if err != nil {
			s.doubtGroup(ctx, server, id, err)
			s.abandonGroups(ctx, id, servers[:i])
			return "", errNoGroup.With(fmt.Errorf("create a group of %s: %w", server, err))
		}
		id = group
	}
	return id, nil
}

// doubtGroup remembers a group that may have been made although nobody said so.
// Its provider does not answer just now, so that it is removed later.
func (s *Service) doubtGroup(ctx context.Context, server, id string, err error) {
	_, canDelete := s.Groups.Of(server).(im.Deleter)
	if canDelete && !errors.Is(err, im.ErrRefused) && !errors.Is(err, errOddGroup) {
		s.keepStray(context.WithoutCancel(ctx), server, id)
	}
}

var errOddGroup = errors.New("the group has an unusable id")

// checkGroup refuses a group whose id would not pass in URLs, or differs from
// the one that the room has already.
func (s *Service) checkGroup(ctx context.Context, server, group, id string, fixed bool) error {
	if rtcID(group) && (!fixed || group == id) {
		return nil
	}
	if group != "" {
		s.abandonGroups(ctx, group, []string{server})
	}
	return fmt.Errorf("%w: %.80q", errOddGroup, group)
}

// abandonTimeout bounds the removal of one group. Whoever asked for the room
// still waits.
const abandonTimeout = 2 * time.Second

// abandonGroups removes the groups of a room that could not be stored or is
// gone. The request may be over, so its cancellation does not count. What
// cannot be removed now is tried again later.
func (s *Service) abandonGroups(ctx context.Context, group string, servers []string) {
	ctx = context.WithoutCancel(ctx)
	for _, server := range servers {
		if err := s.deleteGroup(ctx, server, group); err != nil {
			s.Log.WarnContext(ctx, "message group left behind", "server", server, "group", group, "error", err)
			s.keepStray(ctx, server, group)
		}
	}
}

var errCannotDelete = errs.New(errs.BadGateway, "im_no_delete", "the message service cannot remove groups")

func (s *Service) deleteGroup(ctx context.Context, server, group string) error {
	d, ok := s.Groups.Of(server).(im.Deleter)
	if !ok {
		return errCannotDelete
	}
	ctx, cancel := context.WithTimeout(ctx, abandonTimeout)
	defer cancel()
	return d.DeleteGroup(ctx, group)
}

func (s *Service) keepStray(ctx context.Context, server, group string) {
	ctx, cancel := context.WithTimeout(ctx, abandonTimeout)
	defer cancel()
	p := db.StrayGroupKeepParams{Server: server, GroupID: group, Now: s.Now()}
	if err := s.q.StrayGroupKeep(ctx, s.DB, p); err != nil {
		s.Log.WarnContext(ctx, "message group forgotten", "server", server, "group", group, "error", err)
	}
}

// strayPause is how long a group that could not be removed is left alone, and
// strayBatch how many are tried in one go.
const (
	strayPause = 10 * time.Minute
	strayBatch = 20
)

// SweepGroups tries again to remove the groups that were left behind. Error:
// Unavailable.
func (s *Service) SweepGroups(ctx context.Context) error {
	now := s.Now()
	rows, err := s.q.StrayGroups(ctx, s.DB, db.StrayGroupsParams{Servers: s.deleters(), TriedBefore: now.Add(-strayPause), RowLimit: strayBatch})
	if err != nil {
		return pg.Err(err, nil)
	}
	for _, row := range rows {
		if err := s.deleteGroup(ctx, row.Server, row.GroupID); err != nil {
			err = s.q.StrayGroupTried(ctx, s.DB, db.StrayGroupTriedParams{Server: row.Server, GroupID: row.GroupID, Now: now})
			if err != nil {
				return pg.Err(err, nil)
			}
			continue
		}
		if err := s.q.StrayGroupForget(ctx, s.DB, db.StrayGroupForgetParams{Server: row.Server, GroupID: row.GroupID}); err != nil {
			return pg.Err(err, nil)
		}
	}
	return nil
}

// deleters lists the message services whose provider can remove groups.
func (s *Service) deleters() []string {
	out := []string{}
	for _, server := range []string{im.ServerOld, im.ServerNew} {
		if _, ok := s.Groups.Of(server).(im.Deleter); ok {
			out = append(out, server)
		}
	}
	return out
}
