// Package event is the log of what happened: rooms, streams and recordings always,
// sessions and refusals where somebody wants to hear of them.
//
// Events are written by triggers of the schema in the transaction of the change (see
// schema/0018_events.up.sql); this package says what they are called and how they
// look outside, lists them, and follows them live.
//
//	change --trigger, at commit--> events (the log) ------> Log.List, Tail
//	                          \--> event_outbox --> the dispatcher of webhooks
package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Type says what happened: a family, a dot and a verb.
type Type string

// The types of events.
const (
	RoomCreated       Type = "room.created"
	RoomStarted       Type = "room.started"
	RoomPaused        Type = "room.paused"
	RoomStopped       Type = "room.stopped"
	RoomUpdated       Type = "room.updated"
	RoomDeleted       Type = "room.deleted"
	StreamPublished   Type = "stream.published"
	StreamUnpublished Type = "stream.unpublished"
	RecordingReady    Type = "recording.ready"
	SessionStarted    Type = "session.started"
	SessionEnded      Type = "session.ended"
	DecisionDenied    Type = "decision.denied"
)

// Types lists all of them.
var Types = []Type{RoomCreated, RoomStarted, RoomPaused, RoomStopped, RoomUpdated, RoomDeleted, StreamPublished, StreamUnpublished,
	RecordingReady, SessionStarted, SessionEnded, DecisionDenied}

// Optional says whether events of this type are written only while the table
// event_wants has it: there may be very many of them.
func (t Type) Optional() bool { return t == SessionStarted || t == SessionEnded || t == DecisionDenied }

// Always lists the types that are written whoever wants them.
func Always() []Type { return slices.DeleteFunc(slices.Clone(Types), Type.Optional) }

// Expand returns the types that some patterns mean, each once, in the order of
// Types: a pattern is a type or a family with ".*". No pattern means those that are
// always written. Error: Invalid for a pattern that means none.
func Expand(patterns []string) ([]Type, error) {
	if len(patterns) == 0 {
		return Always(), nil
	}
	meant := map[Type]bool{}
	for _, p := range patterns {
		found := false
		for _, t := range Types {
			if p == string(t) || strings.HasSuffix(p, ".*") && strings.HasPrefix(string(t), p[:len(p)-1]) {
				found, meant[t] = true, true
			}
		}
		if !found {
			return nil, errs.InvalidField("types", fmt.Sprintf("%.64q is no type of event", p))
		}
	}
	return slices.DeleteFunc(slices.Clone(Types), func(t Type) bool { return !meant[t] }), nil
}

// Event is one thing that happened. Its JSON is what webhooks carry: the form that
// Standard Webhooks asks for, with ours beside it.
type Event struct {
	Type Type      `json:"type"`
	At   time.Time `json:"timestamp"`
	ID   string    `json:"id"` // "evt_" and 32 hexadecimal digits
	// Subject is what it happened to: the id of a room, or vhost/app/stream.
	Subject string `json:"subject"`
	// Sequence counts the events of the subject, from 1, without a gap.
	Sequence int64 `json:"sequence"`
	// Number is the place in the log. It rises, with gaps, and within a subject as
	// the sequence does.
	Number int64 `json:"number"`
	// Data is a JSON object that the type describes, without secrets, smaller than
	// 20 kB.
	Data json.RawMessage `json:"data"`
}

// FromRow is an event as the log has it; the outbox has the same columns.
func FromRow(r db.Event) Event {
	return Event{Type: Type(r.Type), At: r.At.UTC(), ID: r.ID, Subject: r.Subject, Sequence: r.Sequence, Number: r.Number, Data: r.Data}
}
