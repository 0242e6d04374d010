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
	seen map[opKey]media.Event // with the time in At
}

const maxSightings = 1 << 14 // beyond it the next update counts

func (s *sightings) note(e media.Event, now time.Time) {
	if e.ClientID == "" { // nobody's session
		return
	}
	key := (&op{e: e}).key()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.seen[key]; !known && len(s.seen) >= maxSightings {
		return
	}
	if s.seen == nil {
		s.seen = map[opKey]media.Event{}
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
		p.Node, p.ServerID, p.ClientID, p.Scene = append(p.Node, e.Node), append(p.ServerID, e.ServerID), append(p.ClientID, e.ClientID), append(p.Scene, string(e.On))
		p.Vhost, p.App, p.Stream, p.SeenAt = append(p.Vhost, e.Stream.Vhost), append(p.App, e.Stream.App), append(p.Stream, e.Stream.Name), append(p.SeenAt, e.At)
	}
	rows, err := l.q.SessionsSeen(ctx, l.DB, p)
	if err != nil {
		return pg.Err(err, nil)
	}
	open := make(map[opKey]bool, len(rows))
	for _, row := range rows {
		open[opKey{row.Node, row.ServerID, row.ClientID, media.Scene(row.Scene), media.Stream{Vhost: row.Vhost, App: row.App, Name: row.Stream}}] = true
	}
	for _, e := range all {
		if key := (&op{e: e}).key(); !open[key] {
			err = errors.Join(err, l.revive(ctx, e))
		}
	}
	return err
}

// revive opens a session again that ended only because a list did not have it.
// An update that overtook its own start, or that comes after the end which the
// server told, opens nothing.
func (l *Ledger) revive(ctx context.Context, e media.Event) error {
	known, err := l.q.SessionOfClient(ctx, l.DB, db.SessionOfClientParams{Node: e.Node, ServerIds: []string{e.ServerID}, ClientID: e.ClientID,
		Scene: string(e.On), Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return pg.Err(err, nil)
	}
	if known.EndedAt == nil || known.EndReason != GoneFromNode && known.EndReason != ServerRestarted || e.At.Before(*known.EndedAt) {
		return nil
	}
	f := Found{Event: e, Began: *known.StartedAt}
	f.Action, f.At = media.Publishing, time.Time{}
	if e.On == media.Play {
		f.Action = media.Playing
	}
	_, err = l.Learn(ctx, f)
	return err
}
