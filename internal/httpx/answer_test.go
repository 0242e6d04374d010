package httpx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestEveryKindHasAStatus(t *testing.T) {
	t.Parallel()
	for _, kind := range errs.Kinds {
		if statuses[kind] < 400 {
			t.Errorf("%s has no status", kind)
		}
	}
	if got := StatusOf(errs.Kind(200)); got != http.StatusInternalServerError {
		t.Errorf("an unknown kind is %d", got)
	}
}

func TestRetryAfterIsWholeSecondsAndNeverZero(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 1001 * time.Millisecond: "2", time.Minute: "60"} {
		h := http.Header{}
		FailureHeaders(h, &errs.Error{Kind: errs.RateLimited, RetryAfter: d})
		if got := h.Get("Retry-After"); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestFailureHeadersAreOnlyThoseOfTheKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[errs.Kind]string{errs.Unauthorized: "Www-Authenticate", errs.Unavailable: "Retry-After", errs.Conflict: ""} {
		h := http.Header{}
		FailureHeaders(h, errs.New(kind, "reason", "message"))
		if want == "" && len(h) != 0 || want != "" && (len(h) != 1 || h.Get(want) == "") {
			t.Errorf("%s: %v", kind, h)
		}
	}
}

func TestWholeObjectPassesOneObjectOnly(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"a":1}`: 200, " \n{}": 200, "": 200,
		"null": 400, "[]": 400, `{"a":1} x`: 400, `{"a":`: 400, "{\"a\":\"\xff\"}": 400, `"{}"`: 400,
	} {
		h := WholeObject(func(w http.ResponseWriter, _ *http.Request, err error) { w.WriteHeader(StatusOf(errs.KindOf(err))) })(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got, err := io.ReadAll(r.Body); err != nil || string(got) != body {
					t.Errorf("%q reached the handler as %q, %v", body, got, err)
				}
			}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%q: %d, want %d", body, w.Code, want)
		}
	}
}

func TestWithinBudgetSetsADeadline(t *testing.T) {
	t.Parallel()
	WithinBudget(time.Minute)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		at, ok := r.Context().Deadline()
		if left := time.Until(at); !ok || left <= 0 || left > time.Minute {
			t.Errorf("%v left, limited %v", left, ok)
		}
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
}
