package evict

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// The states of an eviction.
const (
	Wanted     = "wanted"
	Impossible = "impossible"
)

// Evicted is why a session ends that was cut off and whose node never said so.
const Evicted = "evicted"

// The pauses between two attempts. After a kick the first look follows soon; what
// cannot be brought about is tried ever more seldom.
const (
	pauseMin        = 400 * time.Millisecond
	pauseMax        = 5 * time.Second // a call of a node that is away costs little, and a revoked encoder much
	pauseImpossible = 5 * time.Minute
	maxDoublings    = 6
)

var errCannotKick = errs.New(errs.Conflict, "cannot_kick", "the media server of this client cannot be told to cut it off")

// job is one eviction under way.
type job struct {
	row     db.Eviction
	session db.OpenSession

	tried bool // within this attempt
	found bool // the node still had it
	gone  bool // verified
	err   error
}

var delayed = outage.Words{Begins: "evictions are delayed", Ends: "evictions are done again"}

// workOn evicts whoever is due on a node.
func (s *Service) workOn(ctx context.Context, node string) {
	for ctx.Err() == nil {
		more, err := s.workOnce(ctx, node)
		s.outages.Note(ctx, delayed, node, err, "node", node)
		if !more || err != nil {
			return
		}
	}
}

func (s *Service) workOnce(ctx context.Context, node string) (more bool, err error) {
	jobs, over, err := s.claim(ctx, node)
	if err != nil || len(jobs)+len(over) == 0 {
		return false, err
	}
	attempt, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	away := s.attempt(attempt, node, jobs)
	// Whatever holds the database up must not hold up the next turn on this node
	// for longer.
	ctx, cancel = context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	if err := s.settle(ctx, jobs, over); err != nil {
		return false, err
	}
	if away {
		now := s.Now()
		return false, pg.Err(s.q.EvictionsPostpone(ctx, s.DB, db.EvictionsPostponeParams{Node: node, Now: now, Horizon: now.Add(horizon),
			NextAt: now.Add(s.pause(jobs[0].row.Tries))}), nil)
	}
	return len(jobs)+len(over) == batch, nil
}

// claim takes what is due on a node, for as long as a lease.
func (s *Service) claim(ctx context.Context, node string) (jobs []*job, over []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	now := s.Now()
	rows, err := s.q.EvictionsClaim(ctx, s.DB, db.EvictionsClaimParams{Node: node, Now: now, Horizon: now.Add(horizon), Lease: now.Add(lease), RowLimit: batch})
	if err != nil || len(rows) == 0 {
		return nil, nil, pg.Err(err, nil)
	}
	return s.jobs(ctx, rows)
}

// jobs joins evictions with their sessions. Over are those whose session has
// ended, which is what all of this is for.
func (s *Service) jobs(ctx context.Context, rows []db.Eviction) (jobs []*job, over []int64, err error) {
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.SessionID
	}
	sessions, err := s.q.EvictionSessions(ctx, s.DB, ids)
	if err != nil {
		return nil, nil, pg.Err(err, nil)
	}
	open := make(map[int64]db.OpenSession, len(sessions))
	for _, row := range sessions {
		open[row.ID] = row
	}
	for _, r := range rows {
		if session, ok := open[r.SessionID]; ok {
			jobs = append(jobs, &job{row: r, session: session})
		} else {
			over = append(over, r.SessionID)
		}
	}
	return jobs, over, nil
}

// attempt looks at and kicks sessions of one node, as far as ctx goes. Away says
// that the node did not answer.
func (s *Service) attempt(ctx context.Context, node string, jobs []*job) (away bool) {
	if len(jobs) == 0 {
		return false
	}
	n, known := s.Nodes.Get(node)
	control := s.Controls[n.Kind]
	if !known || control.Kicker == nil {
		for _, j := range jobs {
			j.tried, j.err = true, errCannotKick
		}
		return false
	}
	seen, err := s.look(ctx, n, control, jobs)
	if err != nil {
		for _, j := range jobs {
			j.tried, j.err = true, err
		}
		return true
	}
	var answered, failed atomic.Int32
	var g errgroup.Group
	g.SetLimit(kicksAtOnce)
	for _, j := range jobs {
		g.Go(func() error {
			if answered.Load() == 0 && failed.Load() >= kicksAtOnce { // it hangs: the rest is for later
				return nil
			}
			s.kick(ctx, n, control.Kicker, seen.of(j.session), j)
			switch {
			case !j.tried:
			case j.err == nil, errs.KindOf(j.err) == errs.Conflict:
				answered.Add(1)
			default:
				failed.Add(1)
			}
			return nil
		})
	}
	_ = g.Wait() // none of them fails
	return answered.Load() == 0 && failed.Load() > 0
}

// kick cuts one session off unless its node has it no more. What has the same
// number there but is somebody else is left alone.
func (s *Service) kick(ctx context.Context, n media.Node, k media.Kicker, p presence, j *job) {
	if ctx.Err() != nil { // next time
		return
	}
	j.tried = true
	if p == absent || p == another {
		// A list may be a moment behind those who have only just come.
		settled := s.Now().Sub(j.session.StartedAt).Abs() > grace
		j.gone = settled && (p == another || j.row.Missing > 0)
		return
	}
	row := j.session
	j.found, j.err = k.Kick(ctx, n, media.Client{ID: row.ClientID, Stream: streamOf(row), Address: row.Address, Protocol: row.Protocol})
	// Without a list, the node's second word that there is nobody has to do.
	j.gone = j.err == nil && !j.found && p == unknown && j.row.Missing > 0
	attrs := []any{"node", row.Node, "stream", streamOf(row), "scene", row.Scene, "client_id", row.ClientID, "reason", j.row.Reason}
	if j.err != nil {
		s.Log.WarnContext(ctx, "not kicked", append(attrs, "error", j.err)...)
		return
	}
	s.Log.InfoContext(ctx, "kicked", append(attrs, "found", j.found)...)
}

// settle writes down what became of some jobs, and ends the sessions of those
// that are gone from their node. That those cannot be ended now, for somebody
// else's lock, delays nobody else.
func (s *Service) settle(ctx context.Context, jobs []*job, over []int64) error {
	noted := s.note(ctx, jobs)
	return errors.Join(noted, s.end(ctx, jobs, over))
}

func (s *Service) end(ctx context.Context, jobs []*job, over []int64) error {
	var gone []int64
	for _, j := range jobs {
		if j.gone {
			gone = append(gone, j.row.SessionID)
		}
	}
	if len(gone) > 0 {
		if err := s.Ledger.EndGone(ctx, gone, Evicted); err != nil {
			return err
		}
	}
	if over = append(over, gone...); len(over) > 0 {
		return pg.Err(s.q.EvictionsDelete(ctx, s.DB, over), nil)
	}
	return nil
}

// note writes down when those who are not gone are tried again.
func (s *Service) note(ctx context.Context, jobs []*job) error {
	var p db.EvictionsPutParams
	now := s.Now()
	for _, j := range jobs {
		if j.gone {
			continue
		}
		r := s.after(j, now)
		p.Ids, p.States, p.NextAt = append(p.Ids, r.SessionID), append(p.States, r.State), append(p.NextAt, r.NextAt)
		p.Tries, p.Missing, p.Errors = append(p.Tries, r.Tries), append(p.Missing, r.Missing), append(p.Errors, r.Error)
	}
	if len(p.Ids) == 0 {
		return nil
	}
	return pg.Err(s.q.EvictionsPut(ctx, s.DB, p), nil)
}

// after is what an attempt makes of an eviction.
func (s *Service) after(j *job, now time.Time) db.Eviction {
	r := j.row
	if !j.tried {
		r.NextAt = now
		return r
	}
	r.Tries++
	r.State, r.Error = Wanted, ""
	pause := s.pause(r.Tries)
	switch {
	case errs.KindOf(j.err) == errs.Conflict:
		r.State, r.Error, pause = Impossible, message(j.err), s.spread(pauseImpossible)
	case j.err != nil:
		r.Error = message(j.err)
	case j.found:
		r.Missing = 0
	default:
		r.Missing++
		pause = s.pause(min(r.Tries, 3))
	}
	r.NextAt = now.Add(pause)
	return r
}

// message is what may be told of an error.
func message(err error) string { return errs.As(err).Message }

// pause doubles with each try, and is spread.
func (s *Service) pause(tries int32) time.Duration {
	return s.spread(min(pauseMin<<min(max(tries-1, 0), maxDoublings), pauseMax))
}

func (s *Service) spread(d time.Duration) time.Duration {
	return d/2 + time.Duration(s.Jitter()*float64(d/2))
}

func streamOf(row db.OpenSession) media.Stream {
	return media.Stream{Vhost: row.Vhost, App: row.App, Name: row.Stream}
}
