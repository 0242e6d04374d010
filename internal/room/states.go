package room

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// move is what somebody wants of a room's state.
type move struct {
	caller string
	anyone bool // the caller need not be the anchor
	to     Status
	at     time.Time
}

// moved answers a move: the room as it was right after it, or why there was none.
type moved struct {
	room Room
	err  error
}

// Start puts a room on air. Starting a room that is on changes nothing.
// Errors: NotFound, Forbidden, Conflict once it has ended.
func (s *Service) Start(ctx context.Context, caller, id string) (Room, error) {
	return s.move(ctx, id, move{caller: caller, to: On, at: s.Now()})
}

// Pause takes a room off air for a while. Errors: NotFound, Forbidden,
// Conflict once it has ended.
func (s *Service) Pause(ctx context.Context, caller, id string) (Room, error) {
	return s.move(ctx, id, move{caller: caller, to: Prepare, at: s.Now()})
}

// Stop ends a room for good; its stream is refused from now on, and who publishes
// or plays it is cut off. Stopping it again changes nothing. Errors: NotFound, Forbidden.
func (s *Service) Stop(ctx context.Context, caller, id string) (Room, error) {
	return s.move(ctx, id, move{caller: caller, to: Off, at: s.Now()})
}

// MoveAny is Start, Pause and Stop of any room, for administrators. Errors:
// NotFound, Conflict once it has ended.
func (s *Service) MoveAny(ctx context.Context, id string, to Status) (Room, error) {
	return s.move(ctx, id, move{anyone: true, to: to, at: s.Now()})
}

func (s *Service) move(ctx context.Context, id string, m move) (Room, error) {
	if !rtcID(id) {
		return Room{}, errNotFound
	}
	done, err := s.moves.ask(ctx, id, m)
	if err != nil {
		return Room{}, err
	}
	if done.err == nil && m.to == Off {
		s.Signer.RoomClosed(id)
	}
	return done.room, done.err
}

// moveAll makes the moves of one room one after the other, in one transaction
// that holds the room: publishing to it, moves by other processes and these
// follow one another, but these wait for the room and the disk only once.
func (s *Service) moveAll(ctx context.Context, id string, moves []move) (out []moved, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		out = make([]moved, len(moves))
		row, err := s.q.RoomLock(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) {
			for i := range out {
				out[i].err = errNotFound
			}
			return nil
		}
		if err != nil {
			return err
		}
		r, err := fromRow(row)
		if err != nil {
			return err
		}
		var steps []Room
		for i, m := range moves {
			var changed bool
			if changed, out[i].err = r.move(m); changed {
				steps = append(steps, r)
			}
			out[i].room = r
		}
		if len(steps) == 0 {
			return nil
		}
		if err := s.tellSteps(ctx, tx, Status(row.Status), steps); err != nil {
			return err
		}
		return s.keepMoves(ctx, tx, r)
	})
	return out, err
}

// tellSteps has events written of the moves that a locked room passes on its way
// from a status to the last of some steps. That one is seen by the database itself,
// if it is not where the room came from. None of the others is Off, so each has
// started when the last one has.
func (s *Service) tellSteps(ctx context.Context, tx pgx.Tx, from Status, steps []Room) error {
	last := steps[len(steps)-1]
	if last.Status != from {
		steps = steps[:len(steps)-1]
	}
	if len(steps) == 0 {
		return nil
	}
	p := db.EventDraftMovesParams{ID: last.ID, StartedAt: last.StartedAt}
	for _, step := range steps {
		p.Statuses, p.MovedAt = append(p.Statuses, int16(step.Status)), append(p.MovedAt, step.UpdatedAt)
	}
	return s.q.EventDraftMoves(ctx, tx, p)
}

// move is the table of a room's life, for what its anchor or an administrator wants.
func (r *Room) move(m move) (changed bool, err error) {
	switch {
	case !m.anyone && r.AnchorID != m.caller:
		return false, errNotOwner
	case r.Status == m.to:
		return false, nil
	case r.Status == Off:
		return false, errEnded
	}
	at := m.at.Truncate(time.Microsecond) // as the database will have it
	switch {
	case m.to == On && r.StartedAt == nil:
		r.StartedAt = &at
	case m.to == Off:
		r.StoppedAt = &at
	}
	r.Status, r.UpdatedAt = m.to, at
	return true, nil
}

// keepMoves writes what became of a locked room. When it has ended, whoever
// publishes and plays its streams is to be cut off.
func (s *Service) keepMoves(ctx context.Context, tx pgx.Tx, r Room) error {
	p := db.RoomSetStatusParams{ID: r.ID, Status: int16(r.Status), StartedAt: r.StartedAt, StoppedAt: r.StoppedAt, UpdatedAt: r.UpdatedAt}
	if err := s.q.RoomSetStatus(ctx, tx, p); err != nil || r.Status != Off {
		return err
	}
	return s.endStreams(ctx, tx, r, *r.StoppedAt)
}

// endStreams asks, in the transaction that ends a room, for the end of whoever
// publishes and plays its streams.
func (s *Service) endStreams(ctx context.Context, tx pgx.Tx, r Room, now time.Time) error {
	p := db.RevocationsOfRoomParams{Apps: []string{r.App}, Streams: []string{r.ID}, Now: now}
	if r.MeetingID != "" {
		for _, stream := range s.linkStreams(r.MeetingID, r.AnchorID) {
			p.Apps, p.Streams = append(p.Apps, linkApp), append(p.Streams, stream)
		}
	}
	return s.q.RevocationsOfRoom(ctx, tx, p)
}
