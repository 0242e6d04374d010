package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Session is one publisher or player connection on a node, as it is on record.
type Session struct {
	ID       int64
	Node     string
	ClientID string // as the node's server counts or names its connections
	Scene    media.Scene
	Stream   media.Stream
	Address  string
	Protocol string // rtmp, http-flv, hls, srt, webrtc; "" if unknown
	Subject  string // whose credential admitted it; "" if none
	// ServerID and Serial are as in media.Event.
	ServerID string
	Serial   int64
	// Credential is the kind of what admitted it; "" if nobody did, which is so
	// while Refused says why it is to be cut off.
	Credential access.CredentialKind
	Refused    media.Reason
	EndReason  string
	StartedAt  time.Time
	EndedAt    *time.Time // nil while it is open
	// BytesIn and BytesOut are known once it has ended, and of servers that tell.
	BytesIn, BytesOut int64
	// Eviction is of a session that is to be cut off; nil for the others.
	Eviction *Eviction
	// SeenAt is when a callback last said that it runs; zero if none did.
	SeenAt time.Time
}

// Eviction is how cutting a session off goes.
type Eviction struct {
	State string // "wanted", or "impossible" where the node cannot be told to
	// Reason says why it is to end, and Fault why it has not; both are stable or
	// safe texts.
	Reason, Fault string
	Since         time.Time
	Tries         int
}

// noteEvictions tells of each session whether it is to be cut off.
func (l *Ledger) noteEvictions(ctx context.Context, sessions ...*Session) error {
	ids := make([]int64, len(sessions))
	for i, s := range sessions {
		ids[i] = s.ID
	}
	rows, err := l.q.EvictionsOf(ctx, l.DB, ids)
	if err != nil {
		return pg.Err(err, nil)
	}
	byID := make(map[int64]db.Eviction, len(rows))
	for _, r := range rows {
		byID[r.SessionID] = r
	}
	for _, s := range sessions {
		if r, ok := byID[s.ID]; ok {
			s.Eviction = &Eviction{State: r.State, Reason: r.Reason, Fault: r.Error, Since: r.AskedAt, Tries: int(r.Tries)}
		}
	}
	return nil
}

func openSession(row db.OpenSession) Session {
	s := Session{ID: row.ID, Node: row.Node, ClientID: row.ClientID, Scene: media.Scene(row.Scene), Stream: streamOf(row), Address: row.Address,
		Protocol: row.Protocol, Subject: row.Subject, StartedAt: row.StartedAt, BytesIn: row.BytesIn, BytesOut: row.BytesOut,
		ServerID: row.ServerID, Serial: row.Serial, Credential: access.CredentialKind(row.CredentialKind), Refused: media.Reason(row.Refused)}
	if row.SeenAt != nil {
		s.SeenAt = *row.SeenAt
	}
	return s
}

func endedSession(row db.EndedSession) Session {
	s := Session{ID: row.ID, Node: row.Node, ClientID: row.ClientID, Scene: media.Scene(row.Scene), Address: row.Address, Protocol: row.Protocol,
		Stream: media.Stream{Vhost: row.Vhost, App: row.App, Name: row.Stream}, Subject: row.Subject, StartedAt: row.StartedAt, EndedAt: &row.EndedAt,
		EndReason: row.EndReason, BytesIn: row.BytesIn, BytesOut: row.BytesOut, ServerID: row.ServerID, Serial: row.Serial,
		Credential: access.CredentialKind(row.CredentialKind), Refused: media.Reason(row.Refused)}
	if row.SeenAt != nil {
		s.SeenAt = *row.SeenAt
	}
	return s
}

// The bounds of one reading.
const (
	maxPage      = 1000
	maxConsumers = 10_000  // over all streams of one reading
	maxDepth     = 100_000 // how far an offset reaches, and how far is counted
	readTimeout  = 5 * time.Second
)

var errTooDeep = errs.InvalidField("offset", "that is too far into the list: narrow the filter")

// Consumers lists who watches a stream now, the longest first, at most limit
// and never more than a thousand. Error: Unavailable.
func (l *Ledger) Consumers(ctx context.Context, st media.Stream, limit int) ([]Session, error) {
	all, err := l.ConsumersOf(ctx, []media.Stream{st}, limit)
	return all[st], err
}

// ConsumersOf does what Consumers does for many streams at once: at most limit
// of each, and fewer of each where the streams are so many that all of them
// together would be more than ten thousand. Error: Unavailable.
func (l *Ledger) ConsumersOf(ctx context.Context, sts []media.Stream, limit int) (map[media.Stream][]Session, error) {
	if len(sts) == 0 || limit <= 0 {
		return map[media.Stream][]Session{}, nil
	}
	sts = sts[:min(len(sts), maxPage)]
	limit = min(limit, maxPage, maxConsumers/len(sts))
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	names := split(sts)
	rows, err := l.q.SessionsConsumers(ctx, l.DB, db.SessionsConsumersParams{Vhosts: names.vhosts, Apps: names.apps, Streams: names.names, RowLimit: int32(limit)})
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	all, found := make([]Session, len(rows)), make([]*Session, len(rows))
	for i, row := range rows {
		all[i] = openSession(row)
		found[i] = &all[i]
	}
	if err := l.noteEvictions(ctx, found...); err != nil {
		return nil, err
	}
	out := make(map[media.Stream][]Session, len(sts))
	for _, s := range all {
		out[s.Stream] = append(out[s.Stream], s)
	}
	return out, nil
}

// columns are streams as the database takes many of them.
type columns struct{ vhosts, apps, names []string }

func split(sts []media.Stream) (c columns) {
	for _, st := range sts {
		c.vhosts, c.apps, c.names = append(c.vhosts, st.Vhost), append(c.apps, st.App), append(c.names, st.Name)
	}
	return c
}

// ClosedFilter says which ended broadcasts are meant. An empty text or zero time
// means any; Fuzzy makes App and Stream mean a part of the name in any case.
// From and To bound the end, both included. Order is by the end, ascending or
// descending.
type ClosedFilter struct {
	Vhost, App, Stream string
	Fuzzy, Descending  bool
	From, To           time.Time
	Offset, Limit      int
}

// Closed lists one page of ended publisher sessions, at most a thousand, and
// how many there are in all, counted up to a hundred thousand; no offset goes
// beyond that. Errors: Invalid, Unavailable.
func (l *Ledger) Closed(ctx context.Context, f ClosedFilter) ([]Session, int64, error) {
	if f.Offset > maxDepth {
		return nil, 0, errTooDeep
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	p := f.params()
	total, err := l.q.SessionsClosedCount(ctx, l.DB, db.SessionsClosedCountParams{Since: p.Since, Until: p.Until, Vhost: p.Vhost, App: p.App,
		Fuzzy: p.Fuzzy, Stream: p.Stream, RowLimit: maxDepth})
	if err != nil || total == 0 || p.RowLimit == 0 {
		return nil, total, pg.Err(err, nil)
	}
	rows, err := l.closedPage(ctx, f, p)
	out := make([]Session, len(rows))
	for i, row := range rows {
		out[i] = endedSession(row)
	}
	return out, total, pg.Err(err, nil)
}

// closedPlace is that of an ended session in the list of them.
type closedPlace struct {
	at time.Time
	id int64
}

// closedPage goes on where the page before it ended, if that was read lately.
func (l *Ledger) closedPage(ctx context.Context, f ClosedFilter, p db.SessionsClosedParams) (rows []db.EndedSession, err error) {
	now, offset, list := l.Now(), int(p.RowOffset), fmt.Sprintf("%q %q %q %t %t %d %d", p.Vhost, p.App, p.Stream, p.Fuzzy, f.Descending, p.Since.UnixMicro(), p.Until.UnixMicro())
	at, known := l.closedPlaces.Get(list, offset, now)
	if known {
		p.RowOffset = 0
	}
	if f.Descending {
		newest := db.SessionsClosedNewestParams{Since: p.Since, Until: p.Until, BeforeID: math.MaxInt64, Vhost: p.Vhost, App: p.App, Fuzzy: p.Fuzzy,
			Stream: p.Stream, RowOffset: p.RowOffset, RowLimit: p.RowLimit}
		if known {
			newest.Until, newest.BeforeID = at.at, at.id
		}
		rows, err = l.q.SessionsClosedNewest(ctx, l.DB, newest)
	} else {
		if known {
			p.Since, p.AfterID = at.at, at.id
		}
		rows, err = l.q.SessionsClosed(ctx, l.DB, p)
	}
	if n := len(rows); n > 0 {
		l.closedPlaces.Put(list, offset+n, closedPlace{rows[n-1].EndedAt, rows[n-1].ID}, now)
	}
	return rows, err
}

// The times between which everything happens.
var (
	longAgo = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	farOff  = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (f ClosedFilter) params() db.SessionsClosedParams {
	p := db.SessionsClosedParams{Since: f.From, Until: f.To, Vhost: storable(f.Vhost), App: storable(f.App), Fuzzy: f.Fuzzy, Stream: storable(f.Stream),
		RowOffset: int32(max(f.Offset, 0)), RowLimit: int32(min(max(f.Limit, 0), maxPage))}
	if f.From.Before(longAgo) {
		p.Since = longAgo
	}
	if f.To.IsZero() || f.To.After(farOff) {
		p.Until = farOff
	}
	return p
}

// storable makes the text of a filter one that the database takes. What is
// changed by it matches nothing, as it would have anyway.
func storable(s string) string { return cleanText(s, maxText) }
