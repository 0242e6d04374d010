package e2e

import (
	"context"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// The process dies within batches, some of which are committed and some are
// not, while nobody knows which. What is asked again comes to the same, and so do the counts.
func TestKilledWithinBatches(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t)})
	c := newCrowd(t, s, s.logIn(t), true)
	for round := range 3 {
		c.rush(t, round)
		s.kill(t)
		say(t, "killed: %d are on record that were not answered", c.unheard(s.record(t)))
		c.hears(t, silence)
		s.start(t)
		c.hears(t, yes)
	}
	c.recovers(t)
	s.wantCounted(t)
}

// wantCounted compares the counts of streams with what there is to count.
func (s *server) wantCounted(t *testing.T) {
	t.Helper()
	conn := s.database(t)
	defer conn.Close(context.Background())
	var kept, truth string
	err := conn.QueryRow(t.Context(), `SELECT
		(SELECT string_agg(concat_ws(' ', app, stream, pv, uv, online), ', ' ORDER BY app, stream) FROM (
			SELECT app, stream, sum(pv) AS pv, sum(uv) AS uv, sum(online) AS online FROM stream_counts GROUP BY app, stream) c
			WHERE (pv, uv, online) <> (0, 0, 0)),
		(SELECT string_agg(concat_ws(' ', app, stream, pv, uv, online), ', ' ORDER BY app, stream) FROM (
			SELECT app, stream, count(*) AS pv, count(DISTINCT viewer_of(subject, credential_kind, address)) AS uv, count(*) FILTER (WHERE ended_at IS NULL) AS online
			FROM sessions WHERE scene = 'play' AND refused = '' GROUP BY app, stream) s)`).Scan(&kept, &truth)
	if err != nil || kept != truth {
		t.Errorf("counted %s (%v)\nwant    %s", kept, err, truth)
	}
}
