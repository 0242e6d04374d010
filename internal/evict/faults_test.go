package evict

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// revokePublishing makes the key that signs for publishers worthless.
func (b *bench) revokePublishing(t *testing.T) {
	t.Helper()
	rules, err := b.access.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.access.SetKeyState(t.Context(), rules[0].ID, rules[0].Keys[0].ID, access.KeyRevoked); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) publisher(t *testing.T, on, stream string) media.Event {
	t.Helper()
	return b.comes(t, on, media.Publish, stream, b.signed(t, media.Publish, stream))
}

func TestAKickIsRepeatedUntilTheNodeHasNobody(t *testing.T) {
	t.Parallel()
	for name, misbehave := range map[string]func(*server){
		"kicks are lost":               func(s *server) { s.lose = 4 },
		"the end is never told":        func(s *server) { s.silent = true },
		"both":                         func(s *server) { s.lose, s.silent = 3, true },
		"and the list tells nothing":   func(s *server) { s.lose, s.silent, s.census = 2, true, false },
		"somebody left without a word": func(s *server) { clear(s.clients) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			one, two := b.publisher(t, edge, "s"), b.publisher(t, count, "counted")
			for _, n := range []string{edge, count} {
				b.servers[n].set(misbehave)
			}
			b.revokePublishing(t)
			b.settled(t)
			b.wantOpen(t)
			if b.servers[edge].has(one) || b.servers[count].has(two) {
				t.Error("somebody is still there")
			}
		})
	}
}

func TestANodeThatWasAwayIsToldWhenItIsBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	away, there := b.publisher(t, edge, "away"), b.publisher(t, edge2, "there")
	b.servers[edge].set(func(s *server) { s.down = true })
	b.revokePublishing(t)
	for range 30 {
		b.turn(t.Context())
		b.runners.Wait()
		b.clock.advance(2 * time.Second)
	}
	b.wantOpen(t, away)
	if r := b.eviction(t, away); r.State != Wanted || r.Tries == 0 || r.Error != "media server unavailable" || b.servers[edge2].has(there) {
		t.Errorf("the eviction is %+v", r)
	}
	b.servers[edge].set(func(s *server) { s.down = false })
	b.settled(t)
	b.wantOpen(t)
}

func TestANodeThatHangsDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hangs := b.publisher(t, edge, "hangs")
	b.publisher(t, edge2, "there")
	never := make(chan struct{})
	b.servers[edge].set(func(s *server) { s.hang = never })
	b.revokePublishing(t)
	b.goOn(t, b.Run)
	eventually(t, "the other is gone", func() bool { return b.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 1 })
	b.wantOpen(t, hangs)
	b.servers[edge].set(func(s *server) { s.hang = nil })
	close(never)
	eventually(t, "nobody is left", func() bool {
		b.clock.advance(time.Second)
		return b.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 0
	})
}

// After a restart the same number is somebody else's.
func TestNobodyElseWithTheSameNumberIsCutOff(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*media.LiveClient){
		"of another address": func(c *media.LiveClient) { c.Address = "192.0.2.8" },
		"of another stream":  func(c *media.LiveClient) { c.Stream.Name = "another" },
		"who plays":          func(c *media.LiveClient) { c.Scene = media.Play },
		"who came later":     func(c *media.LiveClient) { c.Uptime = time.Second },
		"of another process": func(c *media.LiveClient) { c.ServerID = "vid/pid-2" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			on := count
			if name == "of another process" {
				on = edge
			}
			e := b.publisher(t, on, "s")
			b.servers[on].set(func(s *server) {
				c := s.clients[e.ClientID]
				change(&c)
				s.clients[e.ClientID] = c
			})
			if on == edge { // it was tried before, so its list is looked at
				b.servers[on].set(func(s *server) { s.down = true })
				if _, err := b.KickStream(t.Context(), e.Stream); errs.KindOf(err) != errs.BadGateway {
					t.Fatal(err)
				}
				b.servers[on].set(func(s *server) { s.down = false })
			}
			b.clock.advance(time.Minute)
			b.revokePublishing(t)
			b.settled(t)
			b.wantOpen(t)
			if asked := b.servers[on].asked(); len(asked) > 0 || !b.servers[on].has(e) {
				t.Errorf("kicked %v", asked)
			}
		})
	}
}

// Our process is killed after it has promised: another one goes on, at the
// latest when the lease is over.
func TestAnotherProcessGoesOnWhereOneWasKilled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := b.publisher(t, edge, "s")
	b.revokePublishing(t)
	// The first process has claimed both rows and is no more.
	now := b.clock.now()
	if due, err := b.q.RevocationsClaim(t.Context(), b.pool, claimSweeps(now)); err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	second := b.another(t)
	second.turn(t.Context())
	second.runners.Wait()
	if !b.servers[edge].has(e) {
		t.Fatal("the lease is worth nothing")
	}
	b.clock.advance(lease)
	if err := b.sweepDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	now = b.clock.now()
	if rows, err := b.q.EvictionsClaim(t.Context(), b.pool, claimNode(edge, now)); err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	b.clock.advance(lease)
	b.settled(t, second)
	b.wantOpen(t)
}

func TestTwoProcessesShareTheWorkAndKickOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const crowd = 300
	for i := range crowd {
		e := b.event(edge, media.Play, "s", b.signed(t, media.Play, "s"))
		if v, err := b.ledger.Handle(t.Context(), e); err != nil || !v.Allow {
			t.Fatal(i, v, err)
		}
		b.servers[edge].accept(e)
	}
	rules, err := b.access.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.access.DeleteRule(t.Context(), rules[1].ID); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.goOn(t, b.another(t).Run)
	}
	eventually(t, "everybody is gone", func() bool {
		b.clock.advance(10 * time.Millisecond)
		return b.count(t, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == 0
	})
	asked := b.servers[edge].asked()
	slices.Sort(asked)
	if n := len(slices.Compact(slices.Clone(asked))); len(asked) != crowd || n != crowd {
		t.Errorf("%d kicks of %d", len(asked), n)
	}
}

func TestWhereNobodyCanBeCutOffTheSessionIsMarked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e, cannot := b.publisher(t, plain, "s"), b.publisher(t, edge, "hls")
	b.servers[edge].set(func(s *server) { s.cannot = true })
	if _, err := b.KickStream(t.Context(), e.Stream); errs.As(err).Reason != "cannot_kick" {
		t.Fatal(err)
	}
	b.revokePublishing(t)
	b.settled(t)
	b.wantOpen(t, e, cannot)
	for name, fault := range map[string]string{"s": errCannotKick.Message, "hls": errCannot.Message} {
		found, err := b.ledger.Find(t.Context(), "/live/"+name)
		if err != nil {
			t.Fatal(err)
		}
		ev := found.Publisher.Eviction
		if ev == nil || ev.State != Impossible || ev.Fault != fault || ev.Since.IsZero() {
			t.Errorf("%s is marked %+v", name, ev)
		}
	}
	// The node becomes one that can be told.
	kind := node.KindSRS
	if err := b.nodes.Change(t.Context(), plain, node.Changes{Kind: &kind}); err != nil {
		t.Fatal(err)
	}
	b.servers[edge].set(func(s *server) { s.cannot = false })
	for _, name := range []string{plain, edge} {
		if err := b.Apply(t.Context(), b.pool, pg.Change{Table: "nodes", Key: name}); err != nil {
			t.Fatal(err)
		}
	}
	b.turn(t.Context())
	b.runners.Wait()
	b.settled(t)
	b.wantOpen(t)
}

// The tables are worked off at once when somebody writes to them, and survive a
// database that is away.
func TestTheFeedWakesWhoeverRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed := pg.NewFeed(b.pool, b.Log, b.Service)
	ctx, cancel := context.WithCancel(t.Context())
	if err := feed.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); <-feed.Done() })
	<-b.wake // of loading
	e := b.publisher(t, edge, "s")
	b.revokePublishing(t)
	select {
	case <-b.wake:
	case <-time.After(time.Minute):
		t.Fatal("nobody woke up")
	}
	b.goOn(t, b.Run)
	eventually(t, "the client is gone", func() bool { return !b.servers[edge].has(e) })
}

func TestNothingIsLostWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.publisher(t, edge, "s")
	b.revokePublishing(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if pause := b.turn(over); pause != lookAgain {
		t.Errorf("looks again after %v", pause)
	}
	if _, err := b.KickStream(over, streamNamed("s")); err == nil {
		t.Error("a kick without a database")
	}
	b.settled(t)
	b.wantOpen(t)
}

// Somebody holds a lock on the session of one who is gone already. Another one
// on the same node is cut off all the same.
func TestASessionThatCannotBeEndedNowDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.publisher(t, edge, "first"), b.publisher(t, edge, "second")
	b.servers[edge].set(func(s *server) { s.silent = true })
	var ids [2]int64
	for i, e := range []media.Event{first, second} {
		ids[i] = int64(b.count(t, "SELECT id FROM open_sessions WHERE client_id = $1", e.ClientID))
	}
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT FROM open_sessions WHERE id = $1 FOR UPDATE", ids[0]); err != nil {
		t.Fatal(err)
	}
	for i, e := range []media.Event{first, second} {
		if _, err := b.pool.Exec(t.Context(), "INSERT INTO evictions (session_id, node, reason, asked_at, next_at) VALUES ($1, $2, 'kicked', now(), $3)",
			ids[i], edge, b.clock.now()); err != nil {
			t.Fatal(err)
		}
		eventually(t, e.Stream.Name+" is cut off", func() bool {
			b.turn(t.Context())
			b.clock.advance(time.Second)
			return !b.servers[edge].has(e)
		})
		b.clock.advance(grace)
	}
	if b.count(t, "SELECT count(*) FROM open_sessions WHERE id = $1", ids[0]) != 1 {
		t.Error("the lock held nothing")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.settled(t)
	b.wantOpen(t)
}
