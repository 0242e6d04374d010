// Package tracing says what traces tell of a request: the request itself, its
// wait for a commit, statements of the database and requests to others.
//
// What is below a request takes its tracer from the span above it, so nobody but
// who begins a trace has to be given one, and without a trace it costs a look
// into the context. No span holds a query, a body, an argument of a statement or
// the text of an error: secrets travel there.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"net"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Scope names us among those who make spans.
const Scope = "github.com/stagedoor-live/stagedoor"

// Start begins a span below the one that ctx belongs to. Where that is not
// recorded, the returned context is ctx and the span records nothing.
func Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, parent
	}
	return parent.TracerProvider().Tracer(Scope).Start(ctx, name, options...)
}

// Begin begins a trace of what nobody asked for; without a tracer there is none.
func Begin(ctx context.Context, tracer trace.Tracer, name string) (context.Context, trace.Span) {
	if tracer == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	return tracer.Start(ctx, name)
}

// Fail marks a span as failed, with the class of the error and not its text.
func Fail(span trace.Span, class string) {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(attribute.String("error.type", class))
}

// Class is what kind of error err is: the kind of a time that ran out, or the type
// of what is at its bottom.
func Class(err error) string {
	var slow interface{ Timeout() bool }
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &slow) && slow.Timeout():
		return "timeout"
	case errors.As(err, &dns):
		return "dns"
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return fmt.Sprintf("%T", err)
}
