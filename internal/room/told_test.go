package room

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Moves that share a trip are each acknowledged, so each is told.
func TestEveryMoveOfATripIsTold(t *testing.T) {
	t.Parallel()
	s := setup(t)
	r := s.create(t)
	at := s.Now()
	for _, trip := range [][]Status{{On, Prepare}, {On, On, Prepare, On}, {Prepare, On, Off, On}} {
		var moves []move
		for _, to := range trip {
			moves = append(moves, move{caller: r.AnchorID, to: to, at: at})
		}
		if _, err := s.moveAll(t.Context(), r.ID, moves); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := s.DB.Query(t.Context(), "SELECT type FROM events WHERE subject = $1 AND data -> 'room' ->> 'status' = CASE type WHEN 'room.started' THEN 'on' "+
		"WHEN 'room.stopped' THEN 'off' ELSE 'prepare' END AND (type = 'room.created' OR data -> 'room' ? 'started_at') ORDER BY sequence", r.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	want := []string{"room.created", "room.started", "room.paused", "room.started", "room.paused", "room.started", "room.paused", "room.started", "room.stopped"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
