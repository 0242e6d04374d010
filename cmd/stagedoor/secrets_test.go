package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// secrets are what must not be found where nobody asked for it: those that a test
// has sown, and all that its requests and their answers carried.
type secrets struct {
	mu    sync.Mutex
	known map[string]string // what it is, by its text
}

// shortest is how long a text must be to be told from others.
const shortest = 8

func (s *secrets) add(what, text string) {
	if len(text) < shortest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]string{}
	}
	s.known[text] = what
	if escaped := url.QueryEscape(text); escaped != text {
		s.known[escaped] = what
	}
}

// in names the secrets that a text holds.
func (s *secrets) in(text string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, what := range s.known {
		if i := strings.Index(text, secret); i >= 0 && !slices.Contains(found, what) {
			found = append(found, what+" in "+text[max(0, i-120):min(len(text), i+len(secret)+40)])
		}
	}
	return found
}

func (s *secrets) mustNotBeIn(t *testing.T, where, text string) {
	t.Helper()
	for _, leak := range s.in(text) {
		t.Errorf("%s tells a secret: %s", where, leak)
	}
}

var (
	secretField = regexp.MustCompile(`^(?i:(control_|client_)?password|passwd|secret|secret_?key|secret_access_key|volcsecret|(play_|access_|refresh_|app_|auth_|login_?)?token|signature|x-signature|ali-live-signature)$`)
	secretParam = regexp.MustCompile(`[?&](token|secret|sd|auth_key|sign|volcSecret|signature)=([^&"\\\s<>]+)`)
	bearer      = regexp.MustCompile(`(?i)(?:^Bearer |Signature=)(\S+)`)
)

// learn takes the secrets out of a body: fields, of JSON or of a form, and URLs.
func (s *secrets) learn(body string) {
	var v any
	if json.Unmarshal([]byte(body), &v) == nil {
		s.learnFields(v)
	} else if form, err := url.ParseQuery(body); err == nil {
		s.learnValues(form)
	}
	for _, match := range secretParam.FindAllStringSubmatch(strings.ReplaceAll(body, `\u0026`, "&"), -1) {
		s.add("parameter "+match[1], match[2])
	}
}

func (s *secrets) learnFields(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			s.learnFields(item)
		}
	case map[string]any:
		for name, value := range v {
			if text, ok := value.(string); ok && secretField.MatchString(name) {
				s.add("field "+name, text)
			}
			s.learnFields(value)
		}
	}
}

func (s *secrets) learnValues(values map[string][]string) {
	for name, list := range values {
		for _, value := range list {
			if secretField.MatchString(name) {
				s.add("parameter "+name, value)
			}
			s.learn(value[strings.IndexByte(value, '?')+1:]) // a URL within
		}
	}
}

// listener learns what requests and answers carry. An answer that is an error must
// hold nothing of it.
type listener struct {
	http.RoundTripper
	*secrets
	t *testing.T
}

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	l.learnValues(r.URL.Query())
	l.learnValues(r.Header)
	if match := bearer.FindStringSubmatch(r.Header.Get("Authorization")); match != nil {
		l.add("the Authorization header", match[1])
	}
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		l.learn(string(text))
	}
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if resp.StatusCode >= http.StatusBadRequest {
		var header strings.Builder
		_ = resp.Header.Write(&header) // into memory
		l.mustNotBeIn(l.t, "the error of "+r.Method+" "+r.URL.Path, header.String()+string(body))
	} else if !documents(r.URL.Path) {
		l.learn(string(body))
	}
	return resp, nil
}

// documents says whether a path leads to what everybody may read, examples included.
func documents(path string) bool {
	return strings.HasPrefix(path, "/openapi.") || strings.HasPrefix(path, "/docs") || strings.HasPrefix(path, "/console/")
}

// open are the answers that hold no secret, though who asks may know them all.
var open = []string{"/metrics", "/readyz", "/healthz", "/.well-known/jwks.json", "/api/v1/events?limit=100", "/api/v1/refusals?limit=100",
	"/api/v1/accounts", "/api/v1/access-keys", "/api/v1/nodes", "/api/v1/relays", "/api/v1/rules", "/api/v1/bans", "/api/v1/webhooks",
	"/api/v1/live-streams", "/api/v1/sessions", "/users/me", "/streams/list"}

// tellsNoSecret looks at all that a running server shows unasked, and at its
// commands.
func (h *house) tellsNoSecret(t *testing.T) {
	t.Helper()
	for _, path := range open {
		r := h.bare(t, http.MethodGet, path, "")
		r.Header.Set("Authorization", "Bearer "+h.visitors[administrator].token)
		status, text := h.send(t, r)
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, text)
		}
		h.secrets.mustNotBeIn(t, path, text)
	}
	for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}, {"refusals", "--json"}, {"--help"}, {"node", "list", "--json"}, {"rule", "list", "--json"}, {"user", "list", "--json"},
		{"access-key", "list", "--json"}, {"webhook", "list", "--json"}, {"route", "list", "--json"}} {
		got := h.installed.command(t, "", args...)
		h.secrets.mustNotBeIn(t, strings.Join(args, " "), got.stdout+got.stderr)
	}
}

// kept looks, when the server has ended, at all that it has said.
func (h *house) kept(t *testing.T) {
	h.secrets.mustNotBeIn(t, "the log", h.stderr.String())
	h.secrets.mustNotBeIn(t, "the first start", h.stdout.String())
	h.collector.mu.Lock()
	defer h.collector.mu.Unlock()
	h.secrets.mustNotBeIn(t, "the traces", h.collector.raw.String())
	if len(h.collector.spans) == 0 || len(h.secrets.known) < 20 {
		t.Errorf("%d spans and %d secrets are too few to say anything: %v", len(h.collector.spans), len(h.secrets.known), slices.Sorted(maps.Values(h.secrets.known)))
	}
}

// A test that finds nothing must be able to.
func TestSecretsAreLearntAndFound(t *testing.T) {
	t.Parallel()
	s := &secrets{}
	s.learn(`{"rooms":[{"token":"in-a-list","push":{"url":"rtmp://x/y?sd=in-a-url\u0026x=1"}}],"control_password":"in a field","token_type":"not-a-secret"}`)
	s.learn("username=not-a-secret&password=in-a-form")
	s.learnValues(map[string][]string{"X-Original-Uri": {"/live/x?token=in-a-header"}, "Token": {"short"}})
	for _, leak := range []string{"in-a-list", "in-a-url", "in a field", "in+a+field", "in-a-form", "in-a-header"} {
		if found := s.in("before " + leak + " after"); len(found) != 1 {
			t.Errorf("%s: %v", leak, found)
		}
	}
	if found := s.in("not-a-secret short"); found != nil {
		t.Error(found)
	}
}
