package evict

import (
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func claimSweeps(now time.Time) db.RevocationsClaimParams {
	return db.RevocationsClaimParams{Now: now, Horizon: now.Add(horizon), Lease: now.Add(lease), RowLimit: 10}
}

func claimNode(node string, now time.Time) db.EvictionsClaimParams {
	return db.EvictionsClaimParams{Node: node, Now: now, Horizon: now.Add(horizon), Lease: now.Add(lease), RowLimit: 10}
}

func TestKickStreamCutsOffItsPublisherAndWhoWatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.both(t, edge, "s")
	b.comes(t, edge2, media.Play, "s", b.signed(t, media.Play, "s"))
	other := b.publisher(t, edge, "other")
	if n, err := b.KickStream(t.Context(), streamNamed("s")); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := b.KickStream(t.Context(), streamNamed("nobody's")); n != 0 || err != nil {
		t.Errorf("of nobody: %d, %v", n, err)
	}
	b.settled(t)
	b.wantOpen(t, other)
	b.publisher(t, edge, "s") // a kick is no ban
}

func TestKickStreamSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		publishes     bool
		player, other func(*server)
		n             int
		want          errs.Kind
	}{
		"nobody can be cut off":             {true, unable, unable, 0, errs.Conflict},
		"the node is away":                  {true, away, away, 0, errs.BadGateway},
		"one viewer has no connection":      {true, unable, able, 2, 0},
		"only viewers without a connection": {false, unable, unable, 0, errs.Conflict},
		"the node of a viewer is away":      {true, away, able, 2, errs.BadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if c.publishes {
				b.publisher(t, edge2, "s")
			}
			b.comes(t, edge2, media.Play, "s", b.signed(t, media.Play, "s"))
			b.comes(t, edge, media.Play, "s", b.signed(t, media.Play, "s"))
			b.servers[edge].set(c.player)
			b.servers[edge2].set(c.other)
			n, err := b.KickStream(t.Context(), streamNamed("s"))
			if n != c.n || (err == nil) != (c.want == 0) || err != nil && errs.KindOf(err) != c.want {
				t.Errorf("%d, %v", n, err)
			}
			for _, s := range b.servers {
				s.set(able)
			}
			b.clock.advance(pauseImpossible) // goes on being tried
			b.turn(t.Context())
			b.runners.Wait()
			b.settled(t)
			b.wantOpen(t)
		})
	}
}

func able(s *server)   { s.cannot, s.down = false, false }
func unable(s *server) { s.cannot = true }
func away(s *server)   { s.down = true }

func TestKickCredentialReachesWhomItCan(t *testing.T) {
	t.Parallel()
	b := setup(t)
	alice := b.somebody(t, "alice")
	token := b.liveToken(t, alice, "s")
	b.comes(t, edge, media.Publish, "s", "token="+token.Token)
	b.comes(t, edge2, media.Play, "s", "token="+token.PlayToken)
	stays := b.comes(t, edge, media.Play, "s", b.signed(t, media.Play, "s"))
	b.servers[edge].set(away)
	destroyed, err := b.access.DestroyToken(t.Context(), access.Owner{ID: alice.ID}, token.Token)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.KickCredential(t.Context(), destroyed); n != 1 || errs.KindOf(err) != errs.BadGateway {
		t.Errorf("%d, %v", n, err)
	}
	b.servers[edge].set(able)
	b.settled(t)
	b.wantOpen(t, stays)
}

func TestKickSessionCutsOffOneOfItsStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	publisher, player := b.both(t, edge, "s")
	all, err := b.ledger.Consumers(t.Context(), streamNamed("s"), 10)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	for id, st := range map[int64]media.Stream{all[0].ID: streamNamed("other"), all[0].ID + 100: streamNamed("s")} {
		if found, err := b.KickSession(t.Context(), st, id); found || err != nil {
			t.Errorf("of %v: %v, %v", st, found, err)
		}
	}
	b.servers[edge].set(func(s *server) { s.lose = 1 })
	if found, err := b.KickSession(t.Context(), streamNamed("s"), all[0].ID); !found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	all, err = b.ledger.Consumers(t.Context(), streamNamed("s"), 10)
	if err != nil || len(all) != 1 || all[0].Eviction == nil || all[0].Eviction.Reason != reasonKicked {
		t.Fatal(all, err)
	}
	b.settled(t)
	b.wantOpen(t, publisher)
	if asked := b.servers[edge].asked(); !slices.Contains(asked, player.ClientID) || slices.Contains(asked, publisher.ClientID) {
		t.Errorf("kicked %v", asked)
	}
}

// A great crowd is no reason to leave anybody out.
func TestKickStreamReachesEverybodyOfAGreatCrowd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const crowd = 2500
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, started_at)
		SELECT 'edge', 'vid/pid-1', 'p' || n, 'play', '__defaultVhost__', 'live', 'a', $1 FROM generate_series(1, $2::int) n`, b.clock.now(), crowd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.KickStream(t.Context(), streamNamed("a")); err != nil {
		t.Error(err)
	}
	if n := len(b.servers[edge].asked()); n != crowd {
		t.Errorf("%d kicks", n)
	}
}

func TestPausesDoubleAndAreSpread(t *testing.T) {
	t.Parallel()
	for _, jitter := range []float64{0, 0.5, 1} {
		s := New(Config{Jitter: func() float64 { return jitter }})
		last := time.Duration(0)
		for tries := range int32(40) {
			p := s.pause(tries)
			if p < last || p < pauseMin/2 || p > pauseMax {
				t.Errorf("try %d waits %v after %v", tries, p, last)
			}
			last = p
		}
	}
}
