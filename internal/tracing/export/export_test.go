package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestWithoutAnEndpointThereIsNothing(t *testing.T) {
	t.Parallel()
	traces, err := New(t.Context(), Config{})
	if err != nil || traces != nil || traces.Tracer() != nil {
		t.Errorf("%v, %v", traces, err)
	}
	traces.Close(t.Context())
}

// troubled is a collector that is not well.
type troubled struct {
	sdk.SpanExporter
	err error
}

func (e *troubled) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return e.err }

func TestLossesAreToldOnceAMinute(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Now()
	sender := &troubled{}
	c := &calm{SpanExporter: sender, log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }}
	spans := tracetest.SpanStubs{{}, {}, {}}.Snapshots()
	send := func(err error, want string) {
		t.Helper()
		log.Reset()
		sender.err = err
		if c.ExportSpans(t.Context(), spans) != nil {
			t.Error("the queue is told of what it cannot help")
		}
		if got := log.String(); want == "" && got != "" || !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("logged %q, want %q", got, want)
		}
	}
	refused := errors.New("failed to send to http://c: 401 Unauthorized (body: you said hunter2)")
	send(nil, "")
	send(refused, "spans=3 error=\"failed to send to http://c: 401 Unauthorized\"")
	send(refused, "")
	now = now.Add(pauseOfWords)
	send(fmt.Errorf("traces export: %w", &url.Error{Op: "Post", URL: "http://hunter2", Err: errors.New("connection refused")}), "spans=6 error=\"connection refused\"")
	send(nil, "traces are sent again")
	send(nil, "")
	send(refused, "spans=3")
}
