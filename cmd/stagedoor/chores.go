package main

import (
	"context"
	"time"
)

const (
	// flushPause is how often this process writes down what it has noted.
	flushPause = 10 * time.Second
	// dutyPause is how often it is looked whether a duty is due, and ours.
	dutyPause = 2 * time.Second
	// retryPause is for a duty that failed.
	retryPause = 10 * time.Second
	seldom     = time.Hour
)

// duty is something that one process does for all, now and then. It bears being
// done twice.
type duty struct {
	every time.Duration
	do    func(context.Context) error
	next  time.Time
}

// duties are what is done by the process that leads in "chores". It does all of
// them soon after it has taken over: nobody knows when they were done last.
func (a *app) duties() []duty {
	expire := func(ctx context.Context) error { return a.rooms.ExpireReports(ctx, a.cfg.SessionLease) }
	var all []duty
	for _, do := range []func(context.Context) error{a.accounts.Purge, a.access.PurgeTokens, a.access.PurgeBans, a.jumps.Purge,
		expire, a.ledger.Maintain, a.ledger.ForgetStreams, a.events.Maintain, a.refusals.Maintain, a.refusals.Trim, a.webhooks.Maintain} {
		all = append(all, duty{every: seldom, do: do})
	}
	return append(all, duty{every: flushPause, do: a.ledger.Purge}, duty{every: 10 * time.Minute, do: a.rooms.SweepGroups})
}

// chores are what must happen now and then, until ctx ends: what this process
// has to write down or forget itself, at the end too, and what it does for all
// while it leads.
func (a *app) chores(ctx context.Context) {
	own := []func(context.Context) error{a.access.FlushKeyUse, a.accounts.FlushKeyUse, a.nodes.FlushSeen, a.ledger.FlushSeen}
	all := a.duties()
	flush, look, forget := time.NewTicker(flushPause), time.NewTicker(dutyPause), time.NewTicker(seldom)
	defer flush.Stop()
	defer look.Stop()
	defer forget.Stop()
	spaceHeap() // the view has been read
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			a.chore(ctx, own...)
			return
		case <-flush.C:
			a.chore(ctx, own...)
			spaceHeap()
		case <-look.C:
			a.serveAll(ctx, all)
		case <-forget.C:
			a.accounts.Forget()
		}
	}
}

// serveAll does the duties that are due, if they are this process's.
func (a *app) serveAll(ctx context.Context, all []duty) {
	leads := a.leader.Hold(ctx, "chores")
	for i := range all {
		d := &all[i]
		switch {
		case !leads:
			d.next = time.Time{}
		case !time.Now().Before(d.next):
			d.next = time.Now().Add(retryPause)
			if a.chore(ctx, d.do) {
				d.next = time.Now().Add(d.every)
			}
		}
	}
}

// chore reports whether all of it succeeded.
func (a *app) chore(ctx context.Context, work ...func(context.Context) error) bool {
	done := true
	for _, do := range work {
		if err := do(ctx); err != nil {
			done = false
			a.log.WarnContext(ctx, "chore failed", "error", err)
		}
	}
	return done
}
