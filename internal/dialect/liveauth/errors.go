package liveauth

import (
	"errors"
	"net/http"
	"strings"

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
		"too_many_requests":   "Too many requests",
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

// statuses are those that differ from the usual. A conflict is 400 and not 409:
// that is what clients of FastAPI's own user examples test for.
var statuses = map[errs.Kind]int{
	errs.Invalid:  http.StatusUnprocessableEntity,
	errs.Conflict: http.StatusBadRequest,
}

func statusOf(k errs.Kind) int {
	if status, ok := statuses[k]; ok {
		return status
	}
	return httpx.StatusOf(k)
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
	w.Header().Set("Cache-Control", "no-store")
	httpx.FailureHeaders(w.Header(), e)
	if f != nil {
		httpx.WriteJSON(w, statusOf(e.Kind), gen.HTTPValidationError{Detail: f})
		return
	}
	httpx.WriteJSON(w, statusOf(e.Kind), gen.DetailError{Detail: detail(e)})
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
		return domainFaults(r, err)
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

// domainFaults shows the rules of ours that the input breaks.
func domainFaults(r *http.Request, err error) (f faults) {
	place := "body"
	if parameters[r.Pattern] != nil {
		place = "query"
	}
	for _, e := range parts(err) {
		f = append(f, brokenRule(e, place))
	}
	return f
}

// parts takes joined errors apart.
func parts(err error) (all []*errs.Error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []*errs.Error{errs.As(err)}
	}
	for _, part := range joined.Unwrap() {
		all = append(all, parts(part)...)
	}
	return all
}

// brokenRule shows a rule as Pydantic shows those of a validator.
func brokenRule(e *errs.Error, place string) gen.ValidationError {
	switch e.Field {
	case "":
		return fault(e.Message, "value_error", "body")
	case "email":
		return notEmail(place, "email")
	}
	return fault(e.Message, "value_error", place, e.Field)
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
