package main

import "strings"

// stoppedGoal is for the last byte after a revocation, in seconds.
var stoppedGoal = figureAtMost(2)

// stopping is the worst of the media servers.
type stopping struct {
	seconds float64
	of      []string
	why     error // one is missing
}

func (s *stopping) add(m *mediaServer, rows []row) {
	s.of = append(s.of, m.kind)
	for _, r := range rows {
		if r.Name == "revoke_stopped_p99_"+m.short {
			s.seconds = max(s.seconds, r.Figure)
		}
	}
}

func (s *stopping) row() row {
	if len(s.of) == 0 {
		return unmeasured("revoke_stopped_p99", "s", stoppedGoal, s.why)
	}
	r := figure("revoke_stopped_p99", s.seconds, "s")
	r.peer = "the worst of " + strings.Join(s.of, ", ")
	return r.aim(stoppedGoal)
}
