package main

import (
	"net/http"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/stagedoor-live/stagedoor/gen/spec"
)

const origin = "https://app.example.com"

// operations lists method and path of everything in openapi.yaml.
func operations(t *testing.T) (all [][2]string) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(spec.YAML, &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method := range item {
			if method = strings.ToUpper(method); method == http.MethodGet || method == http.MethodPost || method == http.MethodPatch || method == http.MethodDelete {
				all = append(all, [2]string{method, strings.ReplaceAll(path, "{username}", "alice")})
			}
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d operations", len(all))
	}
	return all
}

func TestBrowsersOfAllowedOriginsMayCallEverything(t *testing.T) {
	t.Parallel()
	s := install(t).serve(t, "--cors-origins", "https://other.example.com,"+origin)
	for _, op := range append(operations(t), [2]string{http.MethodPost, "/no/such/path"}) {
		code, h, text := request(t, http.MethodOptions, s.url+op[1], map[string]string{"Origin": origin,
			"Access-Control-Request-Method": op[0], "Access-Control-Request-Headers": "authorization,content-type,x-live-env"})
		if code != http.StatusNoContent || text != "" {
			t.Errorf("preflight of %s %s: %d %s", op[0], op[1], code, text)
		}
		if h.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(h.Get("Access-Control-Allow-Methods"), op[0]) ||
			!strings.Contains(h.Get("Access-Control-Allow-Headers"), "x-live-env") || h.Get("Access-Control-Max-Age") == "" ||
			h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
			t.Errorf("preflight of %s %s: %v", op[0], op[1], h)
		}
	}
}

func TestBrowsersSeeTheStatusOfRefusals(t *testing.T) {
	t.Parallel()
	s := install(t).serve(t, "--cors-origins", origin)
	for path, want := range map[string]int{"/api/v1/live/list": 401, "/users/me": 405, "/no/such/path": 404} {
		code, h, _ := request(t, http.MethodPost, s.url+path, map[string]string{"Origin": origin})
		if code != want || h.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s: %d, %v", path, code, h)
		}
		for _, name := range []string{"X-Total-Count", "Retry-After", "RateLimit-Remaining"} {
			if !strings.Contains(h.Get("Access-Control-Expose-Headers"), http.CanonicalHeaderKey(name)) {
				t.Errorf("%s exposes %q", path, h.Get("Access-Control-Expose-Headers"))
			}
		}
	}
}

func TestOtherOriginsGetNoPermission(t *testing.T) {
	t.Parallel()
	listed, none := install(t).serve(t, "--cors-origins", origin), install(t).serve(t)
	for _, url := range []string{listed.url, none.url} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			_, h, _ := request(t, method, url+"/api/v1/live/login", map[string]string{"Origin": "https://evil.example.com", "Access-Control-Request-Method": "POST"})
			if got := h.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("%s: allows %q", method, got)
			}
		}
	}
}
