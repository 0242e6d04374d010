package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Why sessions end that no callback ended.
const (
	GoneFromNode    = "gone_from_node"   // the node's list does not have it any more
	ServerRestarted = "server_restarted" // it belonged to an earlier process of the server
	NodeDeleted     = "node_deleted"     // its node is not configured any more
	LeaseExpired    = "lease_expired"    // nobody could tell for too long
)

// goneAtOnce is how many sessions one op ends: as many as callbacks can wait for.
const goneAtOnce = 200

func ending(ids []int64, reason string, now time.Time) *op {
	return &op{gone: ids, now: now, reason: reason}
}

// EndGone ends sessions that their node does not have any more, and takes the
// rooms of its publishers off air. Those that have ended meanwhile stay as they
// are. Errors: Unavailable, after which some may have ended.
func (l *Ledger) EndGone(ctx context.Context, ids []int64, reason string) error {
	for len(ids) > 0 {
		n := min(len(ids), goneAtOnce)
		if err := l.endSome(ctx, ids[:n:n], reason); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (l *Ledger) endSome(ctx context.Context, ids []int64, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	_, err := l.record(ctx, ending(ids, reason, l.Now()))
	return err
}

func (l *Ledger) endGone(ctx context.Context, tx pgx.Tx, o *op) error {
	ended, err := l.q.SessionsEndByID(ctx, tx, db.SessionsEndByIDParams{Ids: o.gone, EndedAt: o.now, EndReason: o.reason})
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

// maxOpenOn bounds one reading of a node's sessions.
const maxOpenOn = 20_000

// OpenOn lists the open sessions of a node in the order of their ids, from the
// one behind after on, at most limit and never more than twenty thousand.
// Error: Unavailable.
func (l *Ledger) OpenOn(ctx context.Context, node string, after int64, limit int) ([]Session, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	id := identityOf(node, "", "", "", media.Stream{})
	first, last := span(id[:nodePart])
	rows, err := l.q.SessionsOpenOn(ctx, l.DB, db.SessionsOpenOnParams{First: first, Last: last, Node: node, After: after, RowLimit: int32(min(max(limit, 0), maxOpenOn))})
	out := make([]Session, len(rows))
	for i, row := range rows {
		out[i] = openSession(row)
	}
	return out, pg.Err(err, nil)
}

// NodesOnRecord lists the nodes that have open sessions, configured or not.
// Error: Unavailable.
func (l *Ledger) NodesOnRecord(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	names, err := l.q.SessionsNodes(ctx, l.DB)
	return names, pg.Err(err, nil)
}

// openRefused puts a client on record that runs although it was refused, and
// asks for its eviction.
func (l *Ledger) openRefused(ctx context.Context, tx pgx.Tx, o *op) error {
	o.verdict = media.Verdict{Reason: o.d.Reason}
	over, err := l.meetsEnd(ctx, tx, o, o.d.Reason)
	if err != nil || over {
		return err
	}
	e := o.e
	id, err := l.q.SessionOpenRefused(ctx, tx, db.SessionOpenRefusedParams{Identity: o.id[:], StartedAt: o.now, Node: e.Node,
		ServerID: e.ServerID, ClientID: e.ClientID, Serial: e.Serial, Scene: string(e.Scene()), Vhost: e.Stream.Vhost, App: e.Stream.App,
		Stream: e.Stream.Name, Address: e.Address, Protocol: e.Protocol, Refused: string(o.d.Reason)})
	if errors.Is(err, pgx.ErrNoRows) {
		return l.distrust(ctx, tx, o)
	}
	if err != nil {
		return err
	}
	return l.evict(ctx, tx, id, o)
}

// evict asks for the eviction of a session, in the commit that refuses it.
func (l *Ledger) evict(ctx context.Context, tx pgx.Tx, id int64, o *op) error {
	_, err := l.q.EvictionInsert(ctx, tx, db.EvictionInsertParams{SessionID: id, Reason: string(o.d.Reason), Now: o.now})
	return err
}

// distrust refuses who is on record already, if that is on trust only.
func (l *Ledger) distrust(ctx context.Context, tx pgx.Tx, o *op) error {
	e := o.e
	id, err := l.q.SessionRefuse(ctx, tx, db.SessionRefuseParams{Refused: string(o.d.Reason), CredentialKind: string(access.Unproven), Identity: o.id[:]})
	if errors.Is(err, pgx.ErrNoRows) { // it is refused already
		return nil
	}
	if err != nil {
		return err
	}
	if err := l.evict(ctx, tx, id, o); err != nil {
		return err
	}
	return l.leaveAir(ctx, tx, string(e.Scene()), e.Stream, o.now)
}

// A Found is a client that its node lists and that is not on record, as far as
// the one who looked could see.
type Found struct {
	media.Event
	// Told says that the event holds the client's query, or that it would have had
	// to bring one: who brings no credential has none.
	Told bool
	// Began is when the connection began; zero if unknown.
	Began time.Time
}

// justEnded is how long what ended lately may stand on a list.
const justEnded = 10 * time.Second

// isLater says whether the client came after what is known of its number, which
// was somebody else's then. Ages that servers tell are a little off.
func (f Found) isLater(known db.SessionOfClientRow) bool {
	return f.Serial > 0 && !known.IsOpen && !f.Began.IsZero() && f.Began.After(known.StartedAt.Add(justEnded))
}

// Learn decides on and records a client that its node lists. What has merely
// expired since it began does not count against it. One that was on record and
// ended wrongly is what it was; another whose credential nobody can know is on
// record on trust, with the reason credential_unknown. Who is refused is on
// record until evicted. Who is on record already, or has just left, is passed
// over, with the reason duplicate. Errors: Unavailable, Internal.
func (l *Ledger) Learn(ctx context.Context, f Found) (media.Verdict, error) {
	e := clean(f.Event)
	e.Fact = true
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	now := l.Now()
	known, err := l.knownOf(ctx, identify(e), identityOf(e.Node, "", e.ClientID, e.Scene(), e.Stream))
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return media.Verdict{}, pg.Err(err, nil)
	case err == nil && !f.isLater(known) && (known.IsOpen || now.Sub(known.EndedAt).Abs() < justEnded):
		return media.Verdict{Allow: true, Reason: media.Duplicate}, nil
	}
	d := l.believe(l.recheck(ctx, e, now), f, known)
	if d.Reason == media.TemporarilyUnavailable {
		return media.Verdict{}, errUnavailable
	}
	d.Takeover = access.Takeover{} // a list tells who is there, not who came after whom
	v, err := l.admit(ctx, e, d, now)
	l.report(ctx, &e, v, d.Credential, err)
	return v, err
}

// knownOf tells what is on record of a session under any of some identities.
func (l *Ledger) knownOf(ctx context.Context, ids ...identity) (db.SessionOfClientRow, error) {
	var p db.SessionOfClientParams
	for _, id := range ids {
		p.Identities, p.Connections = append(p.Identities, id[:]), append(p.Connections, id[:connectionPart])
	}
	return l.q.SessionOfClient(ctx, l.DB, p)
}

// believe decides on who brings no credential as far as anybody can see.
func (l *Ledger) believe(d access.Decision, f Found, known db.SessionOfClientRow) access.Decision {
	if d.Reason != media.NoCredential {
		return d
	}
	same := !f.Began.IsZero() && !known.StartedAt.Before(f.Began.Add(-time.Second)) && known.Refused == ""
	switch {
	case same && known.CredentialKind != "":
		return access.Decision{Allow: true, Reason: media.Allowed,
			Credential: access.Credential{Kind: access.CredentialKind(known.CredentialKind), ID: known.CredentialID, Subject: known.Subject}}
	case f.Told:
		return d
	}
	return access.Decision{Allow: true, Reason: media.CredentialUnknown, Credential: access.Credential{Kind: access.Unproven}}
}

// Carried is what one running session has carried so far.
type Carried struct{ ID, In, Out int64 }

// NoteCarried writes down what sessions have carried so far. Error: Unavailable.
func (l *Ledger) NoteCarried(ctx context.Context, all []Carried) error {
	if len(all) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var p db.SessionsCarriedParams
	for _, c := range all {
		p.Ids, p.Ins, p.Outs = append(p.Ids, c.ID), append(p.Ins, c.In), append(p.Outs, c.Out)
	}
	return pg.Err(l.q.SessionsCarried(ctx, l.DB, p), nil)
}
