package room

import (
	"context"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// MaxPage is how many rooms a page holds at most; maxCounted is where counting
// them all stops.
const (
	MaxPage    = 100
	maxPageNum = 1_000_000
	maxCounted = 10_000
)

// Page is one page of rooms, newest first. Counting the Total stops one above
// ten thousand, so that a page costs the same in a large table.
type Page struct {
	Rooms []Room
	Total int
}

// List returns page number num (from 1) of size rooms, optionally of one
// status. Out-of-range numbers are clamped.
func (s *Service) List(ctx context.Context, num, size int, status *Status) (Page, error) {
	num, size = min(max(num, 1), maxPageNum), min(max(size, 1), MaxPage)
	var st *int16
	if status != nil {
		v := int16(*status)
		st = &v
	}
	rows, err := s.q.RoomPage(ctx, s.DB, db.RoomPageParams{Status: st, RowLimit: int32(size), RowOffset: int32((num - 1) * size)})
	if err != nil {
		return Page{}, pg.Err(err, nil)
	}
	total, err := s.q.RoomCount(ctx, s.DB, db.RoomCountParams{Status: st, RowLimit: maxCounted + 1})
	if err != nil {
		return Page{}, pg.Err(err, nil)
	}
	p := Page{Rooms: make([]Room, len(rows)), Total: int(total)}
	for i, row := range rows {
		if p.Rooms[i], err = fromRow(row); err != nil {
			return Page{}, err
		}
	}
	return p, nil
}
