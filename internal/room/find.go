package room

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Search says which rooms are meant, and which page of them.
type Search struct {
	Status *Status // nil: any
	// Text is somewhere in the title, the id, or the anchor's id or name, in any
	// case. Empty means any.
	Text  string
	After string // the cursor of the page before
	Limit int
}

// Overview is a room with what is going on in it.
type Overview struct {
	Room
	Metrics Metrics // by our own count
	OnAir   []OnAir
}

// OnAir is a stream of a room that is being published.
type OnAir struct {
	SessionID         int64
	Node              string
	Stream            media.Stream
	Protocol, Address string
	Since             time.Time
}

// lookAt is how many rooms one page looks for a text in.
const lookAt = 10_000

var errCursor = errs.InvalidField("cursor", "cursor is not the next_cursor of a page")

// Find returns one page of all rooms, the newest first, and the cursor of the
// next one, empty behind the last. A text is looked for in so many rooms for each
// page that a page costs the same however rare it is; it may then have no rooms
// and yet a next one. Errors: Invalid, Unavailable.
func (s *Service) Find(ctx context.Context, q Search) (page []Overview, next string, err error) {
	at, ok := parseCursor(q.After)
	if !ok {
		return nil, "", errCursor
	}
	if err := validUTF8(q.Text); err != nil {
		return nil, "", errs.InvalidField("text", "text is not valid UTF-8").With(err)
	}
	q.Limit = min(max(q.Limit, 1), MaxPage)
	rooms, next, err := s.find(ctx, q, at)
	if err != nil {
		return nil, "", err
	}
	page, err = s.overviews(ctx, rooms)
	return page, next, err
}

func (s *Service) find(ctx context.Context, q Search, at place) ([]Room, string, error) {
	if q.Text == "" {
		return s.findAny(ctx, q, at)
	}
	if r, err := s.Get(ctx, q.Text); err == nil && q.After == "" && (q.Status == nil || r.Status == *q.Status) {
		return []Room{r}, "", nil
	} else if err != nil && errs.KindOf(err) != errs.NotFound {
		return nil, "", err
	}
	return s.findText(ctx, q, at)
}

func (s *Service) findAny(ctx context.Context, q Search, at place) ([]Room, string, error) {
	rows, err := s.q.RoomPage(ctx, s.DB, db.RoomPageParams{Status: filterBy(q.Status).status, BeforeAt: at.at, BeforeID: at.id, RowLimit: int32(q.Limit + 1)})
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	next := ""
	if len(rows) > q.Limit { // one more tells whether another page follows
		rows = rows[:q.Limit]
		next = cursorBehind(rows[q.Limit-1])
	}
	rooms, err := fromRows(rows)
	return rooms, next, err
}

func (s *Service) findText(ctx context.Context, q Search, at place) ([]Room, string, error) {
	found, err := s.q.RoomSearch(ctx, s.DB, db.RoomSearchParams{Text: q.Text, Status: filterBy(q.Status).status, BeforeAt: at.at, BeforeID: at.id,
		LookAt: lookAt, RowLimit: int32(q.Limit)})
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	var rows []db.Room
	for _, f := range found {
		if f.Found {
			rows = append(rows, f.Room)
		}
	}
	next := ""
	if n := len(found); n == q.Limit || n > 0 && found[n-1].Last {
		next = cursorBehind(found[n-1].Room)
	}
	rooms, err := fromRows(rows)
	return rooms, next, err
}

func fromRows(rows []db.Room) ([]Room, error) {
	rooms := make([]Room, len(rows))
	for i, row := range rows {
		var err error
		if rooms[i], err = fromRow(row); err != nil {
			return nil, err
		}
	}
	return rooms, nil
}

// overviews adds figures and streams, with one query for all of each.
func (s *Service) overviews(ctx context.Context, rooms []Room) ([]Overview, error) {
	known, err := s.onRecord(ctx, rooms)
	if err != nil {
		return nil, err
	}
	onAir, err := s.onAir(ctx, rooms)
	if err != nil {
		return nil, err
	}
	out := make([]Overview, len(rooms))
	for i, r := range rooms {
		out[i] = Overview{Room: r, Metrics: known[i].metrics, OnAir: onAir[r.ID]}
	}
	return out, nil
}

// maxOnAir bounds what is published under the names of one page's streams.
const maxOnAir = 1000

func (s *Service) onAir(ctx context.Context, rooms []Room) (map[string][]OnAir, error) {
	roomOf := map[streamKey]string{}
	p := db.SessionsPublishingOfParams{RowLimit: maxOnAir}
	for _, r := range rooms {
		for _, k := range s.streamsOf(r) {
			roomOf[k] = r.ID
			p.Apps, p.Streams = append(p.Apps, k.app), append(p.Streams, k.name)
		}
	}
	out := map[string][]OnAir{}
	if len(roomOf) == 0 {
		return out, nil
	}
	rows, err := s.q.SessionsPublishingOf(ctx, s.DB, p)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	for _, row := range rows {
		id, ok := roomOf[streamKey{row.App, row.Stream}]
		if !ok { // the name of one and the application of another
			continue
		}
		out[id] = append(out[id], OnAir{SessionID: row.ID, Node: row.Node, Stream: media.Stream{Vhost: row.Vhost, App: row.App, Name: row.Stream},
			Protocol: row.Protocol, Address: row.Address, Since: row.StartedAt})
	}
	return out, nil
}

// Inspection is all of a room, as its anchor sees it.
type Inspection struct {
	Detail
	OnAir     []OnAir
	ExpiresAt time.Time // of the URLs
}

// Inspect shows any room with the URLs of its anchor, for administrators, and its
// newest recordings, whatever its state. Errors: NotFound, Unavailable.
func (s *Service) Inspect(ctx context.Context, id string) (Inspection, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return Inspection{}, err
	}
	now := s.Now()
	details, err := s.Describe(ctx, r.AnchorID, r)
	if err != nil {
		return Inspection{}, err
	}
	onAir, err := s.onAir(ctx, []Room{r})
	if err != nil {
		return Inspection{}, err
	}
	out := Inspection{Detail: details[0], OnAir: onAir[r.ID], ExpiresAt: now.Add(s.Links.TTL)}
	if r.Status != Off {
		r.Status = Off // of others no files are listed
		known, err := s.read(ctx, []Room{r})
		if err != nil {
			return Inspection{}, err
		}
		out.Recordings = known[0].files
	}
	return out, nil
}

// A cursor is the place of a room: its time in microseconds, which is what the
// database keeps, and its id.
func cursorBehind(r db.Room) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(r.CreatedAt.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, r.ID...))
}

func parseCursor(text string) (place, bool) {
	if text == "" {
		return theTop, true
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 9 || !rtcID(string(b[8:])) {
		return place{}, false
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(b[:8])))
	return place{at: at, id: string(b[8:])}, at.Year() > 0 && at.Before(theTop.at)
}
