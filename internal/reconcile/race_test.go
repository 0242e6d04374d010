package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// pausing is a ledger at which something happens between two steps of a repair.
type pausing struct {
	*ledger.Ledger
	beforeOpen, afterOpen, beforeRepair func()
}

func (p *pausing) OpenOn(ctx context.Context, node string, after int64, limit int) ([]ledger.Session, error) {
	p.beforeOpen()
	defer p.afterOpen()
	return p.Ledger.OpenOn(ctx, node, after, limit)
}

func (p *pausing) EndGone(ctx context.Context, ids []int64, reason string) error {
	p.beforeRepair()
	return p.Ledger.EndGone(ctx, ids, reason)
}

func (p *pausing) Learn(ctx context.Context, f ledger.Found) (media.Verdict, error) {
	p.beforeRepair()
	return p.Ledger.Learn(ctx, f)
}

// moments are when a callback can arrive while a node is looked at.
var moments = []string{"before the ledger is read", "after the ledger was read", "before the list is told", "after the list was told"}

// at makes do happen at one of the moments, once.
func (b *bench) at(moment int, s *server, do func()) {
	done := false
	when := func(m int) func() {
		return func() {
			if m == moment && !done {
				done = true
				do()
			}
		}
	}
	b.Reconciler.Ledger = &pausing{b.ledger, when(0), when(1), when(3)}
	s.answers(func(http.ResponseWriter, *http.Request) bool { when(2)(); return false })
}

// A client comes or goes, on the node and by its callback, at every moment of a
// look at the node, in both orders of the two. After one more look the ledger is
// what the node has.
func TestNoMomentOfACallbackMisleadsALook(t *testing.T) {
	t.Parallel()
	for moment, name := range moments {
		for _, callbackFirst := range []bool{true, false} {
			for _, coming := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, callback first %t, coming %t", name, callbackFirst, coming), func(t *testing.T) {
					t.Parallel()
					b := setup(t, access.OpenByDefault)
					s, r := b.srsNode(t, "edge"), b.room(t)
					bystander, client := s.event(media.Publishing, "bystander", "y"), s.event(media.Publishing, "client", r.ID)
					b.allow(t, bystander)
					callback, listed := client, []media.Event{bystander, client}
					s.lists(later, bystander)
					if !coming {
						b.allow(t, client)
						s.lists(later, bystander, client)
						callback, listed = s.event(media.Unpublished, "client", r.ID), []media.Event{bystander}
					}
					b.clock.advance(later)
					age := later
					if coming {
						age = 0
					}
					steps := []func(){func() { b.allow(t, callback) }, func() { s.lists(age, listed...) }}
					if !callbackFirst {
						steps[0], steps[1] = steps[1], steps[0]
					}
					b.at(moment, s, func() { steps[0](); steps[1]() })
					want, state := "bystander client", room.On
					if !coming {
						want, state = "bystander", room.Prepare
					}
					b.once(t, s)
					b.at(-1, s, nil)
					b.once(t, s)
					if moment == 3 { // nothing was repaired, so that moment never came
						steps[0]()
						steps[1]()
						b.once(t, s)
					}
					b.wantOpen(t, want)
					b.wantStatus(t, r.ID, state)
					b.clock.advance(later)
					s.lists(2*later, listed...)
					b.once(t, s)
					b.wantOpen(t, want)
					b.wantStatus(t, r.ID, state)
					if got := b.text(t, "SELECT count(*)::text FROM sessions WHERE client_id = 'client' AND started_at IS NOT NULL"); got != "1" {
						t.Errorf("%s sessions of one connection", got)
					}
				})
			}
		}
	}
}

func TestAClientThatLeavesWhileItIsLearnedIsNotLearned(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, r := b.srsNode(t, "edge"), b.room(t)
	client := s.event(media.Publishing, "client", r.ID)
	s.lists(later, client)
	b.at(3, s, func() {
		b.allow(t, s.event(media.Unpublished, "client", r.ID), s.event(media.Disconnected, "client", ""))
	})
	b.once(t, s)
	b.wantOpen(t, "")
	b.wantStatus(t, r.ID, room.Prepare)
}

func TestAClientWhoseCallbackComesWhileItIsLearnedIsOnRecordOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, r := b.srsNode(t, "edge"), b.room(t)
	client := s.event(media.Publishing, "client", r.ID)
	s.lists(later, client)
	b.at(3, s, func() { b.allow(t, client) })
	b.once(t, s)
	b.allow(t, client) // and once more
	b.wantOpen(t, "client")
	b.wantStatus(t, r.ID, room.On)
}

func TestAGhostWhoseEndComesWhileItIsEndedEndsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, access.OpenByDefault)
	s, r := b.srsNode(t, "edge"), b.room(t)
	old, fresh := s.event(media.Publishing, "old", r.ID), s.event(media.Publishing, "fresh", r.ID)
	b.allow(t, old)
	b.clock.advance(later)
	// The end arrives and somebody else takes the stream, all before the repair.
	b.at(3, s, func() { b.allow(t, s.event(media.Unpublished, "old", r.ID), fresh) })
	b.once(t, s)
	b.wantOpen(t, "fresh")
	b.wantEnd(t, "old", "unpublish")
	b.wantStatus(t, r.ID, room.On)
}
