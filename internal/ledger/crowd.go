package ledger

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Players come and go in crowds: by far the most of what a batch holds is the
// starts of players, the ends of playing and publishing, and the ends of connections. Each
// of these goes in one statement, whatever the order in which they arrived, as
// what is about different connections can be done in any order.
type crowd struct {
	starts, unpublishes, stops, closes []*op
	// latest is the last step in which each connection takes part.
	latest map[connection]step
}

// step is one of the statements, in their order.
type step int

const (
	alone step = iota // not in a crowd
	starting
	unpublishing
	stopping
	closing
)

// stepOf says in which statement an op can go along.
func stepOf(o *op) step {
	switch {
	case o.gone != nil || o.undo || o.refused() || o.e.ClientID == "":
		return alone
	case o.e.Action == media.Playing:
		return starting
	case o.e.Action == media.Unpublished:
		return unpublishing
	case o.e.Action == media.Stopped:
		return stopping
	case o.e.Action == media.Disconnected:
		return closing
	}
	return alone
}

// takes says whether an op can join: nothing that comes after it is done before
// it, and no end is there twice. Of a start that is there twice the first counts.
func (c *crowd) takes(o *op, s step) bool {
	before, known := c.latest[o.id.connection()]
	return !known || before < s || before == starting && s == starting
}

func (c *crowd) add(o *op, s step) {
	if c.latest == nil {
		c.latest = map[connection]step{}
	}
	c.latest[o.id.connection()] = s
	o.verdict, o.victim = media.Verdict{Allow: true, Reason: media.Allowed}, 0
	switch s {
	case starting:
		o.verdict.Reason = o.d.Reason
		c.starts = append(c.starts, o)
	case unpublishing:
		c.unpublishes = append(c.unpublishes, o)
	case stopping:
		c.stops = append(c.stops, o)
	case closing:
		c.closes = append(c.closes, o)
	}
}

// apply writes a batch in the order of arrival, as far as that matters. Whatever
// it notes in an op is noted again, the same, when the batch is written again.
func (l *Ledger) apply(ctx context.Context, tx pgx.Tx, batch []*op, again bool) error {
	var c crowd
	for _, o := range batch {
		s := stepOf(o)
		if s == alone || !c.takes(o, s) {
			if err := l.applyCrowd(ctx, tx, &c, again); err != nil {
				return err
			}
			c = crowd{}
		}
		if s != alone {
			c.add(o, s)
		} else if err := l.applyOne(ctx, tx, o); err != nil {
			return &opError{o, err}
		}
	}
	return l.applyCrowd(ctx, tx, &c, again)
}

func (l *Ledger) applyCrowd(ctx context.Context, tx pgx.Tx, c *crowd, again bool) error {
	open := l.openPlayers
	if again {
		open = l.openPlayersAgain
	}
	if err := open(ctx, tx, c.starts); err != nil {
		return err
	}
	if err := l.endPublishers(ctx, tx, c.unpublishes); err != nil {
		return err
	}
	if err := l.endPlayers(ctx, tx, c.stops); err != nil {
		return err
	}
	return l.endClients(ctx, tx, c.closes)
}

// openPlayers opens sessions for players of whom nobody has heard before.
func (l *Ledger) openPlayers(ctx context.Context, tx pgx.Tx, ops []*op) error {
	if len(ops) == 0 {
		return nil
	}
	if err := l.endRenumbered(ctx, tx, ops); err != nil {
		return err
	}
	_, err := l.q.SessionsAdd(ctx, tx, players(ops))
	return err
}

// players are the rows of starts, each once. They are in the order of identities:
// processes that write the same at one moment wait for each other and not in a
// circle, and an index is walked through once.
func players(ops []*op) []db.SessionsAddParams {
	rows, seen := make([]db.SessionsAddParams, 0, len(ops)), make(map[identity]struct{}, len(ops))
	for _, o := range ops {
		if _, twice := seen[o.id]; twice {
			continue
		}
		seen[o.id] = struct{}{}
		e, by := &o.e, &o.d.Credential
		rows = append(rows, db.SessionsAddParams{Identity: o.id[:], Node: e.Node, ServerID: e.ServerID, ClientID: e.ClientID, Serial: e.Serial, Scene: string(media.Play),
			Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name, Address: e.Address, Protocol: e.Protocol,
			CredentialKind: string(by.Kind), CredentialID: by.ID, Subject: by.Subject, StartedAt: o.now})
	}
	slices.SortFunc(rows, func(a, b db.SessionsAddParams) int { return bytes.Compare(a.Identity, b.Identity) })
	return rows
}

// addStarts writes starts in a transaction of their own. This is what nearly all
// callbacks come to, so it has a short way where there is one.
func (l *Ledger) addStarts(ctx context.Context, starts []db.SessionsAddParams) error {
	to := db.DBTX(l.DB)
	if pool, ok := l.DB.(*pgxpool.Pool); ok {
		l.copier.Pool = pool
		to = &l.copier
	}
	_, err := l.q.SessionsAdd(ctx, to, starts)
	return err
}

// isOnRecord says whether a statement failed because a player is on record.
func isOnRecord(err error) bool {
	const uniqueViolation = "23505"
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == uniqueViolation && pgErr.ConstraintName == "open_sessions_identity"
}

// openPlayersAgain opens sessions for those players who have none yet.
func (l *Ledger) openPlayersAgain(ctx context.Context, tx pgx.Tx, ops []*op) error {
	if len(ops) == 0 {
		return nil
	}
	if err := l.endRenumbered(ctx, tx, ops); err != nil {
		return err
	}
	p := db.SessionsOpenPlayParams{Since: ops[0].now.Add(-remembered)}
	for _, r := range players(ops) {
		p.Identity, p.Node, p.ServerID, p.ClientID = append(p.Identity, r.Identity), append(p.Node, r.Node), append(p.ServerID, r.ServerID), append(p.ClientID, r.ClientID)
		p.Serial, p.Vhost, p.App, p.Stream = append(p.Serial, r.Serial), append(p.Vhost, r.Vhost), append(p.App, r.App), append(p.Stream, r.Stream)
		p.Address, p.Protocol = append(p.Address, r.Address), append(p.Protocol, r.Protocol)
		p.CredentialKind, p.CredentialID = append(p.CredentialKind, r.CredentialKind), append(p.CredentialID, r.CredentialID)
		p.Subject, p.StartedAt = append(p.Subject, r.Subject), append(p.StartedAt, r.StartedAt)
	}
	return l.q.SessionsOpenPlay(ctx, tx, p)
}

// numbered says whether a connection's number may be given again.
func numbered(o *op) bool { return o.e.Serial > 0 }

// endRenumbered ends players whose number has been given again, to a player of
// the same stream: only a server that counts from one at each start does that.
func (l *Ledger) endRenumbered(ctx context.Context, tx pgx.Tx, ops []*op) error {
	if !slices.ContainsFunc(ops, numbered) {
		return nil
	}
	p := db.SessionsEndRenumberedParams{Before: ops[0].now.Add(-remembered)}
	for _, o := range ops {
		p.Identity, p.Serial, p.StartedAt = append(p.Identity, o.id[:]), append(p.Serial, o.e.Serial), append(p.StartedAt, o.now)
	}
	return l.q.SessionsEndRenumbered(ctx, tx, p)
}

// endPlayers ends the sessions of players who stopped.
func (l *Ledger) endPlayers(ctx context.Context, tx pgx.Tx, ops []*op) error {
	_, err := l.end(ctx, tx, ops, media.Stopped)
	return err
}

// endPublishers ends the sessions of publishers who stopped, and takes their rooms
// off air.
func (l *Ledger) endPublishers(ctx context.Context, tx pgx.Tx, ops []*op) error {
	ended, err := l.end(ctx, tx, ops, media.Unpublished)
	if err != nil {
		return err
	}
	for _, o := range ended {
		if err := l.leaveAir(ctx, tx, string(media.Publish), o.e.Stream, o.now); err != nil {
			return &opError{o, err}
		}
	}
	return nil
}

// end ends sessions, remembers those ends that came first, and returns the others.
func (l *Ledger) end(ctx context.Context, tx pgx.Tx, ops []*op, reason media.Action) (ended []*op, err error) {
	if len(ops) == 0 {
		return nil, nil
	}
	p := db.SessionsEndParams{EndReason: string(reason)}
	for _, o := range ops {
		p.Identity, p.EndedAt, p.Before = append(p.Identity, o.id[:]), append(p.EndedAt, o.now), append(p.Before, o.before())
	}
	ids, err := l.q.SessionsEnd(ctx, tx, p)
	if err != nil || len(ids) == len(ops) {
		return ops, err
	}
	found := make(map[identity]bool, len(ids))
	for _, id := range ids {
		found[identity(id)] = true
	}
	var missed []*op
	for _, o := range ops {
		switch {
		case found[o.id]:
			ended = append(ended, o)
		case o.e.Stream.Name != "": // else of a client that never said what it wants
			missed = append(missed, o)
		}
	}
	return ended, l.bury(ctx, tx, missed)
}

// endClients ends whatever connections carried. The end of a connection that
// nothing is known of is remembered where its number is never used again.
func (l *Ledger) endClients(ctx context.Context, tx pgx.Tx, ops []*op) error {
	if len(ops) == 0 {
		return nil
	}
	ended, err := l.q.SessionsEndClients(ctx, tx, gone(ops))
	if err != nil {
		return err
	}
	found := make(map[connection]bool, len(ended))
	for _, s := range ended {
		found[connection(s.Identity[:connectionPart])] = true
		if !s.WasOpen {
			continue
		}
		if err := l.leaveAir(ctx, tx, s.Scene, media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream}, ops[len(ops)-1].now); err != nil {
			return err
		}
	}
	var missed []*op
	for _, o := range ops {
		if !found[o.id.connection()] && o.e.Serial == 0 {
			missed = append(missed, o)
		}
	}
	return l.bury(ctx, tx, missed)
}

func gone(ops []*op) (p db.SessionsEndClientsParams) {
	p.Earliest = farOff
	for _, o := range ops {
		first, last := span(o.id[:connectionPart])
		since := o.now.Add(-remembered)
		p.Connection, p.Last = append(p.Connection, first), append(p.Last, last)
		p.EndedAt, p.Before, p.Since = append(p.EndedAt, o.endedAt()), append(p.Before, o.before()), append(p.Since, since)
		p.BytesIn, p.BytesOut = append(p.BytesIn, o.e.BytesIn), append(p.BytesOut, o.e.BytesOut)
		p.Earliest = earlier(p.Earliest, since)
	}
	return p
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// bury remembers ends that came before their start. That of a whole connection
// has an empty stream, which no session can have.
func (l *Ledger) bury(ctx context.Context, tx pgx.Tx, ops []*op) error {
	if len(ops) == 0 {
		return nil
	}
	p := db.SessionsBuryParams{Earliest: farOff}
	for _, o := range ops {
		id, whole := o.id, o.e.Action == media.Disconnected
		if whole {
			id = identityOf(o.e.Node, o.e.ServerID, o.e.ClientID, media.Play, media.Stream{})
		}
		p.Identity, p.EndedAt, p.Since, p.Whole = append(p.Identity, id[:]), append(p.EndedAt, o.now), append(p.Since, o.since()), append(p.Whole, whole)
		p.Earliest = earlier(p.Earliest, o.since())
	}
	return l.q.SessionsBury(ctx, tx, p)
}
