package ledger

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/tracing"
)

// traceVerdict says on the span of a callback what was decided.
func traceVerdict(ctx context.Context, e *media.Event, v media.Verdict) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	result := "deny"
	if v.Allow {
		result = "allow"
	}
	span.SetAttributes(attribute.String("stagedoor.node", e.Node), attribute.String("stagedoor.action", string(e.Action)),
		attribute.String("stagedoor.stream", e.Stream.String()), attribute.String("stagedoor.decision.scene", string(e.Scene())),
		attribute.String("stagedoor.decision.result", result), attribute.String("stagedoor.decision.reason", string(v.Reason)))
}

// traceWait begins the span of an op's wait for its commit.
func (o *op) traceWait(ctx context.Context) trace.Span {
	_, span := tracing.Start(ctx, "wait for commit")
	if span.IsRecording() {
		o.span = span
	}
	return span
}

// traceBatch begins the span of one attempt to write a batch. It is below the wait
// of the first op that is traced; the others and it are linked with each other.
func traceBatch(ctx context.Context, batch []*op) (context.Context, trace.Span) {
	span := trace.SpanFromContext(ctx)
	for _, o := range batch {
		switch {
		case o.span == nil:
		case !span.IsRecording():
			ctx, span = tracing.Start(trace.ContextWithSpan(ctx, o.span), "commit batch", trace.WithAttributes(attribute.Int("stagedoor.batch.events", len(batch))))
		default:
			span.AddLink(trace.Link{SpanContext: o.span.SpanContext()})
			o.span.AddLink(trace.Link{SpanContext: span.SpanContext()})
		}
	}
	return ctx, span
}

func endBatch(span trace.Span, err error) {
	if err != nil {
		tracing.Fail(span, tracing.Class(err))
	}
	span.End()
}
