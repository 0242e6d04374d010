package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traceCollector is an OpenTelemetry collector that keeps everything.
type traceCollector struct {
	url string

	mu       sync.Mutex
	spans    []span
	resource map[string]string
	raw      bytes.Buffer // of all bodies
	headers  []http.Header
}

// span is what tests want to know of one.
type span struct {
	*otlp.Span
	attributes map[string]string
}

func (s span) id() string     { return hex.EncodeToString(s.SpanId) }
func (s span) parent() string { return hex.EncodeToString(s.ParentSpanId) }
func (s span) trace() string  { return hex.EncodeToString(s.TraceId) }

func collectTraces(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &export)
		}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" {
			t.Errorf("the collector got %s %s: %v", r.Method, r.URL, err)
		}
		c.keep(&export, body, r.Header)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *traceCollector) keep(export *collector.ExportTraceServiceRequest, body []byte, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	c.headers = append(c.headers, header)
	for _, r := range export.ResourceSpans {
		c.resource = texts(r.Resource.Attributes)
		for _, scope := range r.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, span{s, texts(s.Attributes)})
			}
		}
	}
}

func texts(attributes []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range attributes {
		m[a.Key] = a.Value.GetStringValue()
	}
	return m
}

// named returns the spans of a trace with a name.
func (c *traceCollector) named(trace, name string) (found []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.trace() == trace && s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// one returns the only span of a trace with a name.
func (c *traceCollector) one(t *testing.T, trace, name string) span {
	t.Helper()
	found := c.named(trace, name)
	if len(found) != 1 {
		t.Fatalf("%d spans %q in trace %s: %s", len(found), name, trace, c.names())
	}
	return found[0]
}

// names is what there is, for a report.
func (c *traceCollector) names() (text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		text += "\n" + s.trace() + " " + s.parent() + " > " + s.id() + " " + s.Name
	}
	return text
}
