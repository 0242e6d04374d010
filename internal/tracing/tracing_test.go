package tracing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// recorded is a tracer and what it has made.
func recorded(t *testing.T) (trace.Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	made := tracetest.NewSpanRecorder()
	return sdk.NewTracerProvider(sdk.WithSpanProcessor(made)).Tracer(Scope), made
}

func TestOfRequestsToOthersOnlyTheHostIsTold(t *testing.T) {
	t.Parallel()
	tracer, made := recorded(t)
	var parent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parent = r.Header.Get("Traceparent")
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	client := &http.Client{Transport: Transport(tracer, nil, "media server")}
	above, span := tracer.Start(t.Context(), "above")
	r, err := http.NewRequestWithContext(above, http.MethodGet, strings.Replace(server.URL, "//", "//user:hunter2@", 1)+"/hunter2?secret=hunter2", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only the span counts
	span.End()
	if r.Header.Get("Traceparent") != "" {
		t.Error("the request of the caller was changed")
	}
	got := made.Ended()[0]
	if text := fmt.Sprint(got.Name(), got.Attributes(), got.Events(), got.Status()); strings.Contains(text, "hunter2") || !strings.HasPrefix(text, "GET media server") || !strings.Contains(text, `{"error.type":"403"}`) {
		t.Errorf("told: %s", text)
	}
	if want := fmt.Sprintf("00-%s-%s-01", span.SpanContext().TraceID(), got.SpanContext().SpanID()); parent != want || got.Parent().SpanID() != span.SpanContext().SpanID() {
		t.Errorf("passed on %s, want %s", parent, want)
	}
	if Transport(nil, http.DefaultTransport, "x") != http.DefaultTransport {
		t.Error("without a tracer something is in between")
	}
}

func TestARequestThatFailsTellsItsClassOnly(t *testing.T) {
	t.Parallel()
	tracer, made := recorded(t)
	client := &http.Client{Transport: Transport(tracer, nil, "cloud")}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:1/?key=hunter2", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(r); err == nil {
		t.Fatal("somebody answers")
	}
	if text := fmt.Sprint(made.Ended()[0].Attributes()); strings.Contains(text, "hunter2") || !strings.Contains(text, "syscall.Errno") {
		t.Errorf("told: %s", text)
	}
}

func TestErrorsHaveAClass(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"canceled":            fmt.Errorf("x: %w", context.Canceled),
		"timeout":             fmt.Errorf("x: %w", os.ErrDeadlineExceeded),
		"dns":                 &net.OpError{Err: &net.DNSError{}},
		"*errors.errorString": errors.New("hunter2"),
		"*net.AddrError":      fmt.Errorf("a: %w", fmt.Errorf("b: %w", &net.AddrError{Addr: "hunter2"})),
	} {
		if got := Class(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

func TestStatementsAreNamed(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"-- name: SessionsAdd :exec\nINSERT INTO x VALUES ('hunter2')": "SessionsAdd",
		"begin":                           "BEGIN",
		"commit":                          "COMMIT",
		"\n SELECT 'hunter2'":             "SELECT",
		"'hunter2'":                       "statement",
		"hunter2hunter2hunter2hunter2 ''": "statement",
		"":                                "statement",
	} {
		if got := nameOf(sql); got != want {
			t.Errorf("%q: %s, want %s", sql, got, want)
		}
	}
}

func TestWithoutATraceNothingBegins(t *testing.T) {
	t.Parallel()
	ctx, span := Start(t.Context(), "x")
	if ctx != t.Context() || span.IsRecording() {
		t.Error("a span begins without one above it")
	}
	if got, _ := Begin(t.Context(), nil, "x"); got != t.Context() {
		t.Error("a trace begins without a tracer")
	}
	if got := (Statements{}).TraceQueryStart(t.Context(), nil, struct {
		SQL  string
		Args []any
	}{}); got != t.Context() {
		t.Error("a statement has a span without one above it")
	}
}
