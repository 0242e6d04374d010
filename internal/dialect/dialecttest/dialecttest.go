// Package dialecttest is the suite of refusals that every dialect passes: a
// request that is wrong in any of the ways listed as Faults gets the dialect's
// own envelope and status and a request id, is logged once, tells nothing that
// it should not, and changes nothing. Only tests import it.
//
//	dialecttest.Run(t, dialecttest.Suite[*bench]{
//		Setup:    setup, // a fresh server and database for each case
//		Server:   func(b *bench) dialecttest.Server { return b.server },
//		Envelope: checkEnvelope,
//		Cases: []dialecttest.Case[*bench]{
//			{Fault: dialecttest.NotFound, Name: "unknown room", Status: 404,
//				Request: func(t *testing.T, b *bench) dialecttest.Request {
//					return dialecttest.JSON("/api/v1/live/get", b.token, `{"id":"none"}`)
//				}},
//		},
//	})
package dialecttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/spectest"
)

// Fault is one way in which a request can be wrong.
type Fault string

// The faults that each dialect has at least one case for.
const (
	NoCredential      Fault = "no credential"
	BadCredential     Fault = "bad credential"
	ExpiredCredential Fault = "expired credential"
	UnknownPath       Fault = "unknown path"
	WrongMethod       Fault = "wrong method"
	Malformed         Fault = "malformed body"
	MissingField      Fault = "missing field"
	WrongType         Fault = "wrong type"
	OverLong          Fault = "over-long field"
	NotFound          Fault = "not found"
	Conflict          Fault = "conflict"
	OtherOwner        Fault = "other owner"
	Oversize          Fault = "oversize body"
	Panic             Fault = "panic"
)

// Faults lists those above. A suite may add names of its own.
var Faults = []Fault{NoCredential, BadCredential, ExpiredCredential, UnknownPath, WrongMethod, Malformed, MissingField,
	WrongType, OverLong, NotFound, Conflict, OtherOwner, Oversize, Panic}

// Request is one HTTP request to the dialect.
type Request struct {
	Method string // empty: POST
	Path   string // with query, if any
	Header map[string]string
	Body   string
}

// JSON is a POST of a JSON body with a bearer token, or without one for "".
func JSON(path, token, body string) Request {
	return post(path, token, "application/json", body)
}

// Form is a POST of a form body with a bearer token, or without one for "".
func Form(path, token, body string) Request {
	return post(path, token, "application/x-www-form-urlencoded", body)
}

func post(path, token, contentType, body string) Request {
	r := Request{Path: path, Body: body, Header: map[string]string{"Content-Type": contentType}}
	if token != "" {
		r.Header["Authorization"] = "Bearer " + token
	}
	return r
}

// Server is what a case runs against.
type Server struct {
	URL    string
	Client *http.Client  // nil: http.DefaultClient
	Pool   *pgxpool.Pool // everything in it must be the same after a refusal
	Log    *Log          // where the server's chain logs
	// Secrets may appear in no answer and in no log line: passwords, keys. The
	// bearer token of the request itself is always among them.
	Secrets []string
}

// Answer is what the server said, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Case is one wrong request and the status that refuses it.
type Case[B any] struct {
	Fault  Fault
	Name   string
	Status int
	Header map[string]string // of the answer, where the dialect promises some
	// Shared says that the case prepares nothing, so that it may run on the same
	// bundle as the other shared ones.
	Shared bool
	// Request builds the request. It may prepare what the case needs: state that
	// exists when it returns must still be there after the refusal.
	Request func(t *testing.T, b B) Request
}

// Suite is the suite for one dialect. B is its own test bundle.
type Suite[B any] struct {
	Setup  func(t *testing.T) B
	Server func(b B) Server
	// Envelope fails the test unless the answer is the dialect's error envelope
	// for the answer's status.
	Envelope func(t *testing.T, a Answer)
	Cases    []Case[B]
	// NotApplicable names the faults that cannot happen in this dialect, and why.
	NotApplicable map[Fault]string
}

// Run runs every case on a bundle of its own, and those that may share one
// after the other on one.
func Run[B any](t *testing.T, s Suite[B]) {
	t.Helper()
	for _, f := range Faults {
		covered := slices.ContainsFunc(s.Cases, func(c Case[B]) bool { return c.Fault == f })
		if !covered && s.NotApplicable[f] == "" {
			t.Errorf("the suite has no case for the fault %q", f)
		}
	}
	var shared []Case[B]
	for _, c := range s.Cases {
		if c.Shared {
			shared = append(shared, c)
			continue
		}
		t.Run(c.title(), func(t *testing.T) {
			t.Parallel()
			s.run(t, c, s.Setup(t))
		})
	}
	if len(shared) == 0 {
		return
	}
	t.Run("shared", func(t *testing.T) {
		t.Parallel()
		b := s.Setup(t)
		for _, c := range shared {
			t.Run(c.title(), func(t *testing.T) { s.run(t, c, b) })
		}
	})
}

func (c Case[B]) title() string { return string(c.Fault) + "/" + c.Name }

func (s Suite[B]) run(t *testing.T, c Case[B], b B) {
	t.Helper()
	srv := s.Server(b)
	req := c.Request(t, b)
	before := Snapshot(t, srv.Pool)

	a := Send(t, srv, req)

	if a.Status != c.Status {
		t.Errorf("status %d, want %d: %s", a.Status, c.Status, a.Body)
	}
	s.Envelope(t, a)
	for name, want := range c.Header {
		if got := a.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	CheckNothingLeaked(t, srv, req, a)
	CheckLoggedOnce(t, srv.Log, a)
	if after := Snapshot(t, srv.Pool); after != before {
		t.Errorf("the refused request changed the database:\n%s", difference(before, after))
	}
}

// Send sends a request and reads the answer to its end. Every Request of a
// Case is sent in a context that tells spectest that it may break the spec.
func Send(t *testing.T, srv Server, r Request) Answer {
	t.Helper()
	return SendContext(spectest.BadRequest(t.Context()), t, srv, r)
}

// SendContext is Send in a context of the caller's choice.
func SendContext(ctx context.Context, t *testing.T, srv Server, r Request) Answer {
	t.Helper()
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, srv.URL+r.Path, strings.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	client := srv.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// internals are texts that only our inside produces.
var internals = []string{"goroutine ", ".go:", "SQLSTATE", "pgx", "postgres", "Go struct", "Go value", "unmarshal",
	"runtime error", "stagedoor/internal", "0x", "nil pointer"}

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
	secrets := slices.Clone(srv.Secrets)
	// Shorter ones are words that clients send in place of a token.
	if _, token, _ := strings.Cut(r.Header["Authorization"], " "); len(token) > 16 {
		secrets = append(secrets, token)
	}
	logged := srv.Log.String()
	for _, secret := range secrets {
		if secret != "" && (strings.Contains(shown, secret) || strings.Contains(logged, secret)) {
			t.Errorf("the secret %q is in the answer or in the log", secret)
		}
	}
}

// CheckLoggedOnce fails the test unless the answer carries a request id and the
// access log has exactly one line with it, which knows the status and a reason.
func CheckLoggedOnce(t testing.TB, log *Log, a Answer) {
	t.Helper()
	id := a.Header.Get("X-Request-Id")
	if id == "" {
		t.Error("the answer has no X-Request-Id")
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

// difference shows the lines that only one of two snapshots has.
func difference(before, after string) string {
	var b strings.Builder
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, l := range old {
		if !slices.Contains(now, l) {
			fmt.Fprintf(&b, "- %s\n", l)
		}
	}
	for _, l := range now {
		if !slices.Contains(old, l) {
			fmt.Fprintf(&b, "+ %s\n", l)
		}
	}
	return b.String()
}
