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
	rows, err := l.q.SessionsOpenOn(ctx, l.DB, db.SessionsOpenOnParams{Node: node, After: after, RowLimit: int32(min(max(limit, 0), maxOpenOn))})
	out := make([]Session, len(rows))
	for i, row := range rows {
		out[i] = sessionFromRow(row)
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
	e := o.e
	_, err := l.q.SessionOpenRefused(ctx, tx, db.SessionOpenRefusedParams{StartedAt: o.now, Since: o.now.Add(-remembered), Node: e.Node,
		ServerID: e.ServerID, ClientID: e.ClientID, Serial: e.Serial, Scene: string(e.Scene()), Vhost: e.Stream.Vhost, App: e.Stream.App,
		Stream: e.Stream.Name, Address: e.Address, Protocol: e.Protocol, Refused: string(o.d.Reason)})
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return l.distrust(ctx, tx, o)
}

// distrust refuses who is on record already, if that is on trust only.
func (l *Ledger) distrust(ctx context.Context, tx pgx.Tx, o *op) error {
	e := o.e
	_, err := l.q.SessionRefuse(ctx, tx, db.SessionRefuseParams{Refused: string(o.d.Reason), CredentialKind: string(access.Unproven), Node: e.Node,
		ServerID: e.ServerID, ClientID: e.ClientID, Scene: string(e.Scene()), Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	if errors.Is(err, pgx.ErrNoRows) { // its end came first, or it is refused already
		return nil
	}
	if err != nil {
		return err
	}
	return l.leaveAir(ctx, tx, string(e.Scene()), e.Stream, o.now)
}

// Learn decides on and records a client that its node lists and that is not on
// record. What has merely expired since it began does not count against it. Told
// says that e holds the client's query, so that who brings no credential has
// none; otherwise such a client is believed to have had one and is on record on
// trust, with the reason credential_unknown. Who is refused is on record until
// evicted. Errors: Unavailable, Internal.
func (l *Ledger) Learn(ctx context.Context, e media.Event, told bool) (media.Verdict, error) {
	e = clean(e)
	e.Fact = true
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	now := l.Now()
	d := l.recheck(ctx, e, now)
	if d.Reason == media.TemporarilyUnavailable {
		return media.Verdict{}, errUnavailable
	}
	if !told && d.Reason == media.NoCredential {
		d = access.Decision{Allow: true, Reason: media.CredentialUnknown, Credential: access.Credential{Kind: access.Unproven}}
	}
	v, err := l.admit(ctx, e, d, now)
	l.report(ctx, e, v, d.Credential, err)
	return v, err
}
