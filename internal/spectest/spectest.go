// Package spectest holds every request and response of a test against
// openapi.yaml. Only tests import it.
//
// Wrap the transport of the client under test once, and each exchange that it
// makes is checked in both directions:
//
//	spec := spectest.New(t)
//	client := &http.Client{Transport: spec.Transport(http.DefaultTransport)}
//
// A request that is wrong on purpose says so with BadRequest; its response is
// checked all the same.
package spectest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Validator checks exchanges against the spec and remembers which operations
// were exercised. It is safe for concurrent use.
type Validator struct {
	tb testing.TB
	*spec

	mu      sync.Mutex
	covered map[string]bool // by operation id
}

// New loads openapi.yaml from the root of the module and fails the test when
// the document itself is not valid. Faults of later exchanges fail tb as well.
func New(tb testing.TB) *Validator {
	tb.Helper()
	s, err := loadOnce()
	if err != nil {
		tb.Fatalf("load openapi.yaml: %v", err)
	}
	return &Validator{tb: tb, spec: s, covered: map[string]bool{}}
}

// Document returns the document, for reading.
func (v *Validator) Document() *openapi3.T { return v.doc }

// spec is a loaded document; nobody changes it.
type spec struct {
	doc    *openapi3.T
	router routers.Router
	// whole are the beginnings of paths whose last parameter takes the rest,
	// slashes included: those with x-catch-all, which OpenAPI has no word for.
	whole []string
}

// loadOnce is shared by all tests of a process because reading the document
// takes longer than most of them.
var loadOnce = sync.OnceValues(load)

func load() (*spec, error) {
	path, err := specPath()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	// The servers of the document are examples; tests listen anywhere.
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("the document is not valid: %w", err)
	}
	for _, kind := range []string{"text/event-stream", "text/html"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.RegisteredBodyDecoder("text/plain"))
	}
	s := &spec{doc: doc, router: router}
	for path, item := range doc.Paths.Map() {
		if prefix, _, ok := strings.Cut(path, "{"); ok && item.Extensions["x-catch-all"] == true {
			s.whole = append(s.whole, prefix)
		}
	}
	return s, nil
}

// withVerb chooses the path that ends in ":verb" where the value of the last
// parameter does: the router takes the path without it, which fits as well.
func (s *spec) withVerb(route *routers.Route, params map[string]string) (*routers.Route, map[string]string) {
	for name, value := range params {
		i := strings.LastIndexByte(value, ':')
		if i < 0 || !strings.HasSuffix(route.Path, "{"+name+"}") {
			continue
		}
		item := s.doc.Paths.Value(route.Path + value[i:])
		if item == nil || item.GetOperation(route.Method) == nil {
			continue
		}
		verb, rest := *route, maps.Clone(params)
		verb.Path, verb.PathItem, verb.Operation = route.Path+value[i:], item, item.GetOperation(route.Method)
		rest[name] = value[:i]
		return &verb, rest
	}
	return route, params
}

// fold makes one segment of what a catch-all parameter takes.
func (s *spec) fold(u *url.URL) *url.URL {
	for _, prefix := range s.whole {
		if rest, ok := strings.CutPrefix(u.Path, prefix); ok && strings.Contains(rest, "/") {
			folded := *u
			folded.Path, folded.RawPath = prefix+strings.ReplaceAll(rest, "/", "%2F"), ""
			return &folded
		}
	}
	return u
}

// specPath walks up from the working directory, which go test sets to the
// package under test, to the directory of go.mod.
func specPath() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "openapi.yaml"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}

type badRequestKey struct{}

// BadRequest marks requests that break the spec on purpose: they are sent
// unchecked, also to paths and methods that the spec does not have. What they
// exercise does not count as covered.
func BadRequest(ctx context.Context) context.Context {
	return context.WithValue(ctx, badRequestKey{}, true)
}

// Transport returns a RoundTripper that sends through base, or through
// http.DefaultTransport when base is nil, and checks both directions. Faults
// are reported on the test; the exchange itself goes on, byte for byte.
func (v *Validator) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{validator: v, base: base}
}

// Covered returns the sorted ids of the operations that have answered a valid
// request with success, as the spec says. Refusals alone cover nothing.
func (v *Validator) Covered() []string {
	return v.operations(func(id string) bool { return v.covered[id] })
}

// Uncovered returns the sorted ids of the operations that Covered lacks.
func (v *Validator) Uncovered() []string {
	return v.operations(func(id string) bool { return !v.covered[id] })
}

func (v *Validator) operations(keep func(id string) bool) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var ids []string
	for _, item := range v.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if keep(op.OperationID) {
				ids = append(ids, op.OperationID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

type transport struct {
	validator *Validator
	base      http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readAll(req.Body)
	if err != nil {
		return nil, err
	}
	ex := t.validator.checkRequest(req, body)

	out := req.Clone(req.Context())
	if req.Body != nil {
		out.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := t.base.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	answer, err := readAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	if ex != nil {
		ex.checkResponse(resp, answer)
	}
	return resp, nil
}

func readAll(body io.ReadCloser) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	data, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	return data, err
}

// exchange is a request that the spec has an operation for.
type exchange struct {
	*Validator
	input *openapi3filter.RequestValidationInput
	bad   bool // wrong on purpose
}

func (e *exchange) operation() *openapi3.Operation { return e.input.Route.Operation }

// checkRequest returns nil where the spec has no such operation.
func (v *Validator) checkRequest(req *http.Request, body []byte) *exchange {
	v.tb.Helper()
	bad, _ := req.Context().Value(badRequestKey{}).(bool)

	checked := req.Clone(req.Context())
	checked.Body = io.NopCloser(bytes.NewReader(body))
	checked.URL = v.fold(checked.URL)
	route, params, err := v.router.FindRoute(checked)
	if err != nil {
		if !bad {
			v.tb.Errorf("%s %s is not in openapi.yaml: %v", req.Method, req.URL.Path, err)
		}
		return nil
	}
	route, params = v.withVerb(route, params)
	e := &exchange{Validator: v, bad: bad, input: &openapi3filter.RequestValidationInput{
		Request: checked, PathParams: params, Route: route, Options: options(),
	}}
	if bad {
		return e
	}
	if err := openapi3filter.ValidateRequest(req.Context(), e.input); err != nil {
		v.tb.Errorf("request of %s (%s %s) does not match openapi.yaml: %v",
			e.operation().OperationID, req.Method, req.URL.Path, err)
	}
	return e
}

func options() *openapi3filter.Options {
	return &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		MultiError:            true,
		SkipSettingDefaults:   true,
		// An operation without a body must not be sent one.
		RejectWhenRequestBodyNotSpecified: true,
	}
}

func (e *exchange) checkResponse(resp *http.Response, body []byte) {
	e.tb.Helper()
	id := e.operation().OperationID
	err := openapi3filter.ValidateResponse(e.input.Request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: e.input,
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                e.input.Options,
	})
	if err == nil {
		err = unexpectedBody(e.operation(), resp.StatusCode, body)
	}
	if err != nil {
		e.tb.Errorf("response %d of %s does not match openapi.yaml: %v\n%s", resp.StatusCode, id, err, body)
		return
	}
	if e.bad || resp.StatusCode >= http.StatusBadRequest {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.covered[id] = true
}

// unexpectedBody is for responses without content in the spec, whose bodies
// openapi3filter does not look at.
func unexpectedBody(op *openapi3.Operation, status int, body []byte) error {
	ref := op.Responses.Status(status)
	if ref != nil && len(ref.Value.Content) == 0 && len(body) > 0 {
		return fmt.Errorf("a body of %d bytes where the spec has none", len(body))
	}
	return nil
}
