package evict

import (
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Whoever asks for a kick is told what came of it.
func TestAKickSaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	for state, change := range map[string]func(*server){Kicked: able, Impossible: unable, Pending: away} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			player := b.comes(t, edge2, media.Play, "s", b.signed(t, media.Play, "s"))
			b.servers[edge2].set(change)
			id := int64(b.count(t, "SELECT id FROM open_sessions WHERE node = $1 AND client_id = $2", player.Node, player.ClientID))
			o, err := b.Kick(t.Context(), id)
			if err != nil || o.State != state || (o.Message == "") != (state == Kicked) || (o.Kicked == 1) != (state == Kicked) {
				t.Errorf("%+v, %v", o, err)
			}
			if o, err := b.Cut(t.Context(), streamNamed("s")); err != nil || o.State != state && o.State != Gone {
				t.Errorf("the stream: %+v, %v", o, err)
			}
		})
	}
	b := setup(t)
	for _, id := range []int64{0, -1, 4711} {
		if _, err := b.Kick(t.Context(), id); errs.As(err).Reason != "session_not_found" {
			t.Errorf("%d: %v", id, err)
		}
	}
	if o, err := b.Cut(t.Context(), streamNamed("nobody's")); err != nil || o.State != Gone {
		t.Errorf("%+v, %v", o, err)
	}
}
