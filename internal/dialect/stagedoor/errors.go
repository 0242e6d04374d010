package stagedoor

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// statuses has every kind.
var statuses = map[errs.Kind]int{
	errs.Internal:         http.StatusInternalServerError,
	errs.Invalid:          http.StatusBadRequest,
	errs.Unauthorized:     http.StatusUnauthorized,
	errs.Forbidden:        http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.Conflict:         http.StatusConflict,
	errs.TooLarge:         http.StatusRequestEntityTooLarge,
	errs.RateLimited:      http.StatusTooManyRequests,
	errs.Unavailable:      http.StatusServiceUnavailable,
	errs.BadGateway:       http.StatusBadGateway,
	errs.MethodNotAllowed: http.StatusMethodNotAllowed,
}

// writeError is the only way in which this dialect says no. The code is the
// reason, so that programs can tell more apart than the status does.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(inputError(err))
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	switch e.Kind {
	case errs.Unauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case errs.RateLimited, errs.Unavailable:
		h.Set("Retry-After", seconds(e.RetryAfter))
	}
	w.WriteHeader(statuses[e.Kind])
	body := gen.Error{Code: e.Reason, Message: e.Message, RequestID: httpx.RequestID(r.Context())}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.Log.DebugContext(r.Context(), "the client is gone", "error", err)
	}
}

// inputError says which parameter or field does not parse, where the generated
// code or the JSON decoder knows. What was sent is not repeated.
func inputError(err error) error {
	var format *gen.InvalidParamFormatError
	var field *json.UnmarshalTypeError
	switch {
	case errors.As(err, &format):
		return errs.InvalidField(format.ParamName, format.ParamName+" is not valid")
	case errors.As(err, &field) && field.Field != "":
		return errs.InvalidField(field.Field, field.Field+" is of the wrong type")
	}
	return err
}

// seconds rounds up, to one at least: zero would be an invitation to hammer.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
