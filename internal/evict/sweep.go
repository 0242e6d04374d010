package evict

import (
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Somebody is let in by what was in force a moment ago, and is on record a moment
// later: by a callback that was being answered when the revocation was committed,
// or by a process that had not heard of it yet. So a revocation is swept for
// several times, until no process can hold to what was before: views are stale
// for some seconds at the most.
var sweepPauses = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second}

const sweepsAtOnce = 64

func (s *Service) sweepFor(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return s.sweepDue(ctx)
}

// sweepDue asks for the eviction of whoever was let in by what is void.
func (s *Service) sweepDue(ctx context.Context) error {
	for {
		now := s.Now()
		due, err := s.q.RevocationsClaim(ctx, s.DB, db.RevocationsClaimParams{Now: now, Horizon: now.Add(horizon), Lease: now.Add(lease), RowLimit: sweepsAtOnce})
		if err != nil {
			return pg.Err(err, nil)
		}
		for _, r := range due {
			if err := s.sweep(ctx, r); err != nil {
				return err
			}
		}
		if len(due) < sweepsAtOnce {
			return nil
		}
	}
}

func (s *Service) sweep(ctx context.Context, r db.Revocation) error {
	n, err := s.find(ctx, r)
	if err != nil {
		return pg.Err(err, nil)
	}
	if n > 0 {
		s.Log.InfoContext(ctx, "sessions are to be cut off", "sessions", n, "reason", r.Reason, "sweep", r.Sweeps+1)
	}
	if int(r.Sweeps) >= len(sweepPauses) {
		return pg.Err(s.q.RevocationDelete(ctx, s.DB, r.ID), nil)
	}
	next := s.Now().Add(sweepPauses[r.Sweeps])
	return pg.Err(s.q.RevocationSwept(ctx, s.DB, db.RevocationSweptParams{ID: r.ID, NextAt: next}), nil)
}

func (s *Service) find(ctx context.Context, r db.Revocation) (int64, error) {
	now := s.Now()
	switch r.What {
	case "credential":
		return s.q.EvictionsByCredential(ctx, s.DB, db.EvictionsByCredentialParams{Kind: r.CredentialKind, CredentialIds: r.CredentialIds,
			StartedBefore: r.StartedBefore, Reason: r.Reason, Now: now})
	case "stream":
		return s.q.EvictionsByStream(ctx, s.DB, db.EvictionsByStreamParams{App: r.App, Stream: r.Stream, Scene: r.Scene,
			StartedBefore: r.StartedBefore, Reason: r.Reason, Now: now})
	case "ban":
		return s.findBanned(ctx, r, now)
	}
	return s.findOfAccount(ctx, r, now)
}

// findBanned looks at the ban as it is now: one that was lifted meanwhile ends
// nobody.
func (s *Service) findBanned(ctx context.Context, r db.Revocation, now time.Time) (int64, error) {
	rows, err := s.q.EvictionStream(ctx, s.DB, db.EvictionStreamParams{App: r.App, Stream: r.Stream})
	if err != nil {
		return 0, err
	}
	var ids []int64
	for _, row := range rows {
		if s.Bans.Banned(now, "", media.Stream{Vhost: row.Vhost, App: r.App, Name: r.Stream}) {
			ids = append(ids, row.ID)
		}
	}
	return s.ask(ctx, ids, r.Reason, now)
}

// findOfAccount looks at the account as it is now: who logged in again since, or
// was given another right, stays.
func (s *Service) findOfAccount(ctx context.Context, r db.Revocation, now time.Time) (total int64, err error) {
	standing, err := s.Accounts.Standing(ctx, r.Subject)
	if err != nil {
		return 0, err
	}
	for after := int64(0); ; {
		rows, err := s.q.EvictionSubject(ctx, s.DB, db.EvictionSubjectParams{Subject: r.Subject, After: after, RowLimit: maxPage})
		if err != nil {
			return total, err
		}
		var ids []int64
		for _, row := range rows {
			if !stays(standing, row) {
				ids = append(ids, row.ID)
			}
		}
		n, err := s.ask(ctx, ids, r.Reason, now)
		total += n
		if err != nil || len(rows) < maxPage {
			return total, err
		}
		after = rows[len(rows)-1].ID
	}
}

func stays(st account.Standing, row db.EvictionSubjectRow) bool {
	if row.CredentialKind == string(access.ByLiveToken) {
		return row.InForce
	}
	may := st.MayPull
	if row.Scene == string(media.Publish) {
		may = st.MayPush
	}
	return st.InForce(row.CredentialID) && may("/"+media.Stream{Vhost: row.Vhost, App: row.App, Name: row.Stream}.String())
}

func (s *Service) ask(ctx context.Context, ids []int64, reason string, now time.Time) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return s.q.EvictionsInsert(ctx, s.DB, db.EvictionsInsertParams{Ids: ids, Reason: reason, Now: now})
}
