package access

import (
	"strings"
	"testing"
	"time"
)

func TestAKeyCanGoWhenNobodyWouldNotice(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := &Service{Config: Config{Now: func() time.Time { return now }, URLTTL: 2 * time.Hour}}
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	for name, c := range map[string]struct {
		state    KeyState
		changed  time.Duration
		used     *time.Time
		validity time.Duration
		safe     bool
		why      string
	}{
		"active":                   {KeyActive, 100 * time.Hour, nil, 0, false, "Activate another key first"},
		"revoked":                  {KeyRevoked, 0, ago(time.Minute), 0, true, "is revoked"},
		"next":                     {KeyNext, 0, nil, 0, true, "nobody uses it"},
		"next, used":               {KeyNext, 0, ago(30 * time.Second), 0, false, "used a moment ago: somebody signs with it elsewhere"},
		"just retired":             {KeyRetiring, time.Hour, nil, 0, false, "good until 2026-05-02 11:00 UTC"},
		"just retired, used":       {KeyRetiring, time.Hour, ago(5 * time.Minute), 0, false, "used 5 min ago, and URLs"},
		"retired, validity counts": {KeyRetiring, 25 * time.Hour, nil, 3 * time.Hour, false, "good until 2026-05-01 14:00 UTC"},
		"retired, still used":      {KeyRetiring, 25 * time.Hour, ago(3 * time.Hour), 0, false, "used 3 h ago, although"},
		"retired, used before":     {KeyRetiring, 60 * time.Hour, ago(50 * time.Hour), 0, true, "used last 2026-04-29 10:00 UTC"},
		"retired, never used":      {KeyRetiring, 25 * time.Hour, nil, 0, true, "never used"},
		"used by a clock ahead":    {KeyRetiring, 25 * time.Hour, ago(-time.Minute), 0, false, "a moment ago"},
	} {
		got := s.Rotation(Rule{Validity: c.validity}, Key{State: c.state, ChangedAt: now.Add(-c.changed), LastUsed: c.used})
		if got.Safe != c.safe || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
