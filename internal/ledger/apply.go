package ledger

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// remembered is how long an end keeps standing in for a start that has not
// arrived yet, and how long a second end counts as a repetition.
const remembered = time.Minute

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
	case media.Unpublished:
		return l.endPublishers(ctx, tx, []*op{o})
	case media.Stopped:
		return l.endAudience(ctx, tx, o)
	case media.Recorded:
		return l.addRecording(ctx, tx, o)
	case media.Restarted:
		return l.endServer(ctx, tx, o)
	}
	return nil
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

// forget removes the session that a refused start opened. The start may still
// be on its way to being committed by a connection that we have given up, so it
// is repeated first: that waits until the other one is decided.
func (l *Ledger) forget(ctx context.Context, tx pgx.Tx, o *op) error {
	ours := true
	mark, err := l.q.EventDraftsMark(ctx, tx)
	if err != nil {
		return err
	}
	if o.e.Action == media.Publishing {
		_, err = l.q.SessionOpenPublish(ctx, tx, opening(o))
		if ours = !errors.Is(err, pgx.ErrNoRows); !ours {
			err = nil
		}
	} else {
		err = l.openPlayersAgain(ctx, tx, []*op{o})
	}
	if err != nil {
		return err
	}
	if err := l.tellForgotten(ctx, tx, o, mark); err != nil {
		return err
	}
	n, err := l.q.SessionForget(ctx, tx, db.SessionForgetParams{Identity: o.id[:], StartedAt: o.now})
	if err != nil || n == 0 || ours {
		return err
	}
	return l.leaveAir(ctx, tx, string(o.e.Scene()), o.e.Stream, o.now)
}

// tellForgotten takes the event back of a start that was only repeated, after the
// mark; or else that start has been told, and its end is to be told, too.
func (l *Ledger) tellForgotten(ctx context.Context, tx pgx.Tx, o *op, mark int64) error {
	repeated, err := l.q.EventDraftsUndo(ctx, tx, mark)
	if err != nil || repeated > 0 {
		return err
	}
	return l.q.EventDraftTakenBack(ctx, tx, db.EventDraftTakenBackParams{Now: l.Now(), Identity: o.id[:], StartedAt: o.now})
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
		id := identityOf(e.Node, e.ServerID, e.ClientID, media.Publish, e.Stream)
		s, err := l.q.SessionOfRecording(ctx, tx, id[:])
		if err != nil {
			return recorded{}, err
		}
		return recorded{s.ID, s.StartedAt, e.Duration}, nil
	}
	s, err := l.q.SessionOfFile(ctx, tx, db.SessionOfFileParams{Now: o.now, Since: e.Began.Add(-clocksDiffer), Began: e.Began.Add(clocksDiffer),
		Node: e.Node, Vhost: e.Stream.Vhost, App: e.Stream.App, Stream: e.Stream.Name})
	if err != nil {
		return recorded{}, err
	}
	return recorded{s.ID, s.StartedAt, min(e.Duration, max(0, s.EndedAt.Sub(e.Began).Seconds()))}, nil
}
