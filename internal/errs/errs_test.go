package errs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEveryKindHasAName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range Kinds {
		name := k.String()
		if seen[name] || strings.HasPrefix(name, "kind(") {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[name] = true
	}
	if len(Kinds) != len(kindNames) {
		t.Errorf("%d kinds, %d names", len(Kinds), len(kindNames))
	}
	if got := Kind(200).String(); got != "kind(200)" {
		t.Errorf("an unknown kind is called %q", got)
	}
}

func TestACauseIsForLogsAndNotInTheMessage(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused to 10.0.0.1")
	sentinel := New(Conflict, "room_closed", "the room is closed")
	err := fmt.Errorf("close room: %w", sentinel.With(cause))
	if e := As(err); e.Message != "the room is closed" || !errors.Is(err, cause) || !strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("%+v", e)
	}
	if !errors.Is(err, sentinel) || errors.Is(err, New(Conflict, "other", "")) || sentinel.Unwrap() != nil {
		t.Error("sentinels are told apart by their reason, and stay without a cause")
	}
}

func TestAForeignErrorIsInternalAndSaysNothing(t *testing.T) {
	t.Parallel()
	foreign := errors.New("relation accounts does not exist")
	e := As(foreign)
	if e.Kind != Internal || e.Reason != "internal" || strings.Contains(e.Message, "accounts") || !errors.Is(e, foreign) {
		t.Errorf("%+v", e)
	}
	if KindOf(foreign) != Internal || KindOf(InvalidField("title", "title is required")) != Invalid {
		t.Error("kinds are wrong")
	}
}

func TestAnInvalidFieldIsNamed(t *testing.T) {
	t.Parallel()
	e := InvalidField("title", "title is required")
	if e.Kind != Invalid || e.Field != "title" || e.Reason != "invalid_title" {
		t.Errorf("%+v", e)
	}
}
