package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// LiveStream is a stream that is being published, by the ledger, with what its
// node can tell of it.
type LiveStream struct {
	media.LiveStream
	Publisher Session
	Node      media.Node
	StartedAt time.Time
	Consumers int  // players on record now; Clients is what the node counts
	Told      bool // whether the node told anything
}

// Path returns the path under which lists show the stream.
func (s LiveStream) Path() string { return pathOf(s.Stream) }

// pathOf is what stream_path is in the database.
func pathOf(st media.Stream) string { return "/" + st.String() }

// maxStreamsListed bounds the whole list; pages reach everything.
const maxStreamsListed = 1000

// Streams lists what is being published now, ordered by app and name. A node
// that does not answer leaves zero values; the list itself is the ledger's.
// Error: Unavailable.
func (l *Ledger) Streams(ctx context.Context) ([]LiveStream, error) {
	rows, err := l.q.SessionsLive(ctx, l.DB, maxStreamsListed)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	return l.describe(ctx, rows)
}

// LiveFilter says which running streams are meant, and which page of them. An
// empty text means any; Fuzzy makes App and Stream mean a part of the name in any
// case. After is a path as LiveStream.Path gives it: the page begins behind it.
type LiveFilter struct {
	Vhost, App, Stream, Node string
	Fuzzy                    bool
	After                    string
	Offset, Limit            int
}

// Live lists one page of the running streams in the order of their paths, at
// most a thousand, and how many the filter means in all, whatever the page.
// Only the nodes of that page are asked for statistics. Errors: Invalid,
// Unavailable.
func (l *Ledger) Live(ctx context.Context, f LiveFilter) ([]LiveStream, int64, error) {
	if f.Offset > maxDepth {
		return nil, 0, errTooDeep
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	p := db.SessionsLivePageParams{Vhost: storable(f.Vhost), Node: storable(f.Node), App: storable(f.App), Fuzzy: f.Fuzzy, Stream: storable(f.Stream), After: cleanText(f.After, 3*maxText),
		RowOffset: int32(max(f.Offset, 0)), RowLimit: int32(min(max(f.Limit, 0), maxPage))}
	total, err := l.q.SessionsLiveCount(ctx, l.DB, db.SessionsLiveCountParams{Vhost: p.Vhost, Node: p.Node, App: p.App, Fuzzy: p.Fuzzy, Stream: p.Stream})
	if err != nil || total == 0 || p.RowLimit == 0 {
		return nil, total, pg.Err(err, nil)
	}
	rows, err := l.livePage(ctx, p)
	if err != nil {
		return nil, 0, pg.Err(err, nil)
	}
	page, err := l.describe(ctx, rows)
	return page, total, err
}

// livePage goes on where the page before it ended, if that was read lately.
func (l *Ledger) livePage(ctx context.Context, p db.SessionsLivePageParams) ([]db.OpenSession, error) {
	if p.After != "" { // the caller knows
		return l.q.SessionsLivePage(ctx, l.DB, p)
	}
	now, offset, list := l.Now(), int(p.RowOffset), fmt.Sprintf("%q %q %q %t", p.Vhost, p.App, p.Stream, p.Fuzzy)
	if path, known := l.livePlaces.Get(list, offset, now); known {
		p.After, p.RowOffset = path, 0
	}
	rows, err := l.q.SessionsLivePage(ctx, l.DB, p)
	if n := len(rows); n > 0 {
		l.livePlaces.Put(list, offset+n, pathOf(streamOf(rows[n-1])), now)
	}
	return rows, err
}

// OnAir lists running streams of an application by the record alone, at most
// limit and never more than a thousand. Error: Unavailable.
func (l *Ledger) OnAir(ctx context.Context, app string, limit int) ([]media.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, err := l.q.SessionsLivePage(ctx, l.DB, db.SessionsLivePageParams{App: storable(app), RowLimit: int32(min(max(limit, 0), maxPage))})
	out := make([]media.Stream, len(rows))
	for i, r := range rows {
		out[i] = streamOf(r)
	}
	return out, pg.Err(err, nil)
}

var errNoStream = errs.New(errs.NotFound, "stream_not_found", "no such stream is on air")

// Find returns the running stream at "/app/name" or "/vhost/app/name". A path
// that differs from it in case finds it too, as long as no other stream does.
// Errors: NotFound, Unavailable.
func (l *Ledger) Find(ctx context.Context, path string) (LiveStream, error) {
	path = cleanText(path, 3*maxText)
	if rest, ok := strings.CutPrefix(path, "/"+media.DefaultVhost+"/"); ok {
		path = "/" + rest
	}
	rows, err := l.q.SessionsLiveByPath(ctx, l.DB, path)
	if err != nil {
		return LiveStream{}, pg.Err(err, nil)
	}
	if len(rows) == 0 || len(rows) > 1 && pathOf(streamOf(rows[0])) != path {
		return LiveStream{}, errNoStream
	}
	found, err := l.describe(ctx, rows[:1])
	if err != nil {
		return LiveStream{}, err
	}
	return found[0], nil
}

// describe adds to open publishers who watches them and what their nodes tell.
func (l *Ledger) describe(ctx context.Context, rows []db.OpenSession) ([]LiveStream, error) {
	sts, nodes := make([]media.Stream, len(rows)), map[string]bool{}
	for i, r := range rows {
		sts[i], nodes[r.Node] = streamOf(r), true
	}
	watching, err := l.watching(ctx, sts)
	if err != nil {
		return nil, err
	}
	told := l.ask(ctx, nodes)
	out, publishers := make([]LiveStream, len(rows)), make([]*Session, len(rows))
	for i, r := range rows {
		live := LiveStream{LiveStream: media.LiveStream{Clients: watching[i] + 1}, Publisher: openSession(r), Consumers: watching[i]}
		if stat, ok := told[r.Node][sts[i]]; ok {
			live.LiveStream, live.Told = stat, true
		}
		live.Stream, live.StartedAt = sts[i], live.Publisher.StartedAt
		live.Node, _ = l.Nodes.Get(r.Node)
		out[i], publishers[i] = live, &out[i].Publisher
	}
	return out, l.noteEvictions(ctx, publishers...)
}

func (l *Ledger) watching(ctx context.Context, sts []media.Stream) ([]int, error) {
	out := make([]int, len(sts))
	if len(sts) == 0 {
		return out, nil
	}
	names := split(sts)
	counts, err := l.q.SessionsWatching(ctx, l.DB, db.SessionsWatchingParams{Vhosts: names.vhosts, Apps: names.apps, Streams: names.names})
	for i, n := range counts {
		out[i] = int(n)
	}
	return out, pg.Err(err, nil)
}
