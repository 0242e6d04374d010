package node_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

func TestOtherProcessesFollowEveryChange(t *testing.T) {
	t.Parallel()
	here, pool := setup(t)
	there := setupOn(pool)
	following := dbtest.Follow(t, pool, there)
	if n, err := there.Authenticate("", netip.MustParseAddr("127.0.0.1"), true); err != nil || n.Name != node.Local {
		t.Fatalf("the local node is not loaded: %+v, %v", n, err)
	}

	old := create(t, here, "edge", node.Settings{})
	following.CatchUp(t)
	if n, err := there.Authenticate(old, anywhere, true); err != nil || n.Name != "edge" {
		t.Errorf("created: %+v, %v", n, err)
	}
	if err := here.Update(t.Context(), "edge", node.Settings{Kind: node.KindSRS, URLs: media.URLs{HTTPFLV: "http://h/{stream}"}}); err != nil {
		t.Fatal(err)
	}
	following.CatchUp(t)
	if n, _ := there.Get("edge"); n.URLs == (media.URLs{}) {
		t.Errorf("updated: %+v", n)
	}
	fresh, err := here.RotateSecret(t.Context(), "edge")
	if err != nil {
		t.Fatal(err)
	}
	following.CatchUp(t)
	if _, err := there.Authenticate(old, anywhere, true); err == nil {
		t.Error("rotated: the old secret is still good")
	}
	if _, err := there.Authenticate(fresh, anywhere, true); err != nil {
		t.Errorf("rotated: %v", err)
	}
	if err := here.Delete(t.Context(), "edge"); err != nil {
		t.Fatal(err)
	}
	following.CatchUp(t)
	if _, err := there.Authenticate(fresh, anywhere, true); err == nil {
		t.Error("deleted: the secret is still good")
	}
}

func TestReloadForgetsWhatIsGone(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	secret := create(t, s, "edge", node.Settings{})
	if _, err := pool.Exec(t.Context(), "DELETE FROM nodes"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if known := s.Known(); len(known) != 0 {
		t.Errorf("known %v", known)
	}
	if _, err := s.Authenticate(secret, anywhere, true); err == nil {
		t.Error("the secret of a node that is gone is good")
	}
}

func TestFailedReloadKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	secret := create(t, s, "edge", node.Settings{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Reload(ctx, pool); err == nil {
		t.Fatal("no error")
	}
	if _, err := s.Authenticate(secret, anywhere, true); err != nil {
		t.Error(err)
	}
}

func TestAnotherMasterKeyIsNoticed(t *testing.T) {
	t.Parallel()
	s, pool := setup(t)
	create(t, s, "edge", node.Settings{Username: "u", Password: "p"})
	stranger := node.New(node.Config{DB: pool, Box: otherBox(t), Now: time.Now})
	if err := stranger.Reload(t.Context(), pool); err == nil {
		t.Error("a control password was opened with another key")
	}
	if _, err := stranger.Secret(t.Context(), "edge"); err == nil {
		t.Error("a callback secret was opened with another key")
	}
}

func otherBox(t *testing.T) *seal.Box {
	t.Helper()
	box, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return box
}
