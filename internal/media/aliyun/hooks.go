// Package aliyun takes what Alibaba Cloud's live service tells of streams that
// are pushed to it: that they are on the air, or no longer, and their recordings.
// It decides by itself who may publish there and does not ask us.
package aliyun

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// maxBody bounds the callback of a recording, in bytes.
const maxBody = 64 << 10

// Hooks serves the callbacks. Each request must carry the node that it was
// proved to come from (media.WithNode); without one it is refused.
type Hooks struct {
	Ledger media.Ledger
	Log    *slog.Logger
	Now    func() time.Time
}

// IsSigned says whether a callback carries a signature. Those of a domain that
// is configured without authentication do not.
func IsSigned(r *http.Request) bool { return r.Header.Get("ALI-LIVE-SIGNATURE") != "" }

// Signed reports whether the signature of a callback is made with this key and
// of now. It covers a domain and the time, and nothing of what is told: the
// ingest domain of a live status, the host of the callback URL of a recording.
func Signed(r *http.Request, key []byte, now time.Time) bool {
	domain := media.HostOf(r.Host)
	if r.Method == http.MethodGet {
		domain = media.HostOf(r.URL.Query().Get("app"))
	}
	return urlsign.VerifyPushCallback(domain, r.Header.Get("ALI-LIVE-TIMESTAMP"), r.Header.Get("ALI-LIVE-SIGNATURE"), string(key), now)
}

// AliyunCallback is told that a stream is published, or no longer.
func (h Hooks) AliyunCallback(w http.ResponseWriter, r *http.Request, p gen.AliyunCallbackParams) {
	ev, err := toEvent(p)
	h.serve(w, r, ev, err)
}

// AliyunRecordingCallback is told of a file, or of a change of the recorder.
func (h Hooks) AliyunRecordingCallback(w http.ResponseWriter, r *http.Request, _ gen.AliyunRecordingCallbackParams) {
	body, err := hook.Body(w, r, maxBody)
	if err != nil {
		h.serve(w, r, media.Event{}, err)
		return
	}
	ev, err := recording(body, h.Now())
	h.serve(w, r, ev, err)
}

// serve answers 200 to everything that it could note: after anything else the
// same comes again, up to five times a second apart.
func (h Hooks) serve(w http.ResponseWriter, r *http.Request, ev media.Event, malformed error) {
	node := media.NodeFrom(r.Context())
	log := h.Log.With("node", node.Name)
	var over *http.MaxBytesError
	switch {
	case node.Name == "":
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	case errors.As(malformed, &over):
		refuse(w, r, http.StatusRequestEntityTooLarge, "body_too_large")
		return
	case malformed != nil:
		log.WarnContext(r.Context(), "callback malformed", "error", malformed)
		refuse(w, r, http.StatusUnprocessableEntity, "invalid_input")
		return
	}
	if ev.At.Sub(h.Now()) > urlsign.PushCallbackWindow { // it would make every true report look old
		log.WarnContext(r.Context(), "callback of the future", "time", ev.At)
		refuse(w, r, http.StatusUnprocessableEntity, "invalid_input")
		return
	}
	ev.Node = node.Name
	ev.Source = hook.Source(r)
	verdict, err := h.Ledger.Handle(r.Context(), ev)
	if err != nil {
		log.ErrorContext(r.Context(), "callback failed", "stream", ev.Stream, "error", err)
		verdict = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	answer(w, r, verdict)
}

// answer does not tell of a refusal: nobody could do anything about it there.
func answer(w http.ResponseWriter, r *http.Request, v media.Verdict) {
	switch v.Reason {
	case media.TemporarilyUnavailable:
		refuse(w, r, http.StatusServiceUnavailable, v.Reason)
	case media.Unauthenticated:
		refuse(w, r, http.StatusForbidden, v.Reason)
	default:
		write(w, http.StatusOK, `{"code":200}`)
	}
}

var refuse = hook.Refusal("query", "not a callback of Alibaba Cloud's live service")

func write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a caller that is gone cannot be told
}
