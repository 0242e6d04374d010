package ledger

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// SessionFilter says which sessions are meant, and which page of them. An empty
// text or zero time means any.
type SessionFilter struct {
	Ended         bool // those that have ended, and not those that are open
	Scene         media.Scene
	Stream        media.Stream
	Node, Subject string
	Credential    access.CredentialKind
	Since, Until  time.Time // of the end, both included
	After         string    // the cursor of the page before
	Limit         int
}

// lookAt is how many ended sessions one page of a filtered list looks at.
const lookAt = 20_000

var errCursor = errs.InvalidField("cursor", "cursor is not the next_cursor of a page")

// Sessions returns one page of sessions, at most a thousand, and the cursor of the
// next one, empty behind the last: of open ones the newest first, of ended ones
// the last that ended. Errors: Invalid, Unavailable.
func (l *Ledger) Sessions(ctx context.Context, f SessionFilter) (page []Session, next string, err error) {
	f.Limit = min(max(f.Limit, 1), maxPage)
	f.Stream = media.Stream{Vhost: storable(f.Stream.Vhost), App: storable(f.Stream.App), Name: storable(f.Stream.Name)}
	f.Node, f.Subject, f.Credential = storable(f.Node), storable(f.Subject), access.CredentialKind(storable(string(f.Credential)))
	at, id, ok := parseCursor(f.After)
	if !ok {
		return nil, "", errCursor
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	switch {
	case !f.Ended:
		return l.openPage(ctx, f, id)
	case f.any():
		return l.endedNewest(ctx, f, at, id)
	}
	return l.endedPage(ctx, f, at, id)
}

func (f SessionFilter) any() bool {
	return f.Scene == "" && f.Stream == media.Stream{} && f.Node == "" && f.Subject == "" && f.Credential == ""
}

func (l *Ledger) openPage(ctx context.Context, f SessionFilter, before int64) ([]Session, string, error) {
	rows, err := l.q.SessionsOpenPage(ctx, l.DB, db.SessionsOpenPageParams{Before: before, Scene: string(f.Scene), Vhost: f.Stream.Vhost, App: f.Stream.App,
		Stream: f.Stream.Name, Node: f.Node, CredentialKind: string(f.Credential), Subject: f.Subject, RowLimit: int32(f.Limit + 1)})
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	next := ""
	if len(rows) > f.Limit { // one more tells whether another page follows
		rows = rows[:f.Limit]
		next = cursorOf(time.Time{}, rows[f.Limit-1].ID)
	}
	page, found := make([]Session, len(rows)), make([]*Session, len(rows))
	for i, row := range rows {
		page[i] = openSession(row)
		found[i] = &page[i]
	}
	return page, next, l.noteEvictions(ctx, found...)
}

func (f SessionFilter) times() (since, until time.Time) {
	since, until = f.Since, f.Until
	if since.Before(longAgo) {
		since = longAgo
	}
	if until.IsZero() || until.After(farOff) {
		until = farOff
	}
	return since, until
}

func (l *Ledger) endedNewest(ctx context.Context, f SessionFilter, at time.Time, id int64) ([]Session, string, error) {
	since, until := f.times()
	rows, err := l.q.SessionsEndedNewest(ctx, l.DB, db.SessionsEndedNewestParams{Since: since, Until: until, BeforeAt: at, BeforeID: id, RowLimit: int32(f.Limit + 1)})
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	next := ""
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		next = cursorOf(rows[f.Limit-1].EndedAt, rows[f.Limit-1].ID)
	}
	page := make([]Session, len(rows))
	for i, row := range rows {
		page[i] = endedSession(row)
	}
	return page, next, nil
}

func (l *Ledger) endedPage(ctx context.Context, f SessionFilter, at time.Time, id int64) (page []Session, next string, err error) {
	since, until := f.times()
	rows, err := l.q.SessionsEndedPage(ctx, l.DB, db.SessionsEndedPageParams{Since: since, Until: until, BeforeAt: at, BeforeID: id, LookAt: lookAt,
		Scene: string(f.Scene), Vhost: f.Stream.Vhost, App: f.Stream.App, Stream: f.Stream.Name, Node: f.Node, CredentialKind: string(f.Credential),
		Subject: f.Subject, RowLimit: int32(f.Limit)})
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	page = []Session{}
	for _, row := range rows {
		if row.Found {
			page = append(page, endedSession(row.EndedSession))
		}
	}
	if n := len(rows); n == f.Limit || n > 0 && rows[n-1].Last {
		next = cursorOf(rows[n-1].EndedSession.EndedAt, rows[n-1].EndedSession.ID)
	}
	return page, next, nil
}

// A cursor is the place of a session: its end in microseconds, which is what the
// database keeps, and its id. An open one has no end.
func cursorOf(at time.Time, id int64) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, uint64(id)))
}

func parseCursor(text string) (at time.Time, id int64, ok bool) {
	if text == "" {
		return farOff, math.MaxInt64, true
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 16 {
		return at, 0, false
	}
	at, id = time.UnixMicro(int64(binary.BigEndian.Uint64(b))), int64(binary.BigEndian.Uint64(b[8:]))
	return at, id, !at.Before(longAgo) && at.Before(farOff) && id >= 0
}
