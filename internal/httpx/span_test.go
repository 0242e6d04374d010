package httpx_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func TestASpanIsNamedAfterTheOperationAndTellsNoQuery(t *testing.T) {
	t.Parallel()
	b, made := setup(t), tracetest.NewSpanRecorder()
	b.config.Tracer = sdk.NewTracerProvider(sdk.WithSpanProcessor(made)).Tracer("test")
	var own bytes.Buffer
	logged := httpx.NewLines(&own)
	b.config.Log = slog.New(httpx.JSONLog(logged, slog.LevelInfo))
	b.rt.Errors(envelope("any"), "/")
	b.rt.HandleFunc("GET /rooms/{id}", func(_ http.ResponseWriter, r *http.Request) {
		httpx.SetPrincipal(r.Context(), "alice")
		b.config.Log.WarnContext(r.Context(), "within", "trace", httpx.TraceID(r.Context()))
	})
	limits := httpx.Limits{PerSecond: 1, Budget: time.Minute, Now: time.Now}
	h := b.config.Wrap(limits.Wrap(b.rt))
	for _, target := range []string{"/rooms/hunter2?token=hunter2", "/nowhere/hunter2"} {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	for i, want := range []string{"GET /rooms/{id}", "GET"} {
		got := made.Ended()[i]
		if got.Name() != want || got.Parent().SpanID().String() != "00f067aa0ba902b7" || strings.Contains(fmt.Sprint(got.Attributes()), "hunter2") {
			t.Errorf("%s below %s: %v", got.Name(), got.Parent().SpanID(), got.Attributes())
		}
	}
	if err := logged.Flush(); err != nil {
		t.Fatal(err)
	}
	if text := own.String(); !strings.Contains(text, `"trace":"4bf92f3577b34da6a3ce929d0e0e4736"`) || strings.Count(text, `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`) != 3 {
		t.Errorf("logged %s", text)
	}
}

// The limits hand a copy of the request on; the chain wants to know what matched it.
func TestThePatternOfALimitedRequestIsKnown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var route string
	b.config.Observe = func(_, pattern string, _ int, _ time.Duration) { route = pattern }
	b.rt.HandleFunc("GET /rooms/{id}", func(http.ResponseWriter, *http.Request) {})
	b.config.Wrap(httpx.Limits{PerSecond: 1, Budget: time.Minute, Now: time.Now}.Wrap(b.rt)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/rooms/1", nil))
	if route != "GET /rooms/{id}" {
		t.Errorf("observed %q", route)
	}
}
