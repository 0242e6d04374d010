package appserver

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// statuses maps every kind. 401 stands for authentication alone: the Android
// client logs in again when it sees one.
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

// writeBodyError answers a body that cannot be read or decoded.
func (s *Server) writeBodyError(w http.ResponseWriter, r *http.Request, err error) {
	s.writeError(w, r, httpx.BodyError(err))
}

// writeError answers every failure of this dialect. Clients show the body to
// people as it is, so it is short.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(err)
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	status := statuses[e.Kind]
	w.Header().Set("Content-Type", "application/json")
	switch e.Kind {
	case errs.Unauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case errs.RateLimited, errs.Unavailable:
		w.Header().Set("Retry-After", retryAfter(e.RetryAfter))
	}
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(api.AppError{Code: int32(status), Message: e.Message}); err != nil {
		s.Log.DebugContext(r.Context(), "the client is gone", "error", err)
	}
}

// retryAfter is in whole seconds, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}
