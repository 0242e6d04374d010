package main

import (
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/outage"
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

// chore is something that is to be done now and then. The log knows its name.
type chore struct {
	name string
	do   func(context.Context) error
}

// duty is a chore that one process does for all. It bears being done twice.
type duty struct {
	chore
	every time.Duration
	next  time.Time
}

// duties are what is done by the process that leads in "chores". It does all of
// them soon after it has taken over: nobody knows when they were done last.
func (a *app) duties() []duty {
	expire := func(ctx context.Context) error { return a.rooms.ExpireReports(ctx, a.cfg.SessionLease) }
	var all []duty
	for _, c := range append(a.upkeep(), []chore{{"forget old logins", a.accounts.Purge}, {"forget old tokens", a.access.PurgeTokens},
		{"forget old bans", a.access.PurgeBans}, {"forget old invitations", a.jumps.Purge}, {"expire reports of rooms", expire},
		{"forget old streams", a.ledger.ForgetStreams}, {"forget old refusals", a.refusals.Trim}}...) {
		all = append(all, duty{chore: c, every: seldom})
	}
	return append(all, duty{chore: chore{"forget ended sessions", a.ledger.Purge}, every: flushPause},
		duty{chore: chore{"remove stray message groups", a.rooms.SweepGroups}, every: 10 * time.Minute})
}

// upkeep makes the days that tables are kept in, and drops the old ones.
func (a *app) upkeep() []chore {
	return []chore{{"days of sessions", a.ledger.Maintain}, {"days of events", a.events.Maintain}, {"days of refusals", a.refusals.Maintain},
		{"days of deliveries", a.webhooks.Maintain}}
}

// chores are what must happen now and then, until ctx ends: what this process
// has to write down or forget itself, at the end too, and what it does for all
// while it leads.
func (a *app) chores(ctx context.Context) {
	own := []chore{{"write down the use of signing keys", a.access.FlushKeyUse}, {"write down the use of access keys", a.accounts.FlushKeyUse},
		{"write down who was seen", a.nodes.FlushSeen}, {"write down which sessions go on", a.ledger.FlushSeen}}
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
			a.attend(ctx, own...)
			return
		case <-flush.C:
			a.attend(ctx, own...)
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
			if a.attend(ctx, d.chore) {
				d.next = time.Now().Add(d.every)
			}
		}
	}
}

var undone = outage.Words{Begins: "chore failed", Ends: "chore done again"}

// attend does chores and reports whether all succeeded.
func (a *app) attend(ctx context.Context, work ...chore) bool {
	done := true
	for _, c := range work {
		err := c.do(ctx)
		a.outages.Note(ctx, undone, c.name, err, "chore", c.name)
		done = done && err == nil
	}
	return done
}
