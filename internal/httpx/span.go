package httpx

import (
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/internal/tracing"
)

// startSpan begins the span of a request, below that of the caller where it names
// one.
func (x *exchange) startSpan(tracer trace.Tracer, r *http.Request) {
	ctx := tracing.W3C.Extract(x.ctx.Context, propagation.HeaderCarrier(r.Header))
	x.ctx.Context, x.span = tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
	if x.span.IsRecording() {
		x.ctx.info.trace = x.span.SpanContext().TraceID().String()
	}
}

// endSpan says how a request went. It is named after the operation, never after
// the URL.
func (x *exchange) endSpan(r *http.Request) {
	defer x.span.End()
	if !x.span.IsRecording() {
		return
	}
	info := &x.ctx.info
	x.span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.Int("http.response.status_code", x.status),
		attribute.String("client.address", info.addr.String()), attribute.String("stagedoor.request_id", info.id))
	if route := r.Pattern[strings.IndexByte(r.Pattern, ' ')+1:]; route != "" {
		x.span.SetName(r.Method + " " + route)
		x.span.SetAttributes(attribute.String("http.route", route))
	}
	if info.principal != "" {
		x.span.SetAttributes(attribute.String("user.name", info.principal))
	}
	if info.reason != "" {
		x.span.SetAttributes(attribute.String("stagedoor.failure", info.reason))
	}
	if x.status >= http.StatusInternalServerError {
		tracing.Fail(x.span, strconv.Itoa(x.status))
	}
}
