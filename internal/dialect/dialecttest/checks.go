package dialecttest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// checkEnvelope holds an answer against the spec and against the dialect's own
// promises.
func (s Suite[B]) checkEnvelope(t *testing.T, a Answer) {
	t.Helper()
	if schema := s.Schema(a.Status); schema != "" {
		CheckJSON(t, schema, a)
	} else {
		CheckText(t, a)
	}
	if s.RequestID != nil {
		if said, want := s.RequestID(a); said == "" || said != want {
			t.Errorf("the body names request %q, the header %q: %s", said, want, a.Body)
		}
	}
	if s.Envelope != nil {
		s.Envelope(t, a)
	}
}

// CheckJSON fails the test unless an answer is JSON of that component of the
// spec.
func CheckJSON(t testing.TB, schema string, a Answer) {
	t.Helper()
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("the answer is %q", got)
	}
	if err := spectest.MatchSchema(schema, a.Body); err != nil {
		t.Errorf("not the envelope: %v in %s", err, a.Body)
	}
}

// CheckText fails the test unless an answer is one line of plain text.
func CheckText(t testing.TB, a Answer) {
	t.Helper()
	line, rest, ended := strings.Cut(string(a.Body), "\n")
	if line == "" || !ended || rest != "" || strings.ContainsAny(line, "{<") || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("not one line of text: %q, %q", a.Header.Get("Content-Type"), a.Body)
	}
}

// internals are texts that only our inside produces.
var internals = []string{
	"goroutine ", ".go:", "Go struct", "Go value", "unmarshal", "runtime error", "stagedoor/internal", "0x", "nil pointer", // stacks and types
	"SQLSTATE", "pgx", "postgres", "insert into", "select ", "constraint", "relation ", "duplicate key", // the database
	"/srv/", "/home/", "/root/", "/tmp/", "/usr/", "/var/", "connection refused", "dial tcp", // the machine
}

// carried finds secrets in a request by their names, in JSON, also where it is
// broken, and in forms and queries.
var carried = regexp.MustCompile(`(?i)(?:password|secret|token|signature)\w*(?:"\s*:\s*"([^"]*)|=([^&\s"]*))`)

// secretsOf returns what a request carries that nobody may repeat. Short ones
// are left out: they are words that clients send in place of a secret, and may
// be part of anything.
func secretsOf(r Request) (list []string) {
	_, credential, _ := strings.Cut(r.Header["Authorization"], " ")
	list = append(list, credential)
	_, query, _ := strings.Cut(r.Path, "?")
	for _, m := range carried.FindAllStringSubmatch(query+"\n"+r.Body, -1) {
		value := m[1] + m[2]
		if plain, err := url.QueryUnescape(m[2]); m[2] != "" && err == nil {
			value = plain
		}
		list = append(list, value[:min(len(value), 256)]) // the beginning of a long one is too much
	}
	return slices.DeleteFunc(list, func(s string) bool { return len(s) < 12 })
}

// CheckNothingLeaked fails the test when the answer shows how the server works
// inside, or when a secret is in the answer or in the log.
func CheckNothingLeaked(t testing.TB, srv Server, r Request, a Answer) {
	t.Helper()
	shown := string(a.Body) + fmt.Sprint(a.Header)
	for _, text := range internals {
		if strings.Contains(strings.ToLower(shown), strings.ToLower(text)) {
			t.Errorf("the answer contains %q: %s", text, a.Body)
		}
	}
	secrets := slices.Concat(srv.Secrets, secretsOf(r))
	logged := srv.Log.String()
	for _, secret := range secrets {
		if secret != "" && (strings.Contains(shown, secret) || strings.Contains(logged, secret)) {
			t.Errorf("the secret %q is in the answer or in the log", secret)
		}
	}
}

// requestID is what the chain gives every request, whatever its client sends.
var requestID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// CheckLoggedOnce fails the test unless the answer carries a request id and the
// access log has exactly one line with it, which knows the status and a reason.
func CheckLoggedOnce(t testing.TB, log *Log, a Answer) {
	t.Helper()
	id := a.Header.Get("X-Request-Id")
	if !requestID.MatchString(id) {
		t.Errorf("X-Request-Id is %q", id)
		return
	}
	lines := log.Requests(id)
	if len(lines) != 1 {
		t.Errorf("%d access log lines for request %s, want 1", len(lines), id)
		return
	}
	if got := lines[0].Status; got != a.Status {
		t.Errorf("the access log says status %d, the answer %d", got, a.Status)
	}
	if lines[0].Reason == "" {
		t.Error("the access log does not say why the request was refused")
	}
}
