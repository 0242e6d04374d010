package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// The bounds of cutting many off.
const (
	kicksAtOnce = 8
	kickTimeout = 6 * time.Second
)

var errCannotKick = errs.New(errs.Conflict, "cannot_kick", "the media server of this client cannot be told to cut it off")

// KickStream cuts off the publisher of a stream and all who watch it, and
// returns how many connections their nodes still had. The sessions end when the
// nodes say so. Where the publisher cannot be cut off, or a player could be but
// was not, the error says why; viewers without a connection end with the stream.
// Errors: Conflict cannot_kick, BadGateway, Unavailable.
func (l *Ledger) KickStream(ctx context.Context, st media.Stream) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	publisher, err := l.q.SessionPublisher(ctx, l.DB, db.SessionPublisherParams{Vhost: st.Vhost, App: st.App, Stream: st.Name})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, pg.Err(err, nil)
	}
	var t tally
	if err == nil {
		found, err := l.kick(ctx, publisher)
		if err != nil {
			return 0, err
		}
		_ = t.add(found, nil)
	}
	err = l.kickPlayers(ctx, st, &t)
	if err == nil && t.kicked == 0 {
		err = t.cannot
	}
	return t.kicked, err
}

func (l *Ledger) kickPlayers(ctx context.Context, st media.Stream, t *tally) error {
	return l.kickPages(ctx, t, func(after int64) ([]db.Session, error) {
		return l.q.SessionsPlaying(ctx, l.DB, db.SessionsPlayingParams{Vhost: st.Vhost, App: st.App, Stream: st.Name, After: after, RowLimit: maxPage})
	})
}

// KickCredential cuts off everybody who came in by a credential, which opens
// nothing any more, and returns how many connections their nodes still had. Who
// cannot be cut off is passed over: one node that is away must not keep the
// clients of others. Errors, of the last one passed over: Conflict cannot_kick,
// BadGateway; Unavailable.
func (l *Ledger) KickCredential(ctx context.Context, c access.Credential) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	t := tally{patient: true}
	err := l.kickPages(ctx, &t, func(after int64) ([]db.Session, error) {
		return l.q.SessionsByCredential(ctx, l.DB, db.SessionsByCredentialParams{Kind: string(c.Kind), CredentialID: c.ID, After: after, RowLimit: maxPage})
	})
	if err == nil {
		err = t.cannot
	}
	return t.kicked, err
}

// kickPages cuts off all sessions that next returns, one page after the other.
func (l *Ledger) kickPages(ctx context.Context, t *tally, next func(after int64) ([]db.Session, error)) error {
	for after := int64(0); ; {
		rows, err := next(after)
		if err != nil {
			return pg.Err(err, nil)
		}
		var g errgroup.Group
		g.SetLimit(kicksAtOnce)
		for _, row := range rows {
			g.Go(func() error { return t.add(l.kick(ctx, row)) })
		}
		if err := g.Wait(); err != nil || len(rows) < maxPage {
			return err
		}
		after = rows[len(rows)-1].ID
	}
}

// tally counts who was cut off. That one cannot be is no failure as long as
// others can: a viewer without a connection ends with the stream. A patient one
// passes over every failure.
type tally struct {
	patient bool

	mu     sync.Mutex
	kicked int
	cannot error
}

func (t *tally) add(found bool, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found {
		t.kicked++
	}
	if errs.KindOf(err) == errs.Conflict || err != nil && t.patient {
		t.cannot = err
		return nil
	}
	return err
}

// KickSession cuts off one connection of a stream and reports whether there was
// one. Errors: Conflict cannot_kick, BadGateway, Unavailable.
func (l *Ledger) KickSession(ctx context.Context, st media.Stream, id int64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	row, err := l.q.SessionOpen(ctx, l.DB, id)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && streamOf(row) != st {
		return false, nil
	}
	if err != nil {
		return false, pg.Err(err, nil)
	}
	return l.kick(ctx, row)
}

func (l *Ledger) kick(ctx context.Context, row db.Session) (bool, error) {
	n, known := l.Nodes.Get(row.Node)
	kicker := l.Controls[n.Kind].Kicker
	if !known || kicker == nil {
		return false, errCannotKick
	}
	found, err := kicker.Kick(ctx, n, media.Client{ID: row.ClientID, Stream: streamOf(row), Address: row.Address, Protocol: row.Protocol})
	attrs := []any{"node", row.Node, "stream", streamOf(row).String(), "scene", row.Scene, "client_id", row.ClientID}
	if err != nil {
		l.Log.WarnContext(ctx, "not kicked", append(attrs, "error", err)...)
	} else {
		l.Log.InfoContext(ctx, "kicked", append(attrs, "found", found)...)
	}
	return found, err
}
