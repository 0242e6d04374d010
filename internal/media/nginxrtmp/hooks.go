// Package nginxrtmp speaks with nginx and its RTMP module (1.0 to 1.2): it takes
// its notifications, which are forms that a client can write into, and reads its
// statistics page.
package nginxrtmp

import (
	"log/slog"
	"net/http"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// maxBody bounds a notification, in bytes. The module cuts names at 256 and
// queries at 1024 bytes, the URLs that it repeats at 256.
const maxBody = 16 << 10

// Hooks serves the notifications of nginx-rtmp. Each request must carry the node
// that it was proved to come from (media.WithNode); without one it is refused.
type Hooks struct {
	Ledger media.Ledger
	Log    *slog.Logger
}

// NginxRTMPCallback takes every notification; the field "call" says which.
//
// It never redirects: nginx-rtmp takes a redirect for permission under another
// name. It always closes the connection, since nginx-rtmp speaks HTTP/1.0 and
// waits for the close even after a reply with a length, for up to
// netcall_timeout, while the client hangs.
func (h Hooks) NginxRTMPCallback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	node := media.NodeFrom(r.Context())
	if node.Name == "" {
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	}
	log := h.Log.With("node", node.Name)
	body, err := hook.Body(w, r, maxBody, "application/x-www-form-urlencoded")
	if err != nil {
		log.WarnContext(r.Context(), "callback body not readable", "error", err)
		refuse.Unread(w, r, err)
		return
	}
	ev, err := decode(string(body))
	if err != nil {
		log.WarnContext(r.Context(), "callback malformed", "error", err)
		refuse(w, r, http.StatusUnprocessableEntity, hook.Malformed)
		return
	}
	ev.Node = node.Name
	ev.Source = hook.Source(r)
	verdict, err := h.Ledger.Handle(r.Context(), ev)
	if err != nil {
		log.ErrorContext(r.Context(), "callback failed", "action", string(ev.Action),
			"client_id", ev.ClientID, "stream", ev.Stream, "error", err)
		verdict = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	answer(w, r, ev.Action, verdict)
}

// answer turns a verdict into a status, the only thing that nginx-rtmp reads.
// Failures of ours refuse, with one exception: nginx-rtmp closes a session whose
// update is not answered with success, so refusing there would put everybody off
// the air for a hiccup of the database. Who was admitted stays admitted.
func answer(w http.ResponseWriter, r *http.Request, action media.Action, v media.Verdict) {
	failed := v.Reason == media.TemporarilyUnavailable
	switch {
	case failed && action == media.Updated:
		allow(w)
	case failed:
		refuse(w, r, http.StatusServiceUnavailable, v.Reason)
	case v.Reason == media.Unauthenticated, action.Asks() && !v.Allow:
		refuse(w, r, http.StatusForbidden, v.Reason)
	default:
		allow(w)
	}
}

func allow(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// refuse explains itself to whoever reads the traffic; nginx-rtmp does not.
var refuse = hook.Refusal("body", "not a notification of nginx-rtmp")
