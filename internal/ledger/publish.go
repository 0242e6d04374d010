package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// openPublisher opens a session and puts the stream's room on air, unless the
// room has ended or somebody else publishes.
func (l *Ledger) openPublisher(ctx context.Context, tx pgx.Tx, o *op) error {
	room, ended, err := l.Rooms.Lock(ctx, tx, o.e.Stream)
	if err != nil {
		return err
	}
	if ended {
		o.verdict = media.Verdict{Reason: media.RoomEnded}
		return nil
	}
	if err := l.supersede(ctx, tx, o); err != nil {
		return err
	}
	o.verdict.Reason = o.d.Reason
	over, err := l.overAlready(ctx, tx, o)
	if err != nil || over { // its end came first
		return err
	}
	opened, err := l.openOrExplain(ctx, tx, o)
	if err != nil || !opened || room == "" {
		return err
	}
	return l.Rooms.WentLive(ctx, tx, room, o.now)
}

// openOrExplain inserts the session. If the stream has a publisher on record,
// that one is this very client (a repetition), a leftover of the server's
// earlier life, or somebody else.
func (l *Ledger) openOrExplain(ctx context.Context, tx pgx.Tx, o *op) (opened bool, err error) {
	// Another process may end the publisher on record between two statements.
	for range 3 {
		_, err = l.q.SessionOpenPublish(ctx, tx, opening(o))
		if !errors.Is(err, pgx.ErrNoRows) {
			return err == nil, err
		}
		holder, err := l.q.SessionPublisher(ctx, tx, db.SessionPublisherParams{Vhost: o.e.Stream.Vhost, App: o.e.Stream.App, Stream: o.e.Stream.Name})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			refused, err := l.stillRefused(ctx, tx, o)
			if err != nil || refused {
				return false, err
			}
			continue
		case err != nil:
			return false, err
		case sameClient(holder, o.e) && !followsItself(holder, o):
			o.verdict.Reason = media.Duplicate
			return false, nil
		}
		reason := l.whyGone(holder, o)
		if reason == "" {
			taken, err := l.takeOver(ctx, tx, o, holder)
			if err != nil || !taken {
				o.verdict, o.holder = media.Verdict{Reason: media.AlreadyPublishing}, &holder
				return false, err
			}
			continue
		}
		if _, err := l.q.SessionsEndByID(ctx, tx, db.SessionsEndByIDParams{Ids: []int64{holder.ID}, EndedAt: o.now, EndReason: reason}); err != nil {
			return false, err
		}
	}
	return false, errUnavailable.With(fmt.Errorf("%w: the publisher changes all the time", errStuck))
}

// stillRefused says whether this very client is on record as refused. Then it is
// about to be cut off, and stays refused until it comes again.
func (l *Ledger) stillRefused(ctx context.Context, tx pgx.Tx, o *op) (bool, error) {
	reason, err := l.q.SessionRefusal(ctx, tx, o.id[:])
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if reason == Replaced { // by somebody who has left since
		reason = string(media.AlreadyPublishing)
	}
	o.verdict = media.Verdict{Reason: media.Reason(reason)}
	return err == nil, err
}

// whyGone returns why the publisher on record must be gone, as the start of the
// next one tells, or "" where it need not be.
func (l *Ledger) whyGone(holder db.OpenSession, o *op) string {
	e := o.e
	switch {
	case followsItself(holder, o):
		return "superseded"
	case l.restarted(holder, e):
		return ServerRestarted
	case e.Resumes && holder.Node == e.Node:
		return "resumed"
	}
	return ""
}

// supersede ends what earlier processes of the same server left open, and takes
// the rooms of its publishers off air.
func (l *Ledger) supersede(ctx context.Context, tx pgx.Tx, o *op) error {
	if err := l.endProcess(ctx, tx, o); err != nil || o.e.Serial == 0 {
		return err
	}
	return l.endNumber(ctx, tx, o)
}

// endAtOnce is how many sessions of an earlier process one publisher ends: all
// publishers, by far, and as many players as a commit can carry along.
const endAtOnce = 2000

// endProcess looks through all open sessions of a node, so only while the
// process is not known to be the server's only one.
func (l *Ledger) endProcess(ctx context.Context, tx pgx.Tx, o *op) error {
	e, server := o.e, serverOf(o.e.ServerID)
	if server == "" || l.processes[e.Node+" "+server] == e.ServerID {
		return nil
	}
	first, last := span(o.id[:nodePart])
	ended, err := l.q.SessionsEndProcess(ctx, tx, db.SessionsEndProcessParams{First: first, Last: last, EndedAt: o.now, Node: e.Node, Instance: server,
		ServerID: e.ServerID, RowLimit: endAtOnce})
	if err != nil {
		return err
	}
	o.onlyProcess = len(ended) < endAtOnce
	for _, s := range ended {
		if err := l.leaveAir(ctx, tx, s.Scene, media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream}, o.now); err != nil {
			return err
		}
	}
	return nil
}

// endNumber ends what the same connection number did before it was given to
// this connection.
func (l *Ledger) endNumber(ctx context.Context, tx pgx.Tx, o *op) error {
	e := o.e
	first, last := span(o.id[:connectionPart])
	ended, err := l.q.SessionsEndNumber(ctx, tx, db.SessionsEndNumberParams{First: first, Last: last, Identity: o.id[:], EndedAt: o.now,
		Node: e.Node, ServerID: e.ServerID, ClientID: e.ClientID})
	if err != nil {
		return err
	}
	for _, s := range ended {
		if err := l.leaveAir(ctx, tx, s.Scene, media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream}, o.now); err != nil {
			return err
		}
	}
	return nil
}

// maxProcesses bounds what is remembered of servers; beyond it is learnt anew.
const maxProcesses = 1024

// noteProcess remembers, once that is committed, that no earlier process of a
// server has anything open.
func (l *Ledger) noteProcess(o *op) {
	if !o.onlyProcess {
		return
	}
	if len(l.processes) >= maxProcesses {
		clear(l.processes)
	}
	l.processes[o.e.Node+" "+serverOf(o.e.ServerID)] = o.e.ServerID
}

func opening(o *op) db.SessionOpenPublishParams {
	e := o.e
	return db.SessionOpenPublishParams{Identity: o.id[:], Node: e.Node, ServerID: e.ServerID, ClientID: e.ClientID, Serial: e.Serial, Vhost: e.Stream.Vhost,
		App: e.Stream.App, Stream: e.Stream.Name, Address: e.Address, Protocol: e.Protocol, CredentialKind: string(o.d.Credential.Kind),
		CredentialID: o.d.Credential.ID, Subject: o.d.Credential.Subject, StartedAt: o.now}
}

// meetsEnd says whether the end of a session came before its start, in which
// case it has ended now. Refused says whether it is of a client that is refused.
func (l *Ledger) meetsEnd(ctx context.Context, tx pgx.Tx, o *op, refused media.Reason) (bool, error) {
	e := o.e
	p := db.SessionMeetEndParams{Connection: o.id[:connectionPart], Identity: o.id[:], Since: o.now.Add(-remembered), Node: e.Node, ServerID: e.ServerID,
		ClientID: e.ClientID, Serial: e.Serial, Scene: string(e.Scene()), Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name,
		Address: e.Address, Protocol: e.Protocol, Refused: string(refused), StartedAt: o.now}
	if refused == "" {
		p.CredentialKind, p.CredentialID, p.Subject = string(o.d.Credential.Kind), o.d.Credential.ID, o.d.Credential.Subject
	}
	return l.q.SessionMeetEnd(ctx, tx, p)
}
