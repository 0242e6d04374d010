// Package zlm speaks with ZLMediaKit: it takes its web hooks, answers in the
// words that it obeys, and uses its API.
package zlm

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// maxBody bounds a hook, in bytes. The largest is on_server_started, which is
// the whole configuration of some 7 KiB.
const maxBody = 64 << 10

// Hooks serves the web hooks of ZLMediaKit. Each request must carry the node
// that it was proved to come from (media.WithNode); without one it is refused.
type Hooks struct {
	Ledger media.Ledger
	Log    *slog.Logger
	Now    func() time.Time
}

// ZlmediakitCallback takes every hook; the path says which.
//
// The status is 200 whatever the answer: ZLMediaKit reads the code in the body,
// and takes any other status for a reason to ask again three seconds later,
// while the client waits.
func (h Hooks) ZlmediakitCallback(w http.ResponseWriter, r *http.Request, event gen.ZlmediakitEventName) {
	node := media.NodeFrom(r.Context())
	if node.Name == "" {
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	}
	log := h.Log.With("node", node.Name, "event", string(event))
	answer, known := answers()[string(event)]
	if !known {
		httpx.SetFailure(r.Context(), "no_such_path", nil)
		writeStatus(w, http.StatusNotFound, `{"detail":"Not Found"}`)
		return
	}
	body, err := hook.Body(w, r, maxBody, hook.JSON)
	if err != nil {
		log.WarnContext(r.Context(), "callback body not readable", "error", err)
		hook.Refuse(refuse).Unread(w, r, err)
		return
	}
	ev, err := decode(string(event), body, h.Now())
	if err != nil {
		log.WarnContext(r.Context(), "callback malformed", "error", err)
		refuse(w, r, http.StatusUnprocessableEntity, hook.Malformed)
		return
	}
	ev.Node = node.Name
	ev.Source = hook.Source(r)
	verdict, err := h.Ledger.Handle(r.Context(), ev)
	if err != nil {
		log.ErrorContext(r.Context(), "callback failed", "client_id", ev.ClientID, "stream", ev.Stream, "error", err)
		verdict = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	answer(w, r, ev.Action, verdict)
}

// unsupported is what we never do, whoever asks.
const unsupported media.Reason = "not_supported"

type answerer func(http.ResponseWriter, *http.Request, media.Action, media.Verdict)

// answers lists the events, and what is said to each.
func answers() map[string]answerer {
	return map[string]answerer{
		"on_publish":            decided,
		"on_play":               decided,
		"on_flow_report":        decided,
		"on_stream_changed":     decided,
		"on_record_mp4":         decided,
		"on_record_ts":          decided,
		"on_server_started":     decided,
		"on_server_exited":      decided,
		"on_server_keepalive":   decided,
		"on_send_rtp_stopped":   decided,
		"on_rtp_server_timeout": decided,
		// A player may wait for its stream, and a stream without players stays:
		// pulls that shall end with their last player were begun so.
		"on_stream_not_found":   keep,
		"on_stream_none_reader": keep,
		// No realm: credentials are taken from the URL, and asked about by on_play.
		"on_rtsp_realm": noRealm,
		// These would need a password in the clear, or open files and the shell.
		"on_rtsp_auth":   never,
		"on_shell_login": never,
		"on_http_access": never,
	}
}

func decided(w http.ResponseWriter, r *http.Request, action media.Action, v media.Verdict) {
	switch {
	case v.Reason == media.TemporarilyUnavailable:
		refuse(w, r, http.StatusServiceUnavailable, v.Reason)
	case v.Reason == media.Unauthenticated, action.Asks() && !v.Allow:
		refuse(w, r, http.StatusForbidden, v.Reason)
	default:
		write(w, `{"code":0}`)
	}
}

func keep(w http.ResponseWriter, r *http.Request, action media.Action, v media.Verdict) {
	if v.Reason == media.TemporarilyUnavailable {
		decided(w, r, action, v)
		return
	}
	write(w, `{"code":0,"close":false}`)
}

func noRealm(w http.ResponseWriter, r *http.Request, action media.Action, v media.Verdict) {
	if v.Reason == media.TemporarilyUnavailable {
		decided(w, r, action, v)
		return
	}
	write(w, `{"code":0,"realm":""}`)
}

func never(w http.ResponseWriter, r *http.Request, _ media.Action, _ media.Verdict) {
	refuse(w, r, http.StatusForbidden, unsupported)
}

// Refuse answers whoever is not authenticated.
func Refuse(w http.ResponseWriter) { write(w, refusal(http.StatusForbidden, media.Unauthenticated)) }

func refuse(w http.ResponseWriter, r *http.Request, code int, reason media.Reason) {
	httpx.SetFailure(r.Context(), string(reason), nil)
	write(w, refusal(code, reason))
}

// refusal is a no: a code other than zero. An RTMP client is told the message.
func refusal(code int, reason media.Reason) string {
	body, _ := json.Marshal(struct {
		Code int          `json:"code"`
		Msg  media.Reason `json:"msg"`
	}{code, reason}) // cannot fail
	return string(body)
}

func write(w http.ResponseWriter, body string) { writeStatus(w, http.StatusOK, body) }

func writeStatus(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a caller that is gone cannot be told
}
