package ops

import (
	"math"
	"net/http"
	"strconv"

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

// WriteError answers in plain text. A listener that serves nothing but these
// operations registers it for "/" too.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(err)
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	if e.Kind == errs.RateLimited || e.Kind == errs.Unavailable {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
	}
	writeText(w, statuses[e.Kind], e.Message)
}
