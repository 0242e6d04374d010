package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// sightings are sessions of which a callback said that they run, until they are
// written down. That matters where a node's list does not have them: a worker
// of nginx that serves on after a reload is on no list.
type sightings struct {
	mu   sync.Mutex
	seen map[identity]media.Event // with the time in At
}

const maxSightings = 1 << 14 // beyond it the next update counts

func (s *sightings) note(e media.Event, now time.Time) {
	if e.ClientID == "" { // nobody's session
		return
	}
	key := identify(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.seen[key]; !known && len(s.seen) >= maxSightings {
		return
	}
	if s.seen == nil {
		s.seen = map[identity]media.Event{}
	}
	e.At = now
	s.seen[key] = e
}

func (s *sightings) take() []media.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]media.Event, 0, len(s.seen))
	for _, e := range s.seen {
		all = append(all, e)
	}
	clear(s.seen)
	return all
}

// FlushSeen writes down which sessions callbacks have shown to run since it was
// called last. One that ended because its node's list did not have it is opened
// again. What cannot be written is noted again with its next update. Error:
// Unavailable.
func (l *Ledger) FlushSeen(ctx context.Context) error {
	all := l.seen.take()
	if len(all) == 0 {
		return nil
	}
	var p db.SessionsSeenParams
	for _, e := range all {
		id := identify(e)
		p.Identity, p.SeenAt = append(p.Identity, id[:]), append(p.SeenAt, e.At)
	}
	found, err := l.q.SessionsSeen(ctx, l.DB, p)
	if err != nil {
		return pg.Err(err, nil)
	}
	open := make(map[identity]bool, len(found))
	for _, id := range found {
		open[identity(id)] = true
	}
	for _, e := range all {
		if !open[identify(e)] {
			err = errors.Join(err, l.revive(ctx, e))
		}
	}
	return err
}

// revive opens a session again that ended only because a list did not have it.
// An update that overtook its own start, or that comes after the end which the
// server told, opens nothing.
func (l *Ledger) revive(ctx context.Context, e media.Event) error {
	known, err := l.knownOf(ctx, identify(e))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	if known.IsOpen || known.EndReason != GoneFromNode && known.EndReason != ServerRestarted || e.At.Before(known.EndedAt) {
		return nil
	}
	f := Found{Event: e, Began: known.StartedAt}
	f.Action, f.At = media.Publishing, time.Time{}
	if e.On == media.Play {
		f.Action = media.Playing
	}
	_, err = l.Learn(ctx, f)
	return err
}
