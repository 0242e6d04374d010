package ops

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

// readyTimeout bounds what one answer may take: a load balancer does not wait
// long either.
const readyTimeout = 2 * time.Second

// Readyz says whether this process may get traffic and, if not, why not.
func (h *handler) Readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	err := h.Ready(ctx)
	if err == nil {
		writeText(w, http.StatusOK, "ok")
		return
	}
	httpx.SetFailure(r.Context(), "not_ready", err)
	w.Header().Set("Retry-After", "1")
	writeText(w, http.StatusServiceUnavailable, oneLine(err))
}

// oneLine shows an error without its hidden cause.
func oneLine(err error) string {
	text := err.Error()
	if e := errs.As(err); e.Kind != errs.Internal {
		text = e.Message
	}
	return strings.Join(strings.Fields(text), " ")
}
