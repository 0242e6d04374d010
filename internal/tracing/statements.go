package tracing

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Statements is a tracer for pgx: a span for each statement that is run for
// something that is traced, and for each wait for a connection that is felt. They
// tell the names that our statements have, neither their text nor their arguments.
type Statements struct{}

var (
	_ pgx.QueryTracer       = Statements{}
	_ pgx.CopyFromTracer    = Statements{}
	_ pgxpool.AcquireTracer = Statements{}
)

var ofPostgres = attribute.String("db.system.name", "postgresql")

// TraceQueryStart begins the span of a statement.
func (Statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	return startStatement(ctx, nameOf(data.SQL))
}

func startStatement(ctx context.Context, name string) context.Context {
	ctx, _ = Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(ofPostgres, attribute.String("db.query.summary", name)))
	return context.WithValue(ctx, statementKey{}, true)
}

// statementKey marks the context of a statement that has a span.
type statementKey struct{}

// TraceQueryEnd ends it.
func (Statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	endStatement(ctx, data.Err)
}

// TraceCopyFromStart begins the span of rows that are copied into a table.
func (Statements) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	return startStatement(ctx, "COPY "+strings.Join(data.TableName, "."))
}

// TraceCopyFromEnd ends it.
func (Statements) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	endStatement(ctx, data.Err)
}

func endStatement(ctx context.Context, err error) {
	if ctx.Value(statementKey{}) == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		failStatement(span, err)
	}
	span.End()
}

func failStatement(span trace.Span, err error) {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		span.SetAttributes(attribute.String("db.response.status_code", said.Code))
		Fail(span, said.Code)
		return
	}
	Fail(span, Class(err))
}

// nameOf is the name that a statement of ours begins with, or its first word, such
// as begin and commit.
func nameOf(sql string) string {
	if rest, ok := strings.CutPrefix(sql, "-- name: "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	word, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	if word == "" || len(word) > 16 || strings.ContainsFunc(word, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) {
		return "statement"
	}
	return strings.ToUpper(word)
}

// felt is how long a wait for a connection must be to get a span.
const felt = time.Millisecond

type acquireKey struct{}

// TraceAcquireStart notes when the wait for a connection began.
func (Statements) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	return context.WithValue(ctx, acquireKey{}, time.Now())
}

// TraceAcquireEnd makes the span of a wait that was felt.
func (Statements) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, data pgxpool.TraceAcquireEndData) {
	began, ok := ctx.Value(acquireKey{}).(time.Time)
	if !ok || data.Err == nil && time.Since(began) < felt {
		return
	}
	_, span := Start(ctx, "wait for connection", trace.WithTimestamp(began), trace.WithAttributes(ofPostgres))
	if data.Err != nil {
		failStatement(span, data.Err)
	}
	span.End()
}
