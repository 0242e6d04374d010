package evict

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// The bounds of kicking while somebody waits.
const (
	kickTimeout = 6 * time.Second
	maxPage     = 1000
	noteTimeout = 2 * time.Second
)

// Why sessions are evicted that nothing was revoked for.
const (
	reasonKilled  = "stream_killed"
	reasonKicked  = "kicked"
	reasonRevoked = "credential_revoked"
)

// KickStream cuts off the publisher of a stream and all who watch it, and
// returns how many connections their nodes still had. Where the publisher cannot
// be cut off, or a player could be but was not, the error says why; viewers
// without a connection end with the stream. Whatever could not be done at once
// goes on being tried. Errors: Conflict cannot_kick, BadGateway, Unavailable.
func (s *Service) KickStream(ctx context.Context, st media.Stream) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	var t tally
	publisher, err := s.q.SessionPublisher(ctx, s.DB, db.SessionPublisherParams{Vhost: st.Vhost, App: st.App, Stream: st.Name})
	switch {
	case err == nil:
		if err := s.kickAll(ctx, []db.OpenSession{publisher}, reasonKilled, &t); err != nil {
			return 0, err
		}
	case !errors.Is(err, pgx.ErrNoRows):
		return 0, pg.Err(err, nil)
	}
	publisherCannot := t.cannot
	if err := s.kickPlayers(ctx, st, &t); err != nil {
		return t.kicked, err
	}
	switch {
	case publisherCannot != nil:
		return 0, publisherCannot
	case t.failed != nil:
		return t.kicked, t.failed
	case t.kicked == 0:
		return 0, t.cannot
	}
	return t.kicked, nil
}

func (s *Service) kickPlayers(ctx context.Context, st media.Stream, t *tally) error {
	return s.kickPages(ctx, reasonKilled, t, func(after int64) ([]db.OpenSession, error) {
		return s.q.SessionsPlaying(ctx, s.DB, db.SessionsPlayingParams{Vhost: st.Vhost, App: st.App, Stream: st.Name, After: after, RowLimit: maxPage})
	})
}

// KickCredential cuts off everybody who came in by a credential, which opens
// nothing any more, and returns how many connections their nodes still had. Who
// cannot be cut off is passed over, and goes on being tried. Errors, of the last
// one passed over: Conflict cannot_kick, BadGateway; Unavailable.
func (s *Service) KickCredential(ctx context.Context, c access.Credential) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	var t tally
	err := s.kickPages(ctx, reasonRevoked, &t, func(after int64) ([]db.OpenSession, error) {
		return s.q.SessionsByCredential(ctx, s.DB, db.SessionsByCredentialParams{Kind: string(c.Kind), CredentialID: c.ID, After: after, RowLimit: maxPage})
	})
	if err == nil {
		err = t.failed
	}
	if err == nil {
		err = t.cannot
	}
	return t.kicked, err
}

// KickSession cuts off one connection of a stream and reports whether there was
// one. Errors: Conflict cannot_kick, BadGateway, Unavailable.
func (s *Service) KickSession(ctx context.Context, st media.Stream, id int64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, kickTimeout)
	defer cancel()
	row, err := s.q.SessionOpen(ctx, s.DB, id)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && streamOf(row) != st {
		return false, nil
	}
	if err != nil {
		return false, pg.Err(err, nil)
	}
	var t tally
	if err := s.kickAll(ctx, []db.OpenSession{row}, reasonKicked, &t); err != nil {
		return false, err
	}
	if t.failed != nil {
		return false, t.failed
	}
	return t.kicked > 0, t.cannot
}

// Outcome is what came of cutting somebody off.
type Outcome struct {
	State   string // Kicked, Gone, Pending or Impossible
	Kicked  int    // connections that were cut
	Message string // why it is not done; empty if it is
}

// What may come of it, beside Impossible.
const (
	Kicked  = "kicked"
	Gone    = "gone"    // the node had it no more
	Pending = "pending" // it goes on being tried
)

var errNoSession = errs.New(errs.NotFound, "session_not_found", "no such session is open")

// Kick cuts off one connection and tells what came of it. Errors: NotFound,
// Unavailable.
func (s *Service) Kick(ctx context.Context, id int64) (Outcome, error) {
	row, err := s.q.SessionOpen(ctx, s.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Outcome{}, errNoSession
	}
	if err != nil {
		return Outcome{}, pg.Err(err, nil)
	}
	found, err := s.KickSession(ctx, streamOf(row), id)
	n := 0
	if found {
		n = 1
	}
	return outcome(n, err)
}

// Cut is KickStream, and tells what came of it. Error: Unavailable.
func (s *Service) Cut(ctx context.Context, st media.Stream) (Outcome, error) {
	return outcome(s.KickStream(ctx, st))
}

func outcome(kicked int, err error) (Outcome, error) {
	switch kind := errs.KindOf(err); {
	case err == nil && kicked == 0:
		return Outcome{State: Gone}, nil
	case err == nil:
		return Outcome{State: Kicked, Kicked: kicked}, nil
	case kind == errs.Conflict:
		return Outcome{State: Impossible, Kicked: kicked, Message: message(err)}, nil
	case kind == errs.BadGateway:
		return Outcome{State: Pending, Kicked: kicked, Message: message(err)}, nil
	}
	return Outcome{}, err
}

// kickPages cuts off all sessions that next returns, one page after the other.
func (s *Service) kickPages(ctx context.Context, reason string, t *tally, next func(after int64) ([]db.OpenSession, error)) error {
	for after := int64(0); ; {
		rows, err := next(after)
		if err != nil {
			return pg.Err(err, nil)
		}
		if err := s.kickAll(ctx, rows, reason, t); err != nil || len(rows) < maxPage {
			return err
		}
		after = rows[len(rows)-1].ID
	}
}

// tally counts who was cut off, and why others were not: because they cannot be,
// or because their node did not answer.
type tally struct {
	kicked         int
	cannot, failed error
}

// kickAll asks for the eviction of some sessions and does what can be done about
// it now. The error is one of the database.
func (s *Service) kickAll(ctx context.Context, rows []db.OpenSession, reason string, t *tally) error {
	jobs, err := s.take(ctx, rows, reason)
	if err != nil {
		return err
	}
	byNode := map[string][]*job{}
	for _, j := range jobs {
		byNode[j.session.Node] = append(byNode[j.session.Node], j)
	}
	var wg sync.WaitGroup
	for node, of := range byNode {
		wg.Go(func() { s.attempt(ctx, node, of) })
	}
	wg.Wait()
	for _, j := range jobs {
		t.add(ctx, j)
		j.gone = false // ending sessions is left to those who Run
	}
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	return s.note(noting, jobs)
}

// take writes the evictions down, leased to the caller.
func (s *Service) take(ctx context.Context, rows []db.OpenSession, reason string) ([]*job, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids, sessions := make([]int64, len(rows)), make(map[int64]db.OpenSession, len(rows))
	for i, row := range rows {
		ids[i], sessions[row.ID] = row.ID, row
	}
	now := s.Now()
	taken, err := s.q.EvictionsTake(ctx, s.DB, db.EvictionsTakeParams{Ids: ids, Reason: reason, Now: now, Lease: now.Add(lease)})
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	jobs := make([]*job, len(taken))
	for i, row := range taken {
		jobs[i] = &job{row: row, session: sessions[row.SessionID]}
	}
	return jobs, nil
}

var errTimedOut = errs.New(errs.BadGateway, "media_server_unavailable", "media server unavailable")

func (t *tally) add(ctx context.Context, j *job) {
	switch {
	case !j.tried:
		t.failed = errTimedOut.With(ctx.Err())
	case errs.KindOf(j.err) == errs.Conflict:
		t.cannot = j.err
	case j.err != nil:
		t.failed = j.err
	case j.found:
		t.kicked++
	}
}
