// Package export sends traces to an OpenTelemetry collector, over HTTP and in the
// background: a collector that is slow, refuses or is gone costs traces and
// nothing else.
package export

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stagedoor-live/stagedoor/internal/tracing"
)

// Config says where traces go.
type Config struct {
	// Endpoint is the base URL of the collector, to which /v1/traces is added. Nil:
	// there are no traces.
	Endpoint *url.URL
	Headers  map[string]string // of each request to it; they hold credentials
	// Ratio is how many of the traces that begin here are kept, 0 to 1. Whoever
	// calls with a trace of their own decides about that one.
	Ratio   float64
	Version string
	Log     *slog.Logger
	Now     func() time.Time
}

// Traces are on their way to a collector. A nil *Traces has no tracer.
type Traces struct {
	provider *sdk.TracerProvider
	exporter sdk.SpanExporter
	log      *slog.Logger
}

// maxText is the longest attribute that is kept, in bytes: clients choose some.
const maxText = 512

// New starts to send, in a goroutine that Close ends; nil without an endpoint.
// What else the OTEL_ variables of the environment say, the SDK reads: time-out,
// certificate, compression, resource, size of the queue.
func New(ctx context.Context, c Config) (*Traces, error) {
	if c.Endpoint == nil {
		return nil, nil
	}
	// The SDK complains to the standard error about variables that it cannot
	// read, and repeats them: those of headers are secrets.
	otel.SetLogger(logr.Discard())
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(c.Endpoint.JoinPath("v1", "traces").String())}
	if len(c.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(c.Headers))
	}
	sender, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, err
	}
	exporter := &calm{SpanExporter: sender, log: c.Log, now: c.Now}
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxText
	return &Traces{exporter: exporter, log: c.Log, provider: sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Ratio))), sdk.WithResource(describe(ctx, c.Version)))}, nil
}

// describe is what the collector is told of this process; the environment may say
// otherwise.
func describe(ctx context.Context, version string) *resource.Resource {
	host, _ := os.Hostname() // a name of nothing is none
	r, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "stagedoor"), attribute.String("service.version", version),
		attribute.String("host.name", host)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return resource.Default() // what is wrong is a variable that describes
	}
	return r
}

// Tracer begins traces; nil where there are none.
func (t *Traces) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer(tracing.Scope)
}

// flushTime bounds what a collector that hangs can add to a stop.
const flushTime = 2 * time.Second

// Close sends what is left, as far as that goes before ctx ends, and for two
// seconds at most.
func (t *Traces) Close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if t.provider.Shutdown(ctx) != nil {
		_ = t.exporter.Shutdown(ctx) // which cuts off what is being sent
		t.log.WarnContext(ctx, "the last traces have not been sent")
	}
}
