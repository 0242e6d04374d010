package ops

import (
	"net/http"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// WriteError answers in plain text. A listener that serves nothing but these
// operations registers it for "/" too.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e := errs.As(err)
	httpx.SetFailure(r.Context(), e.Reason, e.Unwrap())
	httpx.FailureHeaders(w.Header(), e)
	writeText(w, httpx.StatusOf(e.Kind), e.Message)
}
