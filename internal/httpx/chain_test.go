package httpx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func TestEachRequestLeavesOneLineWithoutItsQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("POST /rooms/{id}", func(w http.ResponseWriter, r *http.Request) {
		httpx.SetPrincipal(r.Context(), "alice")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("short"))
	})
	r := httptest.NewRequest("POST", "/rooms/7?token=hidden-secret&secret=hidden-secret", nil)
	r.Header.Set("Authorization", "Bearer hidden-secret")
	r.Header.Set("X-Request-Id", "made-up-by-the-client")
	r.RemoteAddr = "192.0.2.7:1"
	w := b.serve(r)

	line := b.logged.one(t, "request")
	for key, want := range map[string]any{
		"level": "INFO", "method": "POST", "path": "/rooms/7", "status": 418.0, "bytes": 5.0, "ms": 5.0,
		"client_address": "192.0.2.7", "principal": "alice", "request_id": w.Header().Get("X-Request-Id"),
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	if strings.Contains(b.logged.String(), "hidden-secret") {
		t.Errorf("a secret is in the log:\n%s", b.logged)
	}
	if w.Header().Get("X-Request-Id") == "made-up-by-the-client" {
		t.Error("the client chose the request id")
	}
	for _, absent := range []string{"reason", "error"} {
		if _, there := line[absent]; there {
			t.Errorf("a request that did not fail has a %s", absent)
		}
	}
}

func TestFailureIsToldOnceWithItsCause(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("GET /x", func(w http.ResponseWriter, r *http.Request) {
		httpx.SetFailure(r.Context(), "database_gone", errors.New("dial tcp: refused"))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	w := b.serve(httptest.NewRequest("GET", "/x", nil))
	line := b.logged.one(t, "request")
	if line["reason"] != "database_gone" || line["error"] != "dial tcp: refused" || line["level"] != "WARN" {
		t.Errorf("line %v", line)
	}
	if strings.Contains(w.Body.String(), "refused") {
		t.Error("the client is told the cause")
	}
}

func TestAClientThatLeftIsNoFailureOfOurs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		leave  bool
		cause  error
		status float64
		level  string
	}{
		"it left":                     {true, context.Canceled, 499, "INFO"},
		"it left, and something fell": {true, errors.New("disk full"), 500, "WARN"},
		"we gave up by ourselves":     {false, context.Canceled, 500, "WARN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			b.rt.HandleFunc("GET /x", func(w http.ResponseWriter, r *http.Request) {
				if c.leave {
					leave()
				}
				httpx.SetFailure(r.Context(), "internal", fmt.Errorf("list rooms: %w", c.cause))
				w.WriteHeader(http.StatusInternalServerError)
			})
			b.serve(httptest.NewRequest("GET", "/x", nil).WithContext(ctx))
			if line := b.logged.one(t, "request"); line["status"] != c.status || line["level"] != c.level {
				t.Errorf("line %v", line)
			}
		})
	}
}

func TestRequestsHaveIdsOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("GET /x", func(_ http.ResponseWriter, r *http.Request) {
		if httpx.RequestID(r.Context()) == "" {
			t.Error("the handler does not know its request id")
		}
	})
	first, second := b.serve(httptest.NewRequest("GET", "/x", nil)), b.serve(httptest.NewRequest("GET", "/x", nil))
	if a, b := first.Header().Get("X-Request-Id"), second.Header().Get("X-Request-Id"); a == b {
		t.Errorf("two requests share the id %q", a)
	}
}

func TestWithoutRandomnessRequestsAreStillServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.config.Rand = iotest.ErrReader(errors.New("no entropy"))
	b.rt.HandleFunc("GET /x", func(http.ResponseWriter, *http.Request) {})
	if w := b.serve(httptest.NewRequest("GET", "/x", nil)); w.Code != 200 || w.Header().Get("X-Request-Id") != "unidentified" {
		t.Errorf("status %d, id %q", w.Code, w.Header().Get("X-Request-Id"))
	}
}

func TestObserverIsToldThePatternNotThePath(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var seen []string
	b.config.Observe = func(method, route string, status int, took time.Duration) {
		seen = append(seen, fmt.Sprintf("%s [%s] %d %s", method, route, status, took))
	}
	b.rt.Errors(envelope("any"), "/")
	b.rt.HandleFunc("GET /rooms/{id}", func(http.ResponseWriter, *http.Request) {})
	b.serve(httptest.NewRequest("GET", "/rooms/1", nil))
	b.serve(httptest.NewRequest("PUT", "/rooms/1", nil))
	b.serve(httptest.NewRequest("GET", "/nowhere", nil))
	want := "GET [GET /rooms/{id}] 200 5ms|PUT [] 405 5ms|GET [] 404 5ms"
	if got := strings.Join(seen, "|"); got != want {
		t.Errorf("observed %s, want %s", got, want)
	}
}

func TestPanicIsAnsweredOnceInTheEnvelopeOfItsPath(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"text": "boom-secret", "error": errors.New("boom-secret"), "runtime error": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.rt.Errors(envelope("other"), "/")
			b.rt.Errors(envelope("ours"), "/ours/")
			b.rt.HandleFunc("GET /ours/x", func(http.ResponseWriter, *http.Request) {
				if value != nil {
					panic(value)
				}
				var m map[string]int
				m["boom-secret"] = 1
			})
			w := b.serve(httptest.NewRequest("GET", "/ours/x", nil))
			if w.Code != 500 || w.Body.String() != "ours:panic" {
				t.Errorf("answer %d %q", w.Code, w.Body)
			}
			if stack := b.logged.one(t, "panic")["stack"].(string); !strings.Contains(stack, "chain_test.go") {
				t.Errorf("the stack does not lead to the panic:\n%s", stack)
			}
			if line := b.logged.one(t, "request"); line["status"] != 500.0 || line["reason"] != "panic" {
				t.Errorf("access log %v", line)
			}
		})
	}
}

// Through a real server, because only its client sees a cut connection.
func TestPanicAfterTheAnswerBeganCutsItOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.Errors(envelope("any"), "/")
	b.rt.HandleFunc("GET /x", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half of"))
		_ = http.NewResponseController(w).Flush() // reaches the connection through the recorder
		panic("boom")
	})
	srv := httptest.NewServer(b.config.Wrap(b.rt))
	t.Cleanup(srv.Close)
	res, err := srv.Client().Get(srv.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil {
		t.Errorf("the client takes %q for the whole answer", body)
	}
	if string(body) != "half of" {
		t.Errorf("body %q", body)
	}
	b.logged.one(t, "panic")
	b.logged.one(t, "request")
}

func TestAbortedHandlerIsNoPanicOfOurs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("GET /x", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
		if recs := b.logged.all(t, "panic"); len(recs) != 0 {
			t.Errorf("it is logged as a panic: %v", recs)
		}
	}()
	b.serve(httptest.NewRequest("GET", "/x", nil))
}

func TestBodyOverTheLimitIsReportedAsTooLarge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.Errors(envelope("any"), "/")
	var read int
	b.rt.HandleFunc("POST /x", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		read = len(body)
		if err != nil {
			b.rt.Fail(w, r, httpx.BodyError(err))
		}
	})
	if w := b.serve(httptest.NewRequest("POST", "/x", strings.NewReader(strings.Repeat("x", httpx.MaxBody+1)))); w.Code != 413 || w.Body.String() != "any:body_too_large" {
		t.Errorf("one byte too many: %d %s", w.Code, w.Body)
	}
	if read > httpx.MaxBody {
		t.Errorf("%d bytes were read", read)
	}
	if w := b.serve(httptest.NewRequest("POST", "/x", strings.NewReader(strings.Repeat("x", httpx.MaxBody)))); w.Code != 200 || read != httpx.MaxBody {
		t.Errorf("exactly at the limit: %d, %d bytes", w.Code, read)
	}
}

// Else the connection is reset under a client that is still sending, which then
// does not hear why it was refused.
func TestWhoIsRefusedIsHeardOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("POST /status/{status}", func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.PathValue("status"))
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	})
	const bound = 256 << 10
	for _, c := range []struct {
		status, sent int
		expect       string
		unread       int
	}{
		{403, 1, "", 0}, {413, bound, "", 0}, {413, bound + 5, "", 5}, {413, 10 * bound, "100-continue", 10 * bound}, {200, 7, "", 7},
	} {
		body := strings.NewReader(strings.Repeat("x", c.sent))
		r := httptest.NewRequest("POST", "/status/"+strconv.Itoa(c.status), body)
		r.Header.Set("Expect", c.expect)
		if w := b.serve(r); w.Code != c.status || body.Len() != c.unread {
			t.Errorf("%+v: %d, %d bytes unread", c, w.Code, body.Len())
		}
	}
}

func TestBodyErrorsAreTranslated(t *testing.T) {
	t.Parallel()
	known := errs.New(errs.Invalid, "invalid_title", "too long")
	for _, c := range []struct {
		in     error
		kind   errs.Kind
		reason string
	}{
		{&http.MaxBytesError{Limit: 1}, errs.TooLarge, "body_too_large"},
		{fmt.Errorf("decode: %w", &http.MaxBytesError{Limit: 1}), errs.TooLarge, "body_too_large"},
		{io.ErrUnexpectedEOF, errs.Invalid, "malformed_request"},
		{errors.New("invalid character 'x'"), errs.Invalid, "malformed_request"},
		{fmt.Errorf("decode: %w", known), errs.Invalid, "invalid_title"},
	} {
		got := errs.As(httpx.BodyError(c.in))
		if got.Kind != c.kind || got.Reason != c.reason {
			t.Errorf("%v becomes %s %s, want %s %s", c.in, got.Kind, got.Reason, c.kind, c.reason)
		}
		if strings.Contains(got.Message, "character") {
			t.Errorf("the message shows the parser's: %q", got.Message)
		}
	}
}

func TestInformationalAnswersAreNotTheStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("GET /x", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusOK) // superfluous: the first one was sent
	})
	b.serve(httptest.NewRequest("GET", "/x", nil))
	if got := b.logged.one(t, "request")["status"]; got != 202.0 {
		t.Errorf("logged status %v", got)
	}
}

func TestClientAddressOfALocalSocketIsLoggedAsSuch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rt.HandleFunc("GET /x", func(http.ResponseWriter, *http.Request) {})
	r := httptest.NewRequest("GET", "/x", nil)
	r.RemoteAddr = "@"
	b.serve(r)
	if got := b.logged.one(t, "request")["client_address"]; got != (netip.Addr{}).String() {
		t.Errorf("client address %v", got)
	}
}
