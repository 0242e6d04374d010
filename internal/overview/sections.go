package overview

import (
	"github.com/stagedoor-live/stagedoor/internal/room"
	"github.com/stagedoor-live/stagedoor/internal/webhook"
)

// firstRoom is a page of a list of which only the total is wanted.
const firstRoom = 1

func (b *builder) onAir() error {
	f, err := b.OnAir.Figures(b.ctx)
	if err != nil {
		return err
	}
	started := room.On
	live, err := b.Rooms.List(b.ctx, firstRoom, firstRoom, &started)
	if err != nil {
		return err
	}
	all, err := b.Rooms.List(b.ctx, firstRoom, firstRoom, nil)
	if err != nil {
		return err
	}
	b.out.OnAir = &OnAir{Streams: f.Sources, Viewers: f.Consumers, LiveRooms: live.Total, Rooms: all.Total}
	return nil
}

func (b *builder) nodes() error {
	all, err := b.Nodes.Page(b.ctx, "", maxNodes)
	if err != nil {
		return err
	}
	n := Nodes{Total: len(all)}
	for _, one := range all {
		n.Seen = n.Seen || one.LastSeenAt != nil
		switch one.Health.State {
		case "up":
			n.Up++
		case "unreachable":
			if n.Unreachable++; n.Unreachable <= maxConcerns {
				b.find(Concern{Code: "node_unreachable", Severity: Warning, Subject: one.Name, Since: one.Health.Since, Detail: one.Health.Error})
			}
		default:
			n.Unknown++
		}
	}
	b.out.Nodes = &n
	return nil
}

func (b *builder) webhooks() error {
	all, err := b.Webhooks.Page(b.ctx, "", maxNodes)
	if err != nil {
		return err
	}
	w := Webhooks{Total: len(all)}
	for _, one := range all {
		c := Concern{Severity: Warning, Subject: one.ID, Label: one.URL}
		switch {
		case one.Disabled != nil:
			w.Disabled++
			c.Code, c.Since, c.Detail = "webhook_disabled", one.Disabled, string(one.Reason)
			if one.Reason == webhook.ByOperator { // who did that knows
				c.Severity = Advice
			}
		case one.FailingSince != nil:
			w.Failing++
			c.Code, c.Since = "webhook_failing", one.FailingSince
		default:
			continue
		}
		if w.Disabled+w.Failing <= maxConcerns {
			b.find(c)
		}
	}
	b.out.Webhooks = &w
	return nil
}

func (b *builder) refusals() error {
	counts, err := b.Refusals.Count(b.ctx, b.out.At.Add(-lately))
	if err != nil {
		return err
	}
	b.out.Refusals = &counts
	return nil
}

// keys are advice: what retired stays good until somebody revokes it.
func (b *builder) keys() error {
	found, err := b.Keys.Retirable(b.ctx, maxConcerns)
	for _, k := range found {
		b.find(Concern{Code: "key_retirable", Severity: Advice, Subject: k.Rule, Label: k.Key, Since: &k.Since})
	}
	return err
}
