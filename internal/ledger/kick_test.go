package ledger

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

// kicker notes whom it was asked to cut off.
type kicker struct {
	mu    sync.Mutex
	ids   []string
	reply func(media.Client) (bool, error)
}

func (k *kicker) Kick(_ context.Context, _ media.Node, c media.Client) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ids = append(k.ids, c.ID)
	if k.reply != nil {
		return k.reply(c)
	}
	return true, nil
}

func (k *kicker) asked() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	slices.Sort(k.ids)
	return k.ids
}

func withKicker(kind string, k media.Kicker) func(*bench) {
	return func(b *bench) { b.Controls = media.Controls{kind: {Kicker: k}} }
}

func ids(clients ...client) (out []string) {
	for _, c := range clients {
		out = append(out, c.id)
	}
	slices.Sort(out)
	return out
}

func TestKickStreamCutsOffItsPublisherAndWhoWatches(t *testing.T) {
	t.Parallel()
	k := &kicker{}
	b := setup(t, withKicker(node.KindSRS, k))
	publisher, first, second, gone := onSRS(stream("a")), onSRS(stream("a")), onSRS(stream("a")), onSRS(stream("a"))
	other := onSRS(stream("b"))
	b.allow(t, publisher.publish(), first.play(), second.play(), gone.play(), gone.leave(), other.publish())
	n, err := b.KickStream(t.Context(), stream("a"))
	if n != 3 || err != nil || !slices.Equal(k.asked(), ids(publisher, first, second)) {
		t.Errorf("%d, %v: %v", n, err, k.asked())
	}
	// The ledger believes the servers and nobody else.
	b.wantOpen(t, publisher, first, second, other)
}

func TestKickStreamOfNobodyIsNoError(t *testing.T) {
	t.Parallel()
	b := setup(t, withKicker(node.KindSRS, &kicker{}))
	if n, err := b.KickStream(t.Context(), stream("nobody")); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestKickStreamReachesEverybodyOfAGreatCrowd(t *testing.T) {
	t.Parallel()
	k := &kicker{}
	b := setup(t, withKicker(node.KindSRS, k))
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, started_at)
		SELECT 'edge-srs', 'vid-1/pid-1', 'p' || n, 0, 'play', '__defaultVhost__', 'live', 'a', $1 FROM generate_series(1, 2500) n`, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.KickStream(t.Context(), stream("a")); n != 2500 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestKickStreamSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	cannot := errs.New(errs.Conflict, "cannot_kick", "no")
	away := errs.New(errs.BadGateway, "media_server_unavailable", "away")
	for name, c := range map[string]struct {
		publishes     bool
		player, other error
		n             int
		want          errs.Kind
	}{
		"nobody can be cut off":                     {true, cannot, cannot, 0, errs.Conflict},
		"the node is away":                          {true, away, away, 0, errs.BadGateway},
		"one viewer has no connection":              {true, cannot, nil, 2, 0},
		"only viewers without a connection":         {false, cannot, cannot, 0, errs.Conflict},
		"the node goes away between the two halves": {true, away, nil, 2, errs.BadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			player := onSRS(stream("a"))
			b := setup(t, withKicker(node.KindSRS, &kicker{reply: func(m media.Client) (bool, error) {
				err := c.other
				if m.ID == player.id {
					err = c.player
				}
				return err == nil, err
			}}))
			if c.publishes {
				b.allow(t, onSRS(stream("a")).publish())
			}
			b.allow(t, player.play(), onSRS(stream("a")).play())
			n, err := b.KickStream(t.Context(), stream("a"))
			if n != c.n || (err == nil) != (c.want == 0) || err != nil && errs.KindOf(err) != c.want {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

func TestKickCredentialReachesWhomItCan(t *testing.T) {
	t.Parallel()
	away := errs.New(errs.BadGateway, "media_server_unavailable", "away")
	k := &kicker{}
	b := setup(t, withKicker(node.KindSRS, k))
	_, err := b.pool.Exec(t.Context(), `INSERT INTO sessions (node, server_id, client_id, scene, vhost, app, stream, started_at, ended_at, credential_kind, credential_id)
		SELECT 'edge-srs', 'vid-1/pid-1', 'p' || n, 'play', '__defaultVhost__', 'live', 'a', $1, CASE WHEN n > 1200 THEN $1::timestamptz END, 'live_token', '7'
		FROM generate_series(1, 1300) n`, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.allow(t, onSRS(stream("a")).publish(), onSRS(stream("b")).publish()) // by other credentials
	mine := access.Credential{Kind: access.ByLiveToken, ID: "7"}
	if n, err := b.KickCredential(t.Context(), mine); n != 1200 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := b.KickCredential(t.Context(), access.Credential{Kind: access.ByLiveToken, ID: "8"}); n != 0 || err != nil {
		t.Errorf("of nobody: %d, %v", n, err)
	}
	k.reply = func(c media.Client) (bool, error) {
		if c.ID == "p5" {
			return false, away
		}
		return true, nil
	}
	if n, err := b.KickCredential(t.Context(), mine); n != 1199 || errs.KindOf(err) != errs.BadGateway {
		t.Errorf("with a node away: %d, %v", n, err)
	}
}

func TestANodeOfAKindThatCannotKickIsToldApart(t *testing.T) {
	t.Parallel()
	b := setup(t, withKicker(node.KindSRS, &kicker{}))
	b.allow(t, onNginx(stream("a")).publish())
	if _, err := b.KickStream(t.Context(), stream("a")); errs.As(err).Reason != "cannot_kick" {
		t.Errorf("got %v", err)
	}
}

func TestKickSessionCutsOffOneOfItsStream(t *testing.T) {
	t.Parallel()
	k := &kicker{}
	b := setup(t, withKicker(node.KindSRS, k))
	one, two := onSRS(stream("a")), onSRS(stream("a"))
	b.allow(t, one.play(), two.play())
	all, err := b.Consumers(t.Context(), stream("a"), 10)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	if found, err := b.KickSession(t.Context(), stream("other"), all[0].ID); found || err != nil {
		t.Errorf("of another stream: %v, %v", found, err)
	}
	if found, err := b.KickSession(t.Context(), stream("a"), all[1].ID+100); found || err != nil {
		t.Errorf("of nobody: %v, %v", found, err)
	}
	if found, err := b.KickSession(t.Context(), stream("a"), all[0].ID); !found || err != nil || !slices.Equal(k.asked(), ids(one)) {
		t.Errorf("%v, %v: %v", found, err, k.asked())
	}
}

func TestKickReportsADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.KickStream(ctx, stream("a"))
	_, err2 := b.KickSession(ctx, stream("a"), 1)
	if err == nil || err2 == nil || errors.Is(err, errCannotKick) {
		t.Errorf("%v, %v", err, err2)
	}
}
