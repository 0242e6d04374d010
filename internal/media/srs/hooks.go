// Package srs speaks with SRS media servers, versions 3 to 7: it takes their
// HTTP callbacks, answers in the exact bytes that they accept, and reads their
// statistics.
package srs

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// maxBody bounds a callback, in bytes. What SRS repeats of its client (stream
// name, tcUrl, param, page URL) are RTMP strings of a few KiB in practice.
const maxBody = 64 << 10

// Hooks serves the callbacks of SRS. Each request must carry the node that it
// was proved to come from (media.WithNode); without one it is refused.
type Hooks struct {
	Ledger media.Ledger
	Log    *slog.Logger
}

// SRSOnConnect is told of an RTMP or SRT connection. It is always accepted: what
// the client may do is asked again when it publishes or plays.
func (h Hooks) SRSOnConnect(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_connect") }

// SRSOnClose is told that an RTMP or SRT connection is gone.
func (h Hooks) SRSOnClose(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_close") }

// SRSOnPublish is asked whether a client may publish.
func (h Hooks) SRSOnPublish(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_publish") }

// SRSOnUnpublish is told that a publisher is gone.
func (h Hooks) SRSOnUnpublish(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_unpublish") }

// SRSOnPlay is asked whether a client may play.
func (h Hooks) SRSOnPlay(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_play") }

// SRSOnStop is told that a player is gone.
func (h Hooks) SRSOnStop(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_stop") }

// SRSOnDVR is told that a recording file is complete.
func (h Hooks) SRSOnDVR(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_dvr") }

// SRSOnHLS is told that an HLS segment is complete.
func (h Hooks) SRSOnHLS(w http.ResponseWriter, r *http.Request) { h.serve(w, r, "on_hls") }

func (h Hooks) serve(w http.ResponseWriter, r *http.Request, action string) {
	node := media.NodeFrom(r.Context())
	if node.Name == "" {
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	}
	body, err := hook.Body(w, r, maxBody, hook.JSON)
	if err != nil {
		h.Log.WarnContext(r.Context(), "callback body not readable", "node", node.Name, "action", action, "error", err)
		refuseBody(w, r, err)
		return
	}
	ev, problems := decode(action, body)
	if len(problems) > 0 {
		h.Log.WarnContext(r.Context(), "callback malformed", "node", node.Name, "action", action, "problems", problems)
		refuseInput(w, r, problems)
		return
	}
	ev.Node = node.Name
	ev.Source = hook.Source(r)
	verdict, err := h.Ledger.Handle(r.Context(), ev)
	if err != nil {
		h.Log.ErrorContext(r.Context(), "callback failed", "node", node.Name, "action", action, "client_id", ev.ClientID, "stream", ev.Stream, "error", err)
		verdict = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	answer(w, r, ev.Action, verdict)
}

// answer turns a verdict into what SRS understands. Failures of ours refuse: a
// client that nobody checked must not get in.
func answer(w http.ResponseWriter, r *http.Request, action media.Action, v media.Verdict) {
	switch {
	case v.Reason == media.TemporarilyUnavailable:
		w.Header().Set("Retry-After", "1")
		refuse(w, r, http.StatusServiceUnavailable, v.Reason)
	case v.Reason == media.Unauthenticated, action.Asks() && !v.Allow:
		refuse(w, r, http.StatusForbidden, v.Reason)
	default:
		contentType, body := acceptance(r.UserAgent())
		write(w, http.StatusOK, contentType, body)
	}
}

// acceptance returns the reply that the calling version takes for a yes. The
// documented one is a bare 0, which a following newline already spoils; 5.0.63
// to 5.0.87 take nothing but an object.
func acceptance(userAgent string) (contentType, body string) {
	if rest, ok := strings.CutPrefix(userAgent, "SRS/5.0."); ok {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		if patch, err := strconv.Atoi(digits); err == nil && patch >= 63 && patch <= 87 {
			return "application/json", `{"code":0}`
		}
	}
	return "text/plain; charset=utf-8", "0"
}

func refuseBody(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, hook.ErrContentType):
		refuseInput(w, r, []problem{notADict()})
	case errors.As(err, &tooLarge):
		httpx.SetFailure(r.Context(), "body_too_large", nil)
		tell(w, http.StatusRequestEntityTooLarge, "The request body is too large")
	default: // the caller went away in the middle of it
		refuseInput(w, r, []problem{missing()})
	}
}

func refuse(w http.ResponseWriter, r *http.Request, status int, reason media.Reason) {
	httpx.SetFailure(r.Context(), string(reason), nil)
	tell(w, status, string(reason))
}

func refuseInput(w http.ResponseWriter, r *http.Request, problems []problem) {
	httpx.SetFailure(r.Context(), "invalid_input", nil)
	tell(w, http.StatusUnprocessableEntity, problems)
}

// tell answers with a FastAPI error; SRS looks at the status only.
func tell(w http.ResponseWriter, status int, detail any) {
	body, err := json.Marshal(map[string]any{"detail": detail})
	if err != nil { // neither texts nor problems can fail
		body = []byte(`{"detail":""}`)
	}
	write(w, status, "application/json", string(body))
}

func write(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a caller that is gone cannot be told
}
