package ledger

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// remembered is how long an end keeps standing in for a start that has not
// arrived yet, and how long a second end counts as a repetition.
const remembered = time.Minute

// apply writes a batch in the order of arrival. Players that arrive one after
// the other, by far the most, go in one statement. Whatever it notes in an op
// is noted again, the same, when the batch is written again.
func (l *Ledger) apply(ctx context.Context, tx pgx.Tx, batch []*op) error {
	var players []*op
	for _, o := range batch {
		if o.gone == nil && o.e.Action == media.Playing && !o.undo && !o.refused() {
			players = append(players, o)
			continue
		}
		if err := l.openPlayers(ctx, tx, players); err != nil {
			return err
		}
		players = players[:0]
		if err := l.applyOne(ctx, tx, o); err != nil {
			return err
		}
	}
	return l.openPlayers(ctx, tx, players)
}

func (l *Ledger) applyOne(ctx context.Context, tx pgx.Tx, o *op) error {
	o.verdict, o.victim = media.Verdict{Allow: true, Reason: media.Allowed}, 0
	switch {
	case o.gone != nil:
		return l.endGone(ctx, tx, o)
	case o.undo:
		return l.forget(ctx, tx, o)
	case o.refused():
		return l.openRefused(ctx, tx, o)
	}
	switch o.e.Action {
	case media.Publishing:
		return l.openPublisher(ctx, tx, o)
	case media.Unpublished, media.Stopped:
		if o.e.ClientID == "" && o.e.Action == media.Stopped {
			return l.endAudience(ctx, tx, o)
		}
		return l.endSession(ctx, tx, o)
	case media.Disconnected:
		return l.endClient(ctx, tx, o)
	case media.Recorded:
		return l.addRecording(ctx, tx, o)
	case media.Restarted:
		return l.endServer(ctx, tx, o)
	}
	return nil
}

func (l *Ledger) openPlayers(ctx context.Context, tx pgx.Tx, ops []*op) error {
	if len(ops) == 0 {
		return nil
	}
	p := db.SessionsOpenPlayParams{Since: ops[0].now.Add(-remembered)}
	for _, o := range ops {
		e := o.e
		p.Node, p.ServerID, p.ClientID, p.Serial = append(p.Node, e.Node), append(p.ServerID, e.ServerID), append(p.ClientID, e.ClientID), append(p.Serial, e.Serial)
		p.Vhost, p.App, p.Stream = append(p.Vhost, e.Stream.Vhost), append(p.App, e.Stream.App), append(p.Stream, e.Stream.Name)
		p.Address, p.Protocol = append(p.Address, e.Address), append(p.Protocol, e.Protocol)
		p.CredentialKind, p.CredentialID = append(p.CredentialKind, string(o.d.Credential.Kind)), append(p.CredentialID, o.d.Credential.ID)
		p.Subject, p.StartedAt = append(p.Subject, o.d.Credential.Subject), append(p.StartedAt, o.now)
		o.verdict = media.Verdict{Allow: true, Reason: o.d.Reason}
	}
	if err := l.endRenumbered(ctx, tx, p); err != nil {
		return err
	}
	return l.q.SessionsOpenPlay(ctx, tx, p)
}

// endRenumbered ends players whose number has been given again, to a player of
// the same stream: only a server that counts from one at each start does that.
func (l *Ledger) endRenumbered(ctx context.Context, tx pgx.Tx, p db.SessionsOpenPlayParams) error {
	if !slices.ContainsFunc(p.Serial, func(n int64) bool { return n > 0 }) {
		return nil
	}
	return l.q.SessionsEndRenumbered(ctx, tx, db.SessionsEndRenumberedParams{Before: p.Since, Node: p.Node, ServerID: p.ServerID, ClientID: p.ClientID, Serial: p.Serial,
		Vhost: p.Vhost, App: p.App, Stream: p.Stream, StartedAt: p.StartedAt})
}

// before is the latest start of a session that an end may mean. It is told when
// it happens, so whatever the client has open began before, whatever the clock
// of that moment said; but an end that is written late must not hit what started
// after it.
func (o *op) before() time.Time {
	if o.late || isDated(o.e) {
		return o.now
	}
	return farOff
}

// toldLate is how long after an end a media server may tell of it.
const toldLate = 5 * time.Minute

// endedAt is when a session ended: where its server tells that afterwards, then.
func (o *op) endedAt() time.Time {
	if o.e.Ended.Before(o.now) && o.now.Sub(o.e.Ended) < toldLate {
		return o.e.Ended
	}
	return o.now
}

func (l *Ledger) endSession(ctx context.Context, tx pgx.Tx, o *op) error {
	e := o.e
	n, err := l.q.SessionEnd(ctx, tx, db.SessionEndParams{EndedAt: o.now, EndReason: string(e.Action), Before: o.before(), Node: e.Node,
		ServerID: e.ServerID, ClientID: e.ClientID, Scene: string(e.Scene()), Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	if err != nil {
		return err
	}
	switch {
	case n == 0 && e.Stream.Name == "": // of a client that never said what it wants
		return nil
	case n == 0:
		return l.bury(ctx, tx, o, e.Scene(), e.Stream)
	}
	return l.leaveAir(ctx, tx, string(e.Scene()), e.Stream, o.now)
}

// endClient ends whatever a connection carried. The end of a connection that
// nothing is known of is remembered where its number is never used again.
func (l *Ledger) endClient(ctx context.Context, tx pgx.Tx, o *op) error {
	e := o.e
	ended, err := l.q.SessionsEndClient(ctx, tx, db.SessionsEndClientParams{EndedAt: o.endedAt(), Since: o.now.Add(-remembered), Before: o.before(),
		Node: e.Node, ServerID: e.ServerID, ClientID: e.ClientID, BytesIn: e.BytesIn, BytesOut: e.BytesOut})
	if err != nil {
		return err
	}
	if len(ended) == 0 && e.Serial == 0 {
		return l.bury(ctx, tx, o, media.Play, media.Stream{})
	}
	for _, s := range ended {
		if !s.WasOpen {
			continue
		}
		if err := l.leaveAir(ctx, tx, s.Scene, media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream}, o.now); err != nil {
			return err
		}
	}
	return nil
}

// bury remembers an end that came before its start. That of a whole connection
// has an empty stream, which no session can have, and any scene.
func (l *Ledger) bury(ctx context.Context, tx pgx.Tx, o *op, scene media.Scene, st media.Stream) error {
	e := o.e
	return l.q.SessionBury(ctx, tx, db.SessionBuryParams{Node: e.Node, ServerID: e.ServerID, ClientID: e.ClientID, Serial: e.Serial,
		Scene: string(scene), Vhost: st.Vhost, App: st.App, Stream: st.Name, EndedAt: o.now, Since: o.since()})
}

// forget removes the session that a refused start opened. The start may still
// be on its way to being committed by a connection that we have given up, so it
// is repeated first: that waits until the other one is decided.
func (l *Ledger) forget(ctx context.Context, tx pgx.Tx, o *op) error {
	e, ours := o.e, true
	var err error
	if e.Action == media.Publishing {
		_, err = l.q.SessionOpenPublish(ctx, tx, opening(o))
		if ours = !errors.Is(err, pgx.ErrNoRows); !ours {
			err = nil
		}
	} else {
		err = l.openPlayers(ctx, tx, []*op{o})
	}
	if err != nil {
		return err
	}
	n, err := l.q.SessionForget(ctx, tx, db.SessionForgetParams{StartedAt: o.now, Node: e.Node, ServerID: e.ServerID, ClientID: e.ClientID,
		Scene: string(e.Scene()), Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	if err != nil || n == 0 || ours {
		return err
	}
	return l.leaveAir(ctx, tx, string(e.Scene()), e.Stream, o.now)
}

// leaveAir takes the room of a stream off air once nobody publishes it, on any
// of the vhosts that count for the room.
func (l *Ledger) leaveAir(ctx context.Context, tx pgx.Tx, scene string, st media.Stream, now time.Time) error {
	if scene != string(media.Publish) {
		return nil
	}
	room, _, err := l.Rooms.Lock(ctx, tx, st)
	if err != nil || room == "" {
		return err
	}
	vhosts, err := l.q.SessionsPublishing(ctx, tx, db.SessionsPublishingParams{App: st.App, Stream: st.Name})
	if err != nil {
		return err
	}
	for _, vhost := range vhosts {
		other, _, err := l.Rooms.Lock(ctx, tx, media.Stream{Vhost: vhost, App: st.App, Name: st.Name})
		if err != nil || other == room {
			return err
		}
	}
	return l.Rooms.LeftAir(ctx, tx, room, now)
}

// addRecording keeps a file of a session that we admitted. A publisher that
// was refused may leave a file too, empty and under the live stream's name.
func (l *Ledger) addRecording(ctx context.Context, tx pgx.Tx, o *op) error {
	e := o.e
	if e.File == "" {
		return nil
	}
	s, err := l.recorded(ctx, tx, o)
	if errors.Is(err, pgx.ErrNoRows) {
		l.Log.InfoContext(ctx, "recording of an unknown publisher ignored", "node", e.Node, "stream", e.Stream, "client_id", e.ClientID)
		return nil
	}
	if err != nil {
		return err
	}
	file := e.File
	if e.Dir != "" && !strings.HasPrefix(file, "/") {
		file = strings.TrimSuffix(e.Dir, "/") + "/" + file
	}
	return l.q.RecordingInsert(ctx, tx, db.RecordingInsertParams{SessionID: s.id, Node: e.Node, Vhost: e.Stream.Vhost, App: e.Stream.App,
		Stream: e.Stream.Name, File: file, Duration: s.seconds, StartedAt: s.began, Now: o.now})
}

// recorded is whose recording an event tells of.
type recorded struct {
	id      int64
	began   time.Time
	seconds float64
}

// clocksDiffer is by how much a server's clock may be ahead of ours.
const clocksDiffer = 5 * time.Second

// recorded finds the session of a recording. A server that does not tell the
// client goes on recording for a while when he has left; what is longer than his
// stream was is cut off.
func (l *Ledger) recorded(ctx context.Context, tx pgx.Tx, o *op) (recorded, error) {
	e := o.e
	if e.ClientID != "" {
		s, err := l.q.SessionOfRecording(ctx, tx, db.SessionOfRecordingParams{Node: e.Node, ServerID: e.ServerID, ClientID: e.ClientID,
			Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
		if err != nil {
			return recorded{}, err
		}
		return recorded{s.ID, *s.StartedAt, e.Duration}, nil
	}
	s, err := l.q.SessionOfFile(ctx, tx, db.SessionOfFileParams{Now: o.now, Since: e.Began.Add(-clocksDiffer), Began: e.Began.Add(clocksDiffer),
		Node: e.Node, Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	if err != nil {
		return recorded{}, err
	}
	return recorded{s.ID, s.StartedAt, min(e.Duration, max(0, s.EndedAt.Sub(e.Began).Seconds()))}, nil
}
