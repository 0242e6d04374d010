package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoor-live/stagedoor/internal/config"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// emptied are all dialects without services, which limits do not need, on a
// clock that stands still, asked by an address that has nothing left. What is
// let through is answered 418.
func emptied(t *testing.T) (url string, m *metrics) {
	t.Helper()
	a := &app{cfg: &config.Settings{Config: config.Config{RateLimit: 1}}, log: slog.New(slog.DiscardHandler), conns: &connections{}, metrics: newMetrics(prometheus.NewRegistry())}
	rt := httpx.NewRouter()
	a.mount(rt, nil, nil)
	start := time.Now()
	s := httptest.NewServer(a.wrap(a.limits(func() time.Time { return start }).Wrap(teapot{rt})))
	t.Cleanup(s.Close)
	for range 2 {
		if code, _ := get(t, s.URL+"/api/v1/accounts"); code != http.StatusTeapot {
			t.Fatalf("status %d", code)
		}
	}
	return s.URL, a.metrics
}

type teapot struct{ *httpx.Router }

func (teapot) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

func TestEveryOperationRefusesWhoAsksTooOftenAsTheSpecSays(t *testing.T) {
	t.Parallel()
	url, m := emptied(t)
	client := &http.Client{Transport: spectest.New(t).Transport(nil)}
	refused := 0
	for _, op := range operations(t) {
		if isExempt(op[1]) {
			if code, _, _ := request(t, op[0], url+op[1], nil); code != http.StatusTeapot {
				t.Errorf("%s %s: %d", op[0], op[1], code)
			}
			continue
		}
		target := url + op[1]
		if op[1] == "/" {
			target += "?Action=DescribeAuth&Version=2023-01-01"
		}
		// Before authentication: guessing is what the limit is for.
		r, err := http.NewRequestWithContext(spectest.BadRequest(t.Context()), op[0], target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer guess")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read to its end
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s %s: %d %v", op[0], op[1], resp.StatusCode, err)
		}
		if h := resp.Header; h.Get("Retry-After") != "1" || h.Get("RateLimit-Limit") != "2" || h.Get("RateLimit-Remaining") != "0" || h.Get("RateLimit-Reset") != "2" {
			t.Errorf("%s %s: headers %v", op[0], op[1], h)
		}
		if text := strings.ToLower(string(body)); !strings.Contains(text, "too many requests") {
			t.Errorf("%s %s: %s", op[0], op[1], body)
		}
		refused++
	}
	if got := countLimited(t, m, "rate_limit"); refused < 40 || got != float64(refused) {
		t.Errorf("%d refused, %v counted", refused, got)
	}
}

func countLimited(t *testing.T, m *metrics, limit string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "stagedoor_limited_total" {
			for _, metric := range f.GetMetric() {
				if metric.GetLabel()[0].GetValue() == limit {
					return metric.GetCounter().GetValue()
				}
			}
		}
	}
	t.Fatal("no counter of refused requests")
	return 0
}

// isExempt are the paths of the tags callback and ops, and the CDN's.
func isExempt(path string) bool {
	switch path {
	case "/healthz", "/readyz", "/metrics", "/openapi.yaml", "/openapi.json", "/.well-known/jwks.json", "/docs", "/console/{file}", "/api/v1/live/handlePushStreamEventCallback":
		return true
	}
	return strings.HasPrefix(path, "/callback/")
}

func TestTheRateLimitIsASetting(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][2]string{"": {"200", "199"}, "7": {"14", "13"}, "0": {"", ""}} {
		flags := []string{"--rate-limit", value}
		if value == "" {
			flags = nil
		}
		s := install(t).serve(t, flags...)
		code, h, _ := request(t, http.MethodGet, s.url+"/users/me", nil)
		if got := [2]string{h.Get("RateLimit-Limit"), h.Get("RateLimit-Remaining")}; code != http.StatusUnauthorized || got != want {
			t.Errorf("%q: %d %v, want %v", value, code, got, want)
		}
	}
}

// One dialect puts untidy paths in order, so what looks exempt may be a login.
func TestNoWayAroundTheLimitLeadsThroughExemptPaths(t *testing.T) {
	t.Parallel()
	url, _ := emptied(t)
	for _, path := range []string{"/callback/../api/v1/login", "/callback/%2e%2e/api/v1/login", "/callback//..//../api/v1/login", "/healthz/../api/v1/login"} {
		if code, _, _ := request(t, http.MethodGet, url+path, nil); code != http.StatusTooManyRequests {
			t.Errorf("%s: %d", path, code)
		}
	}
}
