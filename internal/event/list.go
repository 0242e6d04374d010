package event

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Log reads what happened.
type Log struct {
	DB  pg.DB
	Now func() time.Time
	// Keep is how long an event can be read.
	Keep time.Duration

	q db.Queries
}

// Filter says which events are meant; what is empty means any.
type Filter struct {
	// Types are types and families, as Expand takes them.
	Types   []string
	Subject string
}

// compiled is a filter whose patterns are known to mean something.
type compiled struct {
	types   []string
	subject string
}

func (f Filter) compile() (compiled, error) {
	c := compiled{types: []string{}, subject: f.Subject}
	if len(f.Types) == 0 {
		return c, nil
	}
	types, err := Expand(f.Types)
	if err != nil {
		return c, errs.InvalidField("type", errs.As(err).Message)
	}
	for _, t := range types {
		c.types = append(c.types, string(t))
	}
	return c, nil
}

func (c compiled) wants(e *Event) bool {
	return (len(c.types) == 0 || slices.Contains(c.types, string(e.Type))) && (c.subject == "" || c.subject == e.Subject)
}

// one is the only type that is wanted, or empty; some are the types where there
// are several.
func (c compiled) one() (one string, some []string) {
	if len(c.types) == 1 {
		return c.types[0], []string{}
	}
	return "", c.types
}

// Page says which page of the events of a filter is meant.
type Page struct {
	Filter
	// Since and Until bound the time of the event, both included; zero: unbounded.
	Since, Until time.Time
	OldestFirst  bool
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

var errCursor = errs.InvalidField("cursor", "cursor is not the next_cursor of a page in this order")

// List returns one page and the cursor of the next one: empty behind the last,
// unless the oldest come first, where it is good for later. What is listed is
// settled: no event with a lower number comes after. Errors: Invalid, Unavailable.
func (l *Log) List(ctx context.Context, p Page) (page []Event, next string, err error) {
	c, err := p.compile()
	if err != nil {
		return nil, "", err
	}
	place, err := p.place()
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	settled, err := l.q.EventsSettled(ctx, l.DB)
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	if p.OldestFirst {
		return l.upwards(ctx, p, c, place, settled)
	}
	return l.downwards(ctx, p, c, place, settled)
}

func (l *Log) upwards(ctx context.Context, p Page, c compiled, place, settled int64) ([]Event, string, error) {
	one, some := c.one()
	since, until := p.times()
	limit := min(max(p.Limit, 1), maxPage)
	rows, err := l.q.EventsAfter(ctx, l.DB, db.EventsAfterParams{After: place, Settled: settled, Type: one, Types: some, Subject: c.subject,
		Since: since, Until: until, RowLimit: int32(limit)})
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	if len(rows) == limit {
		place = rows[limit-1].Number
	} else { // there is no more of them up to here
		place = max(place, settled)
	}
	return fromRows(rows), "o" + strconv.FormatInt(place, 10), nil
}

func (l *Log) downwards(ctx context.Context, p Page, c compiled, place, settled int64) ([]Event, string, error) {
	one, some := c.one()
	since, until := p.times()
	limit := min(max(p.Limit, 1), maxPage)
	rows, err := l.q.EventsBefore(ctx, l.DB, db.EventsBeforeParams{Before: place, Settled: settled, Type: one, Types: some, Subject: c.subject,
		Since: since, Until: until, RowLimit: int32(limit + 1)}) // one more tells whether another page follows
	if err != nil {
		return nil, "", pg.Err(err, nil)
	}
	if len(rows) <= limit {
		return fromRows(rows), "", nil
	}
	rows = rows[:limit]
	return fromRows(rows), "n" + strconv.FormatInt(rows[limit-1].Number, 10), nil
}

// place reads the cursor: the number of the last event before the page.
func (p Page) place() (int64, error) {
	kind, first := "n", int64(math.MaxInt64)
	if p.OldestFirst {
		kind, first = "o", 0
	}
	if p.After == "" {
		return first, nil
	}
	number, err := strconv.ParseUint(p.After[1:], 10, 63)
	if p.After[:1] != kind || err != nil {
		return 0, errCursor
	}
	return int64(number), nil
}

func (p Page) times() (since, until time.Time) {
	since, until = p.Since, p.Until
	if since.IsZero() {
		since = longAgo
	}
	if until.IsZero() {
		until = farOff
	}
	return since, until
}

func fromRows(rows []db.Event) []Event {
	out := make([]Event, len(rows))
	for i, row := range rows {
		out[i] = FromRow(row)
	}
	return out
}

// Maintain makes the days that events are kept in and drops those that are older
// than they are kept. It is called before the first change, and every few hours.
// Error: Unavailable.
func (l *Log) Maintain(ctx context.Context) error {
	return pg.Daily{Table: "events", Keep: l.Keep}.Maintain(ctx, l.DB, l.Now())
}
