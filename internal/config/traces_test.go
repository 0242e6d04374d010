package config

import (
	"maps"
	"strings"
	"testing"
)

func TestTracesGoWhereTheyAreSent(t *testing.T) {
	t.Parallel()
	if got := resolve(t, nil); got.Traces.Endpoint != nil || got.TraceRatio != 1 {
		t.Errorf("by default: %v, %v", got.Traces.Endpoint, got.TraceRatio)
	}
	got := resolve(t, func(c *Config) {
		c.OTLPEndpoint, c.OTLPHeaders = "https://collector.example.com:4318/base/", "Authorization=Basic%20YTpi==, x-tenant = blue,"
	})
	want := map[string]Secret{"Authorization": "Basic YTpi==", "x-tenant": "blue"}
	if got.Traces.Endpoint.JoinPath("v1", "traces").String() != "https://collector.example.com:4318/base/v1/traces" || !maps.Equal(got.Traces.Headers, want) {
		t.Errorf("%v with %d headers", got.Traces.Endpoint, len(got.Traces.Headers))
	}
}

func TestTracesThatCannotGoAnywhereAreRefused(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"collector:4318", "grpc://collector:4317", "http://", "http://user:hunter2@collector", "http://collector/?key=hunter2", "http://hunter2@%zz"} {
		mustComplain(t, "STAGEDOOR_OTLP_ENDPOINT:", func(c *Config) { c.OTLPEndpoint = endpoint })
	}
	for _, headers := range []Secret{"hunter2", "a=b,hunter2", "a b=hunter2", "=hunter2", "a=hunter2%zz", "a=hunter2%0d%0ab", "a=%F"} {
		mustComplain(t, "STAGEDOOR_OTLP_HEADERS:", func(c *Config) { c.OTLPHeaders = headers })
	}
	for _, ratio := range []float64{-0.1, 1.1, nan()} {
		mustComplain(t, "STAGEDOOR_TRACE_RATIO:", func(c *Config) { c.TraceRatio = ratio })
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// mustComplain wants one problem that names the variable and tells no secret.
func mustComplain(t *testing.T, variable string, change func(*Config)) {
	t.Helper()
	c := defaults(t)
	change(&c)
	err := c.Validate()
	if err == nil || !strings.HasPrefix(err.Error(), variable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: %v", variable, err)
	}
}
