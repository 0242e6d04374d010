package ops

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/console"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// bench serves the operations with the real spec; the test fills in the rest
// before it starts.
type bench struct {
	Server
	url    string
	client *http.Client
	spec   *spectest.Validator
	log    *dialecttest.Log
}

func setup(t *testing.T, options ...func(*bench)) *bench {
	t.Helper()
	b := &bench{spec: spectest.New(t), log: dialecttest.NewLog(t)}
	b.Server = Server{Registry: prometheus.NewRegistry(), Spec: realSpec(t), Accounts: noKeys{},
		Ready: func(context.Context) error { return nil }, Console: console.New(console.Files(), func() []string { return nil }), Log: b.log.Logger()}
	for _, option := range options {
		option(b)
	}
	rt := httpx.NewRouter()
	b.Register(rt)
	rt.HandleFunc("GET /.well-known/broken", func(http.ResponseWriter, *http.Request) { panic("nil pointer in /srv/stagedoor") })
	srv := httptest.NewServer(httpx.Config{Log: b.log.Logger(), Now: time.Now, Rand: rand.Reader}.Wrap(rt))
	t.Cleanup(srv.Close)
	b.url, b.client = srv.URL, srv.Client()
	b.client.Transport = b.spec.Transport(b.client.Transport)
	return b
}

func notReady(err error) func(*bench) {
	return func(b *bench) { b.Ready = func(context.Context) error { return err } }
}

type noKeys struct{}

func (noKeys) JWKS() account.JWKSet { return account.JWKSet{Keys: []account.JWK{}} }

func realSpec(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (b *bench) get(t *testing.T, path string) *http.Response {
	t.Helper()
	return b.do(t, "GET", path, nil)
}

// do makes a request and returns the answer with its body read.
func (b *bench) do(t *testing.T, method, path string, header http.Header) *http.Response {
	t.Helper()
	ctx := t.Context()
	if method != http.MethodGet {
		ctx = spectest.BadRequest(ctx)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wantHeader(t *testing.T, resp *http.Response, name, want string) {
	t.Helper()
	if got := resp.Header.Get(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func TestHealthzIsAliveWhateverIsNotReady(t *testing.T) {
	t.Parallel()
	b := setup(t, notReady(errors.New("no database")))
	resp := b.get(t, "/healthz")
	if got := text(t, resp); resp.StatusCode != http.StatusOK || got != "ok\n" {
		t.Errorf("%d %q", resp.StatusCode, got)
	}
	wantHeader(t, resp, "Cache-Control", "no-store")
	wantHeader(t, resp, "Content-Type", "text/plain; charset=utf-8")
}

func TestReadyzSaysYesOrWhyNot(t *testing.T) {
	t.Parallel()
	hidden := errors.New("dial tcp 10.0.0.1:5432: connection refused")
	for name, tc := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"ready":         {nil, http.StatusOK, "ok\n"},
		"plain":         {errors.New("the view is being loaded"), http.StatusServiceUnavailable, "the view is being loaded\n"},
		"several lines": {errors.Join(errors.New("one"), errors.New("two")), http.StatusServiceUnavailable, "one two\n"},
		"hidden cause":  {errs.New(errs.Unavailable, "x", "the database does not answer").With(hidden), http.StatusServiceUnavailable, "the database does not answer\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, notReady(tc.err))
			resp := b.get(t, "/readyz")
			if got := text(t, resp); resp.StatusCode != tc.status || got != tc.body {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, got, tc.status, tc.body)
			}
			wantHeader(t, resp, "Cache-Control", "no-store")
			if tc.err == nil {
				return
			}
			wantHeader(t, resp, "Retry-After", "1")
			if lines := b.log.Requests(resp.Header.Get("X-Request-Id")); len(lines) != 1 || lines[0].Reason != "not_ready" || lines[0].Error != tc.err.Error() {
				t.Errorf("logged %+v", lines)
			}
		})
	}
}

func TestReadyzGivesItsCheckADeadline(t *testing.T) {
	t.Parallel()
	var left time.Duration
	b := setup(t, func(b *bench) {
		b.Ready = func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return nil
		}
	})
	text(t, b.get(t, "/readyz"))
	if left <= 0 || left > readyTimeout {
		t.Errorf("%s left", left)
	}
}

func TestMetricsShowTheRegistry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stagedoor_decisions_total", Help: "Decisions."}, []string{"reason"})
	b.Registry.MustRegister(counter)
	counter.WithLabelValues("allowed").Add(12)
	resp := b.get(t, "/metrics")
	if got := text(t, resp); !strings.Contains(got, `stagedoor_decisions_total{reason="allowed"} 12`) {
		t.Errorf("got %s", got)
	}
	wantHeader(t, resp, "Cache-Control", "no-store")
}

func TestACollectorThatFailsCostsItsOwnLinesOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := prometheus.NewGauge(prometheus.GaugeOpts{Name: "stagedoor_good", Help: "Good."})
	b.Registry.MustRegister(good, broken{})
	got := text(t, b.get(t, "/metrics"))
	if !strings.Contains(got, "stagedoor_good 0") || strings.Contains(got, "password") {
		t.Errorf("got %s", got)
	}
}

type broken struct{}

func (broken) Describe(c chan<- *prometheus.Desc) {
	c <- prometheus.NewDesc("stagedoor_broken", "Broken.", nil, nil)
}

func (broken) Collect(c chan<- prometheus.Metric) {
	c <- prometheus.NewInvalidMetric(prometheus.NewDesc("stagedoor_broken", "Broken.", nil, nil), errors.New("password authentication failed"))
}

func TestRefusalsAreOneLineOfText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.client.Transport = nil // the spec does not know these
	for request, want := range map[string]int{
		"POST /healthz": http.StatusMethodNotAllowed, "PUT /openapi.json": http.StatusMethodNotAllowed,
		"GET /openapi.xml": http.StatusNotFound, "GET /.well-known/none": http.StatusNotFound, "GET /healthz/": http.StatusNotFound,
	} {
		method, path, _ := strings.Cut(request, " ")
		resp := b.do(t, method, path, nil)
		got := text(t, resp)
		if resp.StatusCode != want || strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "{<") {
			t.Errorf("%s: %d %q", request, resp.StatusCode, got)
		}
		wantHeader(t, resp, "Cache-Control", "no-store")
		wantHeader(t, resp, "Content-Type", "text/plain; charset=utf-8")
		if want == http.StatusMethodNotAllowed {
			wantHeader(t, resp, "Allow", "GET, HEAD")
		}
	}
}

func TestEveryKindHasAStatus(t *testing.T) {
	t.Parallel()
	for _, kind := range errs.Kinds {
		w := httptest.NewRecorder()
		WriteError(w, httptest.NewRequest(http.MethodGet, "/healthz", nil), errs.New(kind, "reason", "a message").With(errors.New("hidden")))
		if w.Code < 400 || w.Body.String() != "a message\n" {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
	}
}

func TestEveryOperationIsHeldAgainstTheSpec(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.yaml", "/openapi.json", "/.well-known/jwks.json", "/docs", "/console/0/app.js"} {
		text(t, b.get(t, path))
	}
	want := []string{"consoleFile", "docs", "healthz", "jwks", "metrics", "openapiJSON", "openapiYAML", "readyz"}
	if got := b.spec.Covered(); !slices.Equal(got, want) {
		t.Errorf("covered %q, want %q", got, want)
	}
}
