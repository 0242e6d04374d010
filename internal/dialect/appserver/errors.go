package appserver

import (
	"net/http"

	api "github.com/stagedoor-live/stagedoor/gen/appserver"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// writeBodyError answers a body that cannot be read or decoded.
func (s *Server) writeBodyError(w http.ResponseWriter, r *http.Request, err error) {
	s.writeError(w, r, httpx.BodyError(err))
}

// writeError answers every failure of this dialect. Clients show the body to
// people as it is, so it is short; the Android client logs in again when it
// sees a 401, so that one stands for authentication alone.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(err)
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	httpx.FailureHeaders(w.Header(), e)
	status := httpx.StatusOf(e.Kind)
	httpx.WriteJSON(w, status, api.AppError{Code: int32(status), Message: e.Message})
}
