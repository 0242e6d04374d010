package room

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/paging"
)

// place is behind a room of a list that has the newest first.
type place struct {
	at time.Time
	id string
}

// theTop is before every room.
var theTop = place{at: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// places remembers how far into a list some places are: those at which pages
// ended, where the next ones begin, and a milestone every so many rooms. The
// numbers of pages become cursors that way. Like those, they stay with their rooms
// when new ones come; after a minute they are forgotten, and the numbers count
// from the newest room again.
//
// A page that is jumped to is looked for from the last milestone before it, by
// steps from milestone to milestone where those are not known: each is one bounded
// statement that reads nothing but an index, and only one caller at a time makes
// them.
type places struct {
	milestone int
	known     *paging.Places[place]
	walking   chan struct{} // taken by who steps
}

const milestone = 10_000

func newPlaces() *places {
	return &places{milestone: milestone, known: paging.New[place](), walking: make(chan struct{}, 1)}
}

func (p *places) put(f filter, offset int, at place, now time.Time) {
	p.known.Put(f.key(), offset, at, now)
}

func (p *places) get(f filter, offset int, now time.Time) (place, bool) {
	if offset == 0 {
		return theTop, true
	}
	return p.known.Get(f.key(), offset, now)
}

// before returns the last known milestone up to offset.
func (p *places) before(f filter, offset int, now time.Time) (at place, known int) {
	for known = offset - offset%p.milestone; ; known -= p.milestone {
		if at, ok := p.get(f, known, now); ok {
			return at, known
		}
	}
}

// seek returns the place behind the first offset rooms, if there are so many.
func (s *Service) seek(ctx context.Context, f filter, offset int) (at place, found bool, err error) {
	now := s.Now()
	if at, found = s.places.get(f, offset, now); found {
		return at, true, nil
	}
	at, known := s.places.before(f, offset, now)
	if offset-known > s.places.milestone {
		select {
		case s.places.walking <- struct{}{}:
			defer func() { <-s.places.walking }()
		case <-ctx.Done():
			return at, false, ctx.Err()
		}
		at, known = s.places.before(f, offset, now) // somebody else may have been there meanwhile
	}
	for known < offset {
		step := min(offset-known, s.places.milestone)
		row, err := s.q.RoomSkip(ctx, s.DB, db.RoomSkipParams{Status: f.status, BeforeAt: at.at, BeforeID: at.id, RowOffset: int32(step - 1)})
		if errors.Is(err, pgx.ErrNoRows) {
			return at, false, nil
		}
		if err != nil {
			return at, false, err
		}
		at, known = place{row.CreatedAt, row.ID}, known+step
		s.places.put(f, known, at, now)
	}
	return at, true, nil
}
