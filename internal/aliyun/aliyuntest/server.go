// Package aliyuntest is a small Alibaba Cloud: an HTTP server that checks each
// request's signature as the vendor does, keeps message groups and recordings,
// and fails in every way it is told to. Only tests import it.
package aliyuntest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// The key with which requests must be signed.
const (
	KeyID  = "test-key-id"
	Secret = "test-key-secret-of-the-cloud"
)

// Call is a request whose signature was right.
type Call struct {
	Action  string
	Version string
	Params  map[string]string // without those that every request has
}

// Answer is what an operation says. The zero Answer is an empty object.
type Answer struct {
	Status int // 0 for 200
	Body   any // a string or []byte as it is, else encoded
}

// Refuse is an answer as the vendor refuses.
func Refuse(status int, code string) Answer {
	return Answer{Status: status, Body: map[string]string{"Code": code, "Message": "Specified signature does not match: " + Secret,
		"RequestId": "B95BE680-5A6A-1CAD-8AB1-09DFF5D6", "HostId": "live.example.com"}}
}

// Fault takes the place of an operation. It may write anything.
type Fault func(w http.ResponseWriter, r *http.Request)

// Hang answers nothing until the client gives up.
func Hang(_ http.ResponseWriter, r *http.Request) {
	if giveUp, ok := impatient.Load(r.Header.Get(callHeader)); ok {
		giveUp.(context.CancelCauseFunc)(context.DeadlineExceeded)
	}
	<-r.Context().Done()
}

// callHeader names a call of an impatient client to a server that hangs.
const callHeader = "X-Impatient-Call"

var impatient sync.Map // by number of the call: what ends it

type impatience struct{ http.RoundTripper }

func (i impatience) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, giveUp := context.WithCancelCause(r.Context())
	call := rand.Text()
	impatient.Store(call, giveUp)
	defer impatient.Delete(call)
	r = r.Clone(ctx)
	r.Header.Set(callHeader, call)
	return i.RoundTripper.RoundTrip(r)
}

// Impatient returns a client whose time is over as soon as the cloud hangs, and no
// sooner: for tests of what comes of that.
func (s *Server) Impatient() *http.Client {
	c := *s.Client()
	c.Transport = impatience{c.Transport}
	return &c
}

// Drop closes the connection without an answer.
func Drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Reply answers the same to everything.
func Reply(a Answer) Fault { return func(w http.ResponseWriter, _ *http.Request) { write(w, a) } }

// Server is the cloud.
type Server struct {
	*httptest.Server
	Token string           // what a temporary key has to present, if anything
	Now   func() time.Time // the cloud's clock

	mu      sync.Mutex
	t       testing.TB
	calls   []Call
	nonces  map[string]bool
	faults  map[string]Fault
	groups  map[string]*group
	likes   map[string]int64
	media   map[string]string // title to id
	files   map[string][]any  // id to PlayInfo
	created int
}

// New starts a cloud whose clock is the test's.
func New(t testing.TB, now func() time.Time) *Server {
	s := &Server{Now: now, t: t, nonces: map[string]bool{}, faults: map[string]Fault{}, groups: map[string]*group{}, likes: map[string]int64{},
		media: map[string]string{}, files: map[string][]any{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = nil
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// Fail puts a fault in the place of an operation; nil takes it away.
func (s *Server) Fail(action string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[action] = f
}

// Calls returns the requests for an operation so far, of all for "".
func (s *Server) Calls(action string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if action == "" || c.Action == action {
			out = append(out, c)
		}
	}
	return out
}

// common are the parameters that every request has.
var common = []string{"Action", "Version", "Format", "AccessKeyId", "SecurityToken", "SignatureMethod", "SignatureVersion", "SignatureNonce",
	"Timestamp", "Signature"}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	call, nonce, problem := s.verify(r)
	if problem == "" {
		problem = s.note(call, nonce)
	}
	if problem != "" {
		s.t.Errorf("the cloud refuses %s: %s", r.URL.Query().Get("Action"), problem)
		write(w, Refuse(http.StatusBadRequest, "SignatureDoesNotMatch"))
		return
	}
	s.mu.Lock()
	f := s.faults[call.Action]
	s.mu.Unlock()
	if f != nil {
		f(w, r)
		return
	}
	write(w, s.answer(call))
}

func (s *Server) note(c Call, nonce string) (problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(nonce) < 16 || s.nonces[nonce] {
		return "the nonce was used before, or is short"
	}
	s.nonces[nonce] = true
	s.calls = append(s.calls, c)
	for name, value := range c.Params {
		if strings.TrimSpace(value) == "" {
			return name + " is empty"
		}
	}
	return ""
}

func write(w http.ResponseWriter, a Answer) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	switch body := a.Body.(type) {
	case nil:
		_, _ = w.Write([]byte(`{"RequestId":"B95BE680"}`))
	case string:
		_, _ = w.Write([]byte(body))
	default:
		_ = json.NewEncoder(w).Encode(body)
	}
}
