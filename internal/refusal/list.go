package refusal

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Filter says which refusals are meant, and which page of them. An empty text or
// zero time means any.
type Filter struct {
	RequestID string
	// Stream is a name, "app/name" or "vhost/app/name".
	Stream string
	// Client is the id or the address of a client.
	Client string
	Reason media.Reason
	// Since and Until bound the time of the refusal, both included.
	Since, Until time.Time
	After        string // the cursor of the page before
	Limit        int
}

// The bounds of one reading.
const (
	maxPage     = 1000
	readTimeout = 5 * time.Second
)

// The times between which everything happens.
var (
	longAgo = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	farOff  = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
)

var errCursor = errs.InvalidField("cursor", "cursor is not the next_cursor of a page")

// List returns one page of refusals, the newest first, and the cursor of the next
// one, empty behind the last. What was refused in the last second may not be
// there yet. Errors: Invalid, Unavailable.
func (l *Log) List(ctx context.Context, f Filter) (page []Refusal, next string, err error) {
	p, err := f.params(l.Now().Add(-l.Keep))
	if err != nil || p.RowLimit == 0 {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	limit := int(p.RowLimit)
	p.RowLimit++ // one more tells whether another page follows
	rows, err := l.q.RefusalsPage(ctx, l.DB, p)
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = cursor(rows[limit-1])
	}
	page = make([]Refusal, len(rows))
	for i, row := range rows {
		page[i] = fromRow(row)
	}
	return page, next, nil
}

// params leaves out what is older than refusals are kept, even while its day is
// still there.
func (f Filter) params(oldest time.Time) (db.RefusalsPageParams, error) {
	p := db.RefusalsPageParams{RequestID: cleanText(f.RequestID), Client: cleanText(f.Client), Reason: cleanText(string(f.Reason)),
		Since: latest(f.Since, oldest), Until: f.Until, BeforeAt: farOff, RowLimit: int32(min(max(f.Limit, 0), maxPage))}
	st := parseStream(f.Stream)
	p.Vhost, p.App, p.Stream = cleanText(st.Vhost), cleanText(st.App), cleanText(st.Name)
	if f.After != "" {
		var ok bool
		if p.BeforeAt, p.BeforeID, ok = parseCursor(f.After); !ok {
			return p, errCursor
		}
	}
	if f.Until.IsZero() || f.Until.After(p.BeforeAt) {
		p.Until = p.BeforeAt
	}
	return p, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// parseStream reads a stream as media.Stream.String writes it, or its name alone.
func parseStream(text string) media.Stream {
	text = strings.Trim(text, "/")
	slash := strings.LastIndexByte(text, '/')
	st := media.Stream{Name: text[slash+1:]}
	if slash < 0 {
		return st
	}
	st.App = text[:slash]
	// A vhost is a host name or the default one; an application has no dot.
	if vhost, app, ok := strings.Cut(st.App, "/"); ok && (vhost == media.DefaultVhost || strings.Contains(vhost, ".")) {
		st.Vhost, st.App = vhost, app
	}
	return st
}

// A cursor is the place of a row: its time in microseconds, which is what the
// database keeps, and its id.
func cursor(row db.Refusal) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(row.At.UnixMicro()))
	binary.BigEndian.PutUint64(b[8:], uint64(row.ID))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func parseCursor(text string) (at time.Time, id int64, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 16 {
		return at, 0, false
	}
	at, id = time.UnixMicro(int64(binary.BigEndian.Uint64(b))), int64(binary.BigEndian.Uint64(b[8:]))
	return at, id, at.After(longAgo) && at.Before(farOff) && id >= 0
}

func fromRow(r db.Refusal) Refusal {
	return Refusal{At: r.At, RequestID: r.RequestID, Node: r.Node, Action: media.Action(r.Action), Scene: media.Scene(r.Scene),
		Stream: media.Stream{Vhost: r.Vhost, App: r.App, Name: r.Stream}, ClientID: r.ClientID, Address: r.Address, Protocol: r.Protocol,
		Reason: media.Reason(r.Reason), RuleID: r.RuleID, KeyID: r.KeyID, Subject: r.Subject, Repeats: r.Repeats}
}

// trimAtOnce bounds one statement of Trim.
const trimAtOnce = 10_000

// Maintain makes the days that refusals are kept in and drops those that are
// older than they are kept. It is called before Run, and every few hours. Error:
// Unavailable.
func (l *Log) Maintain(ctx context.Context) error {
	return pg.Daily{Table: "refusals", Keep: l.Keep}.Maintain(ctx, l.DB, l.Now())
}

// Trim forgets the oldest refusals of more than a million. Error: Unavailable.
func (l *Log) Trim(ctx context.Context) error {
	for {
		n, err := l.q.RefusalsTrim(ctx, l.DB, db.RefusalsTrimParams{Kept: maxKept, RowLimit: trimAtOnce})
		if err != nil || n < trimAtOnce {
			return pg.Err(err, nil)
		}
	}
}

// Counts are refusals of a time by reason, the most frequent first.
type Counts struct {
	Since   time.Time
	Total   int64
	Reasons []ReasonCount
	// More says that there were so many that only the newest were counted.
	More bool
}

// ReasonCount is how often somebody was refused for a reason.
type ReasonCount struct {
	Reason media.Reason
	N      int64
}

// maxCounted is how many rows are counted.
const maxCounted = 20_000

// Count counts refusals since a moment. Error: Unavailable.
func (l *Log) Count(ctx context.Context, since time.Time) (Counts, error) {
	rows, err := l.q.RefusalCounts(ctx, l.DB, db.RefusalCountsParams{Since: latest(since, l.Now().Add(-l.Keep)), RowLimit: maxCounted})
	if err != nil {
		return Counts{}, pg.Err(err, nil)
	}
	out := Counts{Since: since, Reasons: make([]ReasonCount, len(rows))}
	listed := int64(0)
	for i, r := range rows {
		out.Reasons[i] = ReasonCount{media.Reason(r.Reason), r.Refused}
		out.Total += r.Refused
		listed += r.Listed
	}
	out.More = listed >= maxCounted
	return out, nil
}
