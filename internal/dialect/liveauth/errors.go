package liveauth

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/liveauth"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// details are the texts that clients know, by reason and then by kind. Where
// neither has one, the error's own message is shown.
var (
	detailByReason = map[string]string{
		"not_authenticated":   "Not authenticated",
		"invalid_credentials": "Incorrect username or password",
		"registration_closed": "Registration is closed",
		"stream_taken":        "The stream belongs to another user",
		"level_too_high":      "The level exceeds your permission level",
	}
	detailByKind = map[errs.Kind]string{
		errs.Internal:         "Internal Server Error",
		errs.Unauthorized:     "Could not validate credentials",
		errs.TooLarge:         "The request body is too large",
		errs.RateLimited:      "Too many attempts",
		errs.Unavailable:      "temporarily unavailable",
		errs.BadGateway:       "media server unavailable",
		errs.MethodNotAllowed: "Method Not Allowed",
	}
)

// statuses has every kind. A conflict is 400 and not 409: that is what clients
// of FastAPI's own user examples test for.
var statuses = map[errs.Kind]int{
	errs.Internal:         http.StatusInternalServerError,
	errs.Invalid:          http.StatusUnprocessableEntity,
	errs.Unauthorized:     http.StatusUnauthorized,
	errs.Forbidden:        http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.Conflict:         http.StatusBadRequest,
	errs.TooLarge:         http.StatusRequestEntityTooLarge,
	errs.RateLimited:      http.StatusTooManyRequests,
	errs.Unavailable:      http.StatusServiceUnavailable,
	errs.BadGateway:       http.StatusBadGateway,
	errs.MethodNotAllowed: http.StatusMethodNotAllowed,
}

// writeError is the only way in which this dialect says no.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(err)
	f := listFaults(r, err, e)
	if f != nil {
		e = errs.New(errs.Invalid, "invalid_input", "").With(f)
	}
	if e.Reason == "no_such_path" && s.redirect(w, r) {
		return
	}
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	writeHeaders(w.Header(), e)
	if f != nil {
		s.writeJSON(w, r, statuses[e.Kind], gen.HTTPValidationError{Detail: f})
		return
	}
	s.writeJSON(w, r, statuses[e.Kind], gen.DetailError{Detail: detail(e)})
}

// listFaults returns what is wrong with the input, or nil where that is not
// what the error is about.
func listFaults(r *http.Request, err error, e *errs.Error) faults {
	var f faults
	switch {
	case isParamError(err):
		return queryFaults(r.Pattern, r.URL.Query())
	case errors.As(err, &f):
		return f
	case e.Kind == errs.Invalid:
		return faults{domainFault(r, e)}
	}
	return nil
}

func detail(e *errs.Error) string {
	if text, ok := detailByReason[e.Reason]; ok {
		return text
	}
	if text, ok := detailByKind[e.Kind]; ok {
		return text
	}
	return e.Message
}

// domainFault shows a rule of ours that the input breaks as Pydantic shows the
// rules of a validator.
func domainFault(r *http.Request, e *errs.Error) gen.ValidationError {
	switch {
	case e.Field == "":
		return fault(e.Message, "value_error", "body")
	case parameters[r.Pattern] != nil:
		return fault(e.Message, "value_error", "query", e.Field)
	case e.Field == "email":
		return notEmail("body", "email")
	}
	return fault(e.Message, "value_error", "body", e.Field)
}

// redirect sends a path of this dialect with a slash too many to the right one,
// method and body included. Callbacks are not among them: a media server would
// take a redirect for an order.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request) bool {
	path := strings.TrimRight(r.URL.Path, "/")
	if path == r.URL.Path || !s.paths[path] {
		return false
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}

func writeHeaders(h http.Header, e *errs.Error) {
	h.Set("Cache-Control", "no-store")
	switch e.Kind {
	case errs.Unauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case errs.RateLimited, errs.Unavailable:
		h.Set("Retry-After", seconds(e.RetryAfter))
	}
}

// seconds rounds up, to one at least: zero would be an invitation to hammer.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

func (s *Server) writeJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.Log.DebugContext(r.Context(), "the client is gone", "error", err)
	}
}
