package ledger

import (
	"context"
	"errors"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/node"
)

// having is a server that can be asked for one client.
type having struct {
	has   bool
	err   error
	asked []media.Client
}

func (h *having) Kick(context.Context, media.Node, media.Client) (bool, error) { return h.has, h.err }

func (h *having) Has(_ context.Context, _ media.Node, who media.Client) (bool, error) {
	h.asked = append(h.asked, who)
	return h.has, h.err
}

// finding gives nginx nodes the ability, so that nothing but it differs.
func finding(h *having) option {
	return func(b *bench) {
		b.Controls = media.Controls{node.KindNginxRTMP: {Kicker: h, Lister: lister(func(context.Context, media.Node) ([]media.LiveStream, error) {
			return nil, errors.New("a list must not be waited for")
		})}}
	}
}

func TestAServerThatKnowsOneClientIsAskedForItAtOnce(t *testing.T) {
	t.Parallel()
	h := &having{}
	b := setup(t, finding(h))
	old, now := onNginx(stream("s")).number(1), onNginx(stream("s")).number(2)
	b.allow(t, old.publish(), now.publish()) // without any time of grace
	b.wantOpen(t, now)
	if len(h.asked) != 1 || h.asked[0].ID != "1" || h.asked[0].Stream.Name != "s" {
		t.Errorf("asked for %+v", h.asked)
	}
}

func TestAPublisherStaysWhenItsServerHasItOrDoesNotSay(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*having{"it is there": {has: true}, "nobody says": {err: errors.New("no answer")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, finding(h))
			old := onNginx(stream("s")).number(1)
			b.allow(t, old.publish())
			b.refuse(t, onNginx(stream("s")).number(2).publish(), media.AlreadyPublishing)
			b.wantOpen(t, old)
		})
	}
}
