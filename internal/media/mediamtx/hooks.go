// Package mediamtx speaks with MediaMTX: it answers its HTTP authorization
// calls, takes what its commands report, reads and kicks through its control
// API, and has it fetch streams from elsewhere.
package mediamtx

import (
	"crypto/subtle"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// maxBody bounds a call, in bytes. An RTSP or HTTP client may send a long query
// and a long token; more than this is nobody's credential.
const maxBody = 64 << 10

// Hooks serves the calls of MediaMTX. Each request must carry the node that it
// was proved to come from (media.WithNode); without one it is refused.
type Hooks struct {
	Ledger media.Ledger
	Log    *slog.Logger

	now      func() time.Time
	admitted *admitted
}

// NewHooks returns Hooks that remember for a minute whom they let in.
func NewHooks(l media.Ledger, log *slog.Logger, now func() time.Time) *Hooks {
	return &Hooks{Ledger: l, Log: log, now: now, admitted: newAdmitted(now)}
}

// MediamtxCallback answers whether somebody may publish, play, or use the
// server's own API. MediaMTX allows on any 2xx and refuses on the rest; it puts
// all other clients off until we have answered.
func (h *Hooks) MediamtxCallback(w http.ResponseWriter, r *http.Request) {
	node, body, ok := h.read(w, r, "application/json")
	if !ok {
		return
	}
	a, err := decodeAsk(body)
	if err != nil {
		h.malformed(w, r, node, err)
		return
	}
	if !a.aboutMedia() {
		h.serverItself(w, r, node, a)
		return
	}
	ev := a.event()
	ev.Node, ev.Source = node.Name, hook.Source(r)
	v := h.decide(r, ev)
	if v.Allow && ev.Action == media.Playing && ev.ClientID != "" {
		h.admitted.put(ev)
	}
	switch {
	case v.Allow:
		allow(w)
	case v.Reason == media.NoCredential && a.anonymous():
		w.Header().Set("WWW-Authenticate", `Basic realm="stagedoor"`)
		refuse(w, r, http.StatusUnauthorized, v.Reason)
	default:
		refuse(w, r, statusOf(v), v.Reason)
	}
}

// serverItself decides about the control API: whoever has the name and password
// that we use there ourselves may use it. Metrics and profiles are not ours to
// open; our lines keep MediaMTX from asking.
func (h *Hooks) serverItself(w http.ResponseWriter, r *http.Request, node media.Node, a ask) {
	if a.anonymous() {
		w.Header().Set("WWW-Authenticate", `Basic realm="stagedoor"`)
		refuse(w, r, http.StatusUnauthorized, media.NoCredential)
		return
	}
	if a.Action == actionAPI && node.Username != "" && same(a.User, node.Username) && same(a.Password, node.Password) {
		allow(w)
		return
	}
	refuse(w, r, http.StatusForbidden, media.NoRight)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// MediamtxEvent takes what happened. MediaMTX itself calls nobody: the commands
// in its configuration do, and look at nothing but success.
func (h *Hooks) MediamtxEvent(w http.ResponseWriter, r *http.Request) {
	node, body, ok := h.read(w, r, "application/x-www-form-urlencoded")
	if !ok {
		return
	}
	which, ev, err := decodeHook(string(body))
	if err != nil {
		h.malformed(w, r, node, err)
		return
	}
	ev.Node, ev.Source = node.Name, hook.Source(r)
	switch which {
	case hookRead:
		ev = h.began(ev)
	case hookUnread:
		h.admitted.drop(ev)
	case hookRecorded: // nobody says whose it is, but it is complete just now
		ev.Began = h.now().Add(-time.Duration(ev.Duration * float64(time.Second)))
	}
	v := h.decide(r, ev)
	if !v.Allow && (ev.Action.Asks() || v.Reason == media.Unauthenticated || v.Reason == media.TemporarilyUnavailable) {
		refuse(w, r, statusOf(v), v.Reason)
		return
	}
	allow(w)
}

// began completes the report that somebody reads. It has neither address nor
// password; the question that came before had. Where another process of ours was
// asked, the query decides alone, and a refusal then proves nothing: the
// server's list, which has the address, is judged later.
func (h *Hooks) began(ev media.Event) media.Event {
	asked, recorded, ok := h.admitted.get(ev)
	always := ev.Protocol == "rtmp" || ev.Protocol == "srt" // recorded when they asked
	switch {
	case always, recorded, !ok && ev.Query == "":
		ev.Action = media.Informed
		return ev
	case !ok:
		return ev
	}
	asked.Tentative, asked.Fact, asked.Source = false, true, ev.Source
	return asked
}

func (h *Hooks) decide(r *http.Request, ev media.Event) media.Verdict {
	v, err := h.Ledger.Handle(r.Context(), ev)
	if err != nil {
		h.Log.ErrorContext(r.Context(), "callback failed", "node", ev.Node, "action", string(ev.Action),
			"client_id", ev.ClientID, "stream", ev.Stream, "error", err)
		return media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	return v
}

// read returns who calls and the body, or has answered.
func (h *Hooks) read(w http.ResponseWriter, r *http.Request, contentType string) (media.Node, []byte, bool) {
	node := media.NodeFrom(r.Context())
	if node.Name == "" {
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return node, nil, false
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != contentType {
		h.malformed(w, r, node, errors.New("content type is not "+contentType))
		return node, nil, false
	}
	body, err := hook.Body(w, r, maxBody, contentType)
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		h.Log.WarnContext(r.Context(), "callback too large", "node", node.Name)
		refuse(w, r, http.StatusRequestEntityTooLarge, hook.TooLarge)
		return node, nil, false
	}
	if err != nil { // the caller went away in the middle of it
		h.malformed(w, r, node, err)
		return node, nil, false
	}
	return node, body, true
}

func (h *Hooks) malformed(w http.ResponseWriter, r *http.Request, node media.Node, err error) {
	h.Log.WarnContext(r.Context(), "callback malformed", "node", node.Name, "error", safe(err))
	refuse(w, r, http.StatusUnprocessableEntity, hook.Malformed)
}

// safe keeps what a JSON decoder repeats of passwords out of the log.
func safe(err error) string {
	for _, known := range []error{errMalformed, errHook} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

func statusOf(v media.Verdict) int {
	if v.Reason == media.TemporarilyUnavailable {
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

func allow(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// refuse explains itself to MediaMTX's log, which shows the body.
var refuse = hook.Refusal("body", "not a call of MediaMTX")
