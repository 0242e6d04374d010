package room

import (
	"context"
	"strconv"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// MaxPage is how many rooms a page holds at most; maxCounted is where counting
// them all stops. Up to fewCounted they are counted for each page, more are
// counted once in countFresh.
const (
	MaxPage    = 100
	maxPageNum = 1_000_000
	maxCounted = 10_000
	fewCounted = 1000
	countFresh = time.Second
)

// Page is one page of rooms, newest first. Counting the Total stops one above
// ten thousand, so that a page costs the same in a large table.
type Page struct {
	Rooms []Room
	Total int
}

// filter chooses rooms of one status, or any.
type filter struct{ status *int16 }

func filterBy(status *Status) (f filter) {
	if status != nil {
		v := int16(*status)
		f.status = &v
	}
	return f
}

func (f filter) key() string {
	if f.status == nil {
		return ""
	}
	return strconv.Itoa(int(*f.status))
}

// List returns page number num (from 1) of size rooms, optionally of one
// status. Out-of-range numbers are clamped. A page goes on where the one before
// it ended, if that was read within a minute, and costs the same as the first; see
// places for one that is jumped to. Error: Unavailable.
func (s *Service) List(ctx context.Context, num, size int, status *Status) (Page, error) {
	num, size = min(max(num, 1), maxPageNum), min(max(size, 1), MaxPage)
	f := filterBy(status)
	rooms, err := s.pageAt(ctx, f, (num-1)*size, size)
	if err != nil {
		return Page{}, pg.Err(err, nil)
	}
	total, err := s.totals.get(ctx, f.key(), func(ctx context.Context) (int, time.Duration, error) {
		n, err := s.q.RoomCount(ctx, s.DB, db.RoomCountParams{Status: f.status, RowLimit: maxCounted + 1})
		if n <= fewCounted {
			return int(n), 0, err
		}
		return int(n), countFresh, err
	})
	return Page{Rooms: rooms, Total: total}, pg.Err(err, nil)
}

func (s *Service) pageAt(ctx context.Context, f filter, offset, size int) ([]Room, error) {
	rooms := []Room{}
	p, found, err := s.seek(ctx, f, offset)
	if err != nil || !found {
		return rooms, err
	}
	rows, err := s.q.RoomPage(ctx, s.DB, db.RoomPageParams{Status: f.status, BeforeAt: p.at, BeforeID: p.id, RowLimit: int32(size)})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		r, err := fromRow(row)
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, r)
	}
	if len(rows) == size {
		s.places.put(f, offset+size, place{rows[size-1].CreatedAt, rows[size-1].ID}, s.Now())
	}
	return rooms, nil
}
