package tracing

import (
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// W3C reads and writes the traceparent header.
var W3C = propagation.TraceContext{}

// Transport makes a span of each request that base sends to peer, such as a media
// server, and passes the trace on. A request that belongs to no trace begins one.
// Of the URL nothing but the host is told: paths and queries of others hold
// secrets. Without a tracer it is base.
func Transport(tracer trace.Tracer, base http.RoundTripper, peer string) http.RoundTripper {
	if tracer == nil {
		return base
	}
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{tracer, base, peer}
}

type transport struct {
	tracer trace.Tracer
	base   http.RoundTripper
	peer   string
}

// RoundTrip sends a request; its span ends with the header of the answer.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := t.tracer.Start(r.Context(), r.Method+" "+t.peer, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()), attribute.Int("server.port", portOf(r))))
	defer span.End()
	r = r.Clone(ctx)
	W3C.Inject(ctx, propagation.HeaderCarrier(r.Header))
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		Fail(span, Class(err))
		return resp, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	if resp.StatusCode >= http.StatusBadRequest {
		Fail(span, strconv.Itoa(resp.StatusCode))
	}
	return resp, nil
}

func portOf(r *http.Request) int {
	if port, err := strconv.Atoi(r.URL.Port()); err == nil {
		return port
	}
	if r.URL.Scheme == "https" {
		return 443
	}
	return 80
}
