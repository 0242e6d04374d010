package ledger

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Replaced is why a publisher is cut off whose place another one took.
const Replaced = "replaced"

// The bounds of taking over. Two encoders with one key that both reconnect would
// else take the stream from each other for ever; who has it after the last
// takeover of a minute keeps it for the rest.
const (
	takeoverWindow = time.Minute
	maxTakeovers   = 3
	// lostFor is how long a connection that lost its stream cannot take it back: a
	// start that is repeated or late must not end who came after.
	lostFor = time.Hour
)

// takeOver makes room for a publisher if its rule lets it take the place of the
// one on record: that one is off the record of who publishes from now on, and
// its eviction is asked for in the same commit. The room stays on air.
func (l *Ledger) takeOver(ctx context.Context, tx pgx.Tx, o *op, holder db.OpenSession) (bool, error) {
	if may, err := l.prevails(ctx, tx, o, holder); err != nil || !may {
		return false, err
	}
	if _, err := l.q.EvictionInsert(ctx, tx, db.EvictionInsertParams{SessionID: holder.ID, Reason: Replaced, Now: o.now}); err != nil {
		return false, err
	}
	if _, err := l.q.SessionReplace(ctx, tx, db.SessionReplaceParams{ID: holder.ID, Now: o.now}); err != nil {
		return false, err
	}
	o.victim = holder.ID
	return true, nil
}

// prevails says whether a newcomer takes the place of the publisher on record.
func (l *Ledger) prevails(ctx context.Context, d db.DBTX, o *op, holder db.OpenSession) (bool, error) {
	if !mayTakeOver(o, holder) || !l.canCut(holder.Node) {
		return false, nil
	}
	e := o.e
	before, err := l.q.SessionsReplaced(ctx, d, db.SessionsReplacedParams{Since: o.now.Add(-takeoverWindow), LongSince: o.now.Add(-lostFor),
		Identity: o.id[:], Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	return err == nil && !before.Lost && before.Lately < maxTakeovers, err
}

// Rival tells who publishes a stream now, and whether a newcomer that was decided
// on so would take the place. Busy is false where nobody publishes. Error:
// Unavailable.
func (l *Ledger) Rival(ctx context.Context, e media.Event, d access.Decision) (rival Session, busy, yields bool, err error) {
	e = clean(e)
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	holder, err := l.q.SessionPublisher(ctx, l.DB, db.SessionPublisherParams{Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	if errors.Is(err, pgx.ErrNoRows) {
		return rival, false, false, nil
	}
	if err == nil {
		yields, err = l.prevails(ctx, l.DB, about(e, d, l.Now()), holder)
	}
	return openSession(holder), true, yields, pg.Err(err, nil)
}

// mayTakeOver is the policy of the newcomer's rule. Who needed no credential has
// no policy and takes over nothing.
func mayTakeOver(o *op, holder db.OpenSession) bool {
	switch t := o.d.Takeover; t.Policy {
	case access.TakeoverReplace:
		return true
	case access.TakeoverResume:
		return sameIdentity(holder, o.d.Credential) && o.now.Sub(holder.StartedAt) <= t.Window
	}
	return false
}

// sameIdentity says whether the publisher on record came in as the same person,
// or by the same credential.
func sameIdentity(holder db.OpenSession, c access.Credential) bool {
	if holder.Subject != "" && c.Subject != "" {
		return strings.EqualFold(holder.Subject, c.Subject)
	}
	return c.ID != "" && holder.CredentialKind == string(c.Kind) && holder.CredentialID == c.ID
}

// canCut says whether a node can be told to cut a client off. Where it cannot,
// the publisher on record would go on, whatever we wrote down.
func (l *Ledger) canCut(node string) bool {
	n, ok := l.Nodes.Get(node)
	return ok && n.ControlURL != "" && l.Controls[n.Kind].Kicker != nil
}
