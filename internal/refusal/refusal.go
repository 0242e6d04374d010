// Package refusal remembers for a while who was refused and why, so that the
// owner of a stream can be told.
//
// Refusals are kept beside the answer, never before it: Note puts one into a
// bounded list in memory, and Run writes the list down each second. A process
// that dies loses what it noted in its last second. A flood is counted more than
// it is kept: of one stream only a few refusals a second have a row, which counts
// the others, and beyond a few hundred rows a second the newest are dropped.
package refusal

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Refusal is one refusal, without what the client put into its query.
type Refusal struct {
	At        time.Time
	RequestID string // of the media server's callback
	Node      string
	Action    media.Action
	Scene     media.Scene
	Stream    media.Stream
	ClientID  string
	Address   string // the client's; of an unauthenticated callback, its source
	Protocol  string
	Reason    media.Reason
	RuleID    int64  // of the signature that was refused; zero if none
	KeyID     string // of that signature, where it is known
	Subject   string // whose token it was
	// Repeats counts further refusals of the stream in the same second.
	Repeats int64
}

// Config lists what a Log depends on.
type Config struct {
	DB  pg.DB
	Now func() time.Time
	Log *slog.Logger
	// Keep is how long a refusal can be found.
	Keep time.Duration
	// Dropped is told how many refusals are neither kept nor counted with
	// another one. It must not block.
	Dropped func(n int64)
}

// Log keeps refusals.
type Log struct {
	Config
	q       *db.Queries
	outages *outage.Log

	flushing sync.Mutex // held while a list is written

	mu      sync.Mutex
	pending []Refusal
	streams map[streamKey]*streamState
}

// The bounds of what is kept: rows of one stream, and in all, between two
// writings, which are a second apart; and rows in the table.
const (
	perStream  = 5
	maxPending = 256
	maxKept    = 1_000_000
	every      = time.Second
)

// streamKey is what refusals are counted together by. Callbacks of nobody knows
// whom have no stream and are told apart by where they come from.
type streamKey struct {
	stream media.Stream
	scene  media.Scene
	source string
}

type streamState struct {
	kept int // rows in pending
	last int // the newest of them
}

// New returns a Log that writes once Run runs.
func New(c Config) *Log {
	if c.Dropped == nil {
		c.Dropped = func(int64) {}
	}
	return &Log{Config: c, q: db.New(), outages: outage.New(c.Log, c.Now), streams: map[streamKey]*streamState{}}
}

// Note keeps a refusal. It never waits for the database.
func (l *Log) Note(r Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(r.clean())
}

// note also takes a refusal that counts others, which is one that could not be
// written.
func (l *Log) note(r Refusal) {
	key := streamKey{stream: r.Stream, scene: r.Scene}
	if r.Stream.Name == "" {
		key.source = r.Address
	}
	st := l.streams[key]
	switch {
	case st != nil && st.kept >= perStream:
		l.pending[st.last].Repeats += 1 + r.Repeats
		return
	case len(l.pending) >= maxPending:
		l.Dropped(1 + r.Repeats)
		return
	}
	if st == nil {
		st = &streamState{}
		l.streams[key] = st
	}
	st.kept, st.last = st.kept+1, len(l.pending)
	l.pending = append(l.pending, r)
}

// Run writes until ctx ends, then what is left.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.flush(ctx)
		case <-ctx.Done():
			l.flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// writeTimeout bounds one writing.
const writeTimeout = 5 * time.Second

func (l *Log) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	l.outages.Note(ctx, unwritten, "", l.Flush(ctx))
}

var unwritten = outage.Words{Begins: "refusals not written yet", Ends: "refusals are written again"}

// Flush writes what is in memory. What cannot be written stays there for the
// next call, and goes on counting: while the database is away a stream has a few
// rows in all. Error: Unavailable.
func (l *Log) Flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	rows := l.take()
	if len(rows) == 0 {
		return nil
	}
	err := l.q.RefusalsInsert(ctx, l.DB, columns(rows))
	if err != nil {
		l.putBack(rows)
	}
	return pg.Err(err, nil)
}

func (l *Log) take() []Refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.pending
	l.pending = nil
	clear(l.streams)
	return taken
}

func (l *Log) putBack(rows []Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	newer := l.pending
	l.pending = nil
	clear(l.streams)
	for _, r := range append(rows, newer...) {
		l.note(r)
	}
}

// clean makes texts storable and fit to be shown: valid UTF-8 without control
// characters, bounded. A query that
// came as part of a name, because somebody escaped its "?", is cut off.
func (r Refusal) clean() Refusal {
	for _, p := range []*string{&r.Stream.Vhost, &r.Stream.App, &r.Stream.Name, &r.Address} {
		*p = media.WithoutQuery(*p)
	}
	for _, p := range []*string{&r.RequestID, &r.Node, &r.Stream.Vhost, &r.Stream.App, &r.Stream.Name, &r.ClientID, &r.Address, &r.Protocol,
		&r.KeyID, &r.Subject} {
		*p = cleanText(*p)
	}
	return r
}

const maxText = 512

func cleanText(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func columns(rows []Refusal) (p db.RefusalsInsertParams) {
	for _, r := range rows {
		p.At, p.RequestID, p.Node = append(p.At, r.At), append(p.RequestID, r.RequestID), append(p.Node, r.Node)
		p.Action, p.Scene = append(p.Action, string(r.Action)), append(p.Scene, string(r.Scene))
		p.Vhost, p.App, p.Stream = append(p.Vhost, r.Stream.Vhost), append(p.App, r.Stream.App), append(p.Stream, r.Stream.Name)
		p.ClientID, p.Address, p.Protocol = append(p.ClientID, r.ClientID), append(p.Address, r.Address), append(p.Protocol, r.Protocol)
		p.Reason, p.RuleID, p.KeyID = append(p.Reason, string(r.Reason)), append(p.RuleID, r.RuleID), append(p.KeyID, r.KeyID)
		p.Subject, p.Repeats = append(p.Subject, r.Subject), append(p.Repeats, r.Repeats)
	}
	return p
}
