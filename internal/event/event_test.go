package event

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestPatternsMeanTypes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		patterns []string
		want     []Type
	}{
		{nil, []Type{RoomCreated, RoomStarted, RoomPaused, RoomStopped, RoomUpdated, RoomDeleted, StreamPublished, StreamUnpublished, RecordingReady}},
		{[]string{"stream.unpublished", "session.*", "session.ended"}, []Type{StreamUnpublished, SessionStarted, SessionEnded}},
		{[]string{"decision.denied"}, []Type{DecisionDenied}},
	} {
		if got, err := Expand(tt.patterns); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %v, %v", tt.patterns, got, err)
		}
	}
	for _, p := range []string{"", "*", ".*", "room", "room.", "room.*x", "rooms.*", "room.createdx", "ROOM.*", "room.c*"} {
		if _, err := Expand([]string{"room.*", p}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	e := FromRow(db.Event{Number: 41, ID: "evt_0123456789abcdef0123456789abcdef", Type: "room.started", Subject: "r1", Sequence: 2,
		At: time.Date(2026, 2, 1, 12, 0, 0, 5000, time.FixedZone("", 3600)), Data: []byte(`{"room":{}}`)})
	got, err := json.Marshal(e)
	want := `{"type":"room.started","timestamp":"2026-02-01T11:00:00.000005Z","id":"evt_0123456789abcdef0123456789abcdef","subject":"r1","sequence":2,"number":41,"data":{"room":{}}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}
