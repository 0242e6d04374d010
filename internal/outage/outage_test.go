package outage_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/outage"
)

var words = outage.Words{Begins: "door is stuck", Ends: "door opens again"}

func TestAnOutageIsLoggedWhenItBeginsAndWhenItIsOver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	l := outage.New(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime})), func() time.Time { return now })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	stuck := errors.New("stuck")
	for _, attempt := range []struct {
		ctx  context.Context
		door string
		err  error
		want string
	}{
		{t.Context(), "front", nil, ""},
		{ended, "front", stuck, ""},
		{t.Context(), "front", stuck, `level=WARN msg="door is stuck" door=front error=stuck`},
		{t.Context(), "front", stuck, ""},
		{t.Context(), "back", stuck, `level=WARN msg="door is stuck" door=back error=stuck`},
		{t.Context(), "front", errors.New("rusty"), ""},
		{ended, "front", nil, ""},
		{t.Context(), "front", nil, ""}, // not for long
		{t.Context(), "front", stuck, ""},
		{t.Context(), "front", nil, ""},
		{t.Context(), "front", nil, `level=INFO msg="door opens again" door=front after=7m0s`},
		{t.Context(), "front", nil, ""},
		{t.Context(), "front", stuck, `level=WARN msg="door is stuck" door=front error=stuck`},
	} {
		out.Reset()
		l.Note(attempt.ctx, words, attempt.door, attempt.err, "door", attempt.door)
		if got := strings.TrimSpace(out.String()); got != attempt.want {
			t.Errorf("%s, %v: logged %q, want %q", attempt.door, attempt.err, got, attempt.want)
		}
		now = now.Add(time.Minute)
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
