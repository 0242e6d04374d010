// Package dialecttest is the suite of refusals that every dialect passes: a
// request that is wrong in any of the ways listed as Faults gets the dialect's
// own envelope and status, as openapi.yaml has them, and a request id; it is
// logged once, tells nothing that it should not, and changes nothing. A dialect
// brings a table, and says of each fault that it leaves out why it cannot
// happen. Only tests import this package.
//
//	dialecttest.Run(t, dialecttest.Suite[*bench]{
//		Setup:    setup, // a fresh server and database for each case
//		Server:   func(b *bench) dialecttest.Server { return b.server },
//		Schema:   func(int) string { return "AppError" },
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
	UnknownOperation  Fault = "unknown operation"
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
var Faults = []Fault{NoCredential, BadCredential, ExpiredCredential, UnknownOperation, WrongMethod, Malformed, MissingField,
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
	URL string
	// Client holds every exchange against the spec: see spectest. A test beside
	// the suite may do without.
	Client *http.Client
	Pool   *pgxpool.Pool // everything in it must be the same after a refusal
	Log    *Log          // where the server's chain logs
	// Secrets may appear in no answer and in no log line: passwords, keys. What
	// the request itself carries under such a name is always among them.
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
	Reason string            // in the access log, where the case looks at it
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
	// Schema names the component of openapi.yaml that a refusal with this status
	// is, also where the spec has no operation. Empty: plain text of one line.
	Schema func(status int) string
	// RequestID returns what the body says is the id of the request, and what it
	// should say for the one in the header; nil where the envelope has none.
	RequestID func(a Answer) (said, want string)
	// Envelope fails the test unless the answer has what else the dialect
	// promises for its status. It may be nil.
	Envelope func(t *testing.T, a Answer)
	Cases    []Case[B]
	// NotApplicable names the faults that cannot happen in this dialect, and why.
	NotApplicable map[Fault]string
}

// Fixed is the Request of a case that prepares nothing.
func Fixed[B any](build func(b B) Request) func(*testing.T, B) Request {
	return func(_ *testing.T, b B) Request { return build(b) }
}

// Run runs every case on a bundle of its own, and those that may share one
// after the other on one.
func Run[B any](t *testing.T, s Suite[B]) {
	t.Helper()
	for _, gap := range s.gaps() {
		t.Error(gap)
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

// gaps tells what is missing of a suite, and what it says twice.
func (s Suite[B]) gaps() (list []string) {
	seen := map[Fault]bool{}
	titles := map[string]bool{}
	for _, c := range s.Cases {
		if titles[c.title()] {
			list = append(list, "two cases are called "+c.title())
		}
		seen[c.Fault], titles[c.title()] = true, true
	}
	for _, f := range Faults {
		switch reason, declined := s.NotApplicable[f]; {
		case declined && seen[f]:
			list = append(list, fmt.Sprintf("the fault %q has a case and cannot happen", f))
		case declined && reason == "":
			list = append(list, fmt.Sprintf("it is not said why the fault %q cannot happen", f))
		case !declined && !seen[f]:
			list = append(list, fmt.Sprintf("the suite has no case for the fault %q", f))
		}
	}
	return list
}

func (c Case[B]) title() string { return string(c.Fault) + "/" + c.Name }

func (s Suite[B]) run(t *testing.T, c Case[B], b B) {
	t.Helper()
	srv := s.Server(b)
	if !spectest.Checks(srv.Client) {
		t.Fatal("the client does not hold its exchanges against the spec")
	}
	req := c.Request(t, b)
	before := Snapshot(t, srv.Pool)

	a := Send(t, srv, req)

	if a.Status != c.Status {
		t.Errorf("status %d, want %d: %s", a.Status, c.Status, a.Body)
	}
	s.checkEnvelope(t, a)
	for name, want := range c.Header {
		if got := a.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	CheckNothingLeaked(t, srv, req, a)
	CheckLoggedOnce(t, srv.Log, a)
	if lines := srv.Log.Requests(a.Header.Get("X-Request-Id")); c.Reason != "" && len(lines) == 1 && lines[0].Reason != c.Reason {
		t.Errorf("the reason is %q, want %q", lines[0].Reason, c.Reason)
	}
	if after := Snapshot(t, srv.Pool); after != before {
		t.Errorf("the refused request changed the database:\n%s", Difference(before, after))
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
