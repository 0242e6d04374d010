package main

import (
	"context"
	"errors"
	"fmt"
)

// scale measures what must not grow with what there is to know.
func (s *suite) scale(ctx context.Context) (rows []row, err error) {
	var worlds []*world
	defer func() {
		for _, w := range worlds {
			err = errors.Join(err, w.close(ctx))
		}
	}()
	for _, n := range s.plan.worlds {
		w, err := s.makeWorld(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("a world of %d: %w", n, err)
		}
		worlds = append(worlds, w)
	}
	small, large := worlds[0], worlds[len(worlds)-1]
	for _, measure := range []func(context.Context, *world, *world) ([]row, error){s.listing, s.deciding} {
		more, err := measure(ctx, small, large)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s%s", err, small.server.tail(), large.server.tail())
		}
		rows = append(rows, more...)
	}
	return append(rows, large.entries()...), nil
}

// entries are what each kind of entry costs in memory, and the dearest of them.
func (w *world) entries() []row {
	rule, token, room := figure("entry_bytes_rule", w.perRule, "bytes"), figure("entry_bytes_token", w.perTok, "bytes"), figure("entry_bytes_room", w.perRoom, "bytes")
	worst := figure("entry_bytes", max(w.perRule, w.perTok, w.perRoom), "bytes").aim(figureAtMost(400))
	return []row{worst, rule, token, room}
}
