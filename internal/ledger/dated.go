package ledger

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Some servers do not name the connection that they speak of: they name a
// stream and say when it began or ended, or that they themselves began anew.
// What they say counts for the moment that they name, not for the one at which
// we hear it, so that every order comes to the same.

// isDated says whether an event is of a server that names no connections.
func isDated(e media.Event) bool {
	return !e.At.IsZero() && (e.Action == media.Publishing || e.Action == media.Unpublished)
}

// moment returns when an event happened.
func moment(e media.Event, now time.Time) time.Time {
	if isDated(e) && e.At.Before(now) {
		return e.At
	}
	return now
}

// followsItself says whether a publisher is the next one of a client that does
// not tell its connections apart, and whose end nobody told. A number that is
// given again is another connection, but for a repetition of the same callback.
func followsItself(holder db.OpenSession, o *op) bool {
	if !sameClient(holder, o.e) {
		return false
	}
	return isDated(o.e) && holder.StartedAt.Before(o.now) || o.e.Serial > 0 && holder.StartedAt.Before(o.now.Add(-remembered))
}

// since is from when on an end is the same as one that is on record: one that
// says when it was is only itself.
func (o *op) since() time.Time {
	if isDated(o.e) {
		return o.now.Add(-time.Microsecond)
	}
	return o.now.Add(-remembered)
}

// overAlready says whether the end of a publisher came before its start. Where
// starts and ends say when they were, that is any end later than it.
func (l *Ledger) overAlready(ctx context.Context, tx pgx.Tx, o *op) (bool, error) {
	if !isDated(o.e) {
		return l.meetsEnd(ctx, tx, o, "")
	}
	return l.q.SessionEndedAfter(ctx, tx, db.SessionEndedAfterParams{At: o.now, Identity: o.id[:]})
}

// endServer ends what a server had before a process of it began, and forgets
// the ends that wait for a start: the new process may use the same ids. More
// than one commit can carry is left to the server's own list.
func (l *Ledger) endServer(ctx context.Context, tx pgx.Tx, o *op) error {
	e, before := o.e, o.now
	if !e.At.IsZero() && e.At.Before(before) {
		before = e.At
	}
	first, last := span(o.id[:serverPart])
	ended, err := l.q.SessionsEndServer(ctx, tx, db.SessionsEndServerParams{First: first, Last: last, EndedAt: o.now, Node: e.Node, ServerID: e.ServerID,
		Before: before, RowLimit: endAtOnce})
	if err != nil {
		return err
	}
	for _, s := range ended {
		if err := l.leaveAir(ctx, tx, s.Scene, media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream}, o.now); err != nil {
			return err
		}
	}
	return l.q.SessionsForgetEarly(ctx, tx, db.SessionsForgetEarlyParams{First: first, Last: last, Before: before})
}

// endAudience ends everybody who plays a stream by one protocol: its server
// says no more of them once the stream is gone.
func (l *Ledger) endAudience(ctx context.Context, tx pgx.Tx, o *op) error {
	e := o.e
	return l.q.SessionsEndAudience(ctx, tx, db.SessionsEndAudienceParams{EndedAt: o.now, Node: e.Node, ServerID: e.ServerID, Protocol: e.Protocol,
		Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
}
