package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// dataDir is what the load is served from, made by the last first start.
func (s *suite) dataDir() string { return filepath.Join(s.dir, "data") }

// starting measures how soon the program is ready, on an empty directory and
// again on the same one, with PostgreSQL to be started in both cases, and how
// much memory it then takes.
func (s *suite) starting(ctx context.Context) ([]row, error) {
	first, err := s.firstStarts(ctx)
	if err != nil {
		return nil, fmt.Errorf("first start: %w", err)
	}
	warm, memory, err := s.warmStarts(ctx)
	if err != nil {
		return nil, fmt.Errorf("warm start: %w", err)
	}
	return []row{
		figure("ready_first", first, "s").aim(figureAtMost(6)),
		figure("ready_warm", warm, "s").aim(figureAtMost(0.3)),
		figure("idle_memory", memory, "MiB").aim(figureAtMost(50)),
	}, nil
}

func (s *suite) firstStarts(ctx context.Context) (float64, error) {
	var took []float64
	for i := range s.plan.firstStarts {
		dir := s.dataDir()
		if i < s.plan.firstStarts-1 {
			dir = filepath.Join(s.dir, fmt.Sprintf("first%d", i))
		}
		srv, t, err := s.start(ctx, dir, "")
		if err != nil {
			return 0, err
		}
		if err := srv.stop(); err != nil {
			return 0, err
		}
		took = append(took, t.Seconds())
	}
	s.say("%-20s %s s", "ready_first", list(took))
	return median(took), nil
}

// warmStarts returns seconds until ready and MiB when idle, on a directory that
// exists.
func (s *suite) warmStarts(ctx context.Context) (seconds, memory float64, err error) {
	var took, held []float64
	for range s.plan.warmStarts {
		srv, t, err := s.start(ctx, s.dataDir(), "")
		if err != nil {
			return 0, 0, err
		}
		time.Sleep(s.plan.idle) // what is measured is a process that does nothing
		m, err := srv.memory()
		if err := errors.Join(err, srv.stop()); err != nil {
			return 0, 0, err
		}
		took, held = append(took, t.Seconds()), append(held, m)
	}
	s.say("%-20s %s s, then idle with %s MiB", "ready_warm", list(took), list(held))
	return median(took), median(held), nil
}
