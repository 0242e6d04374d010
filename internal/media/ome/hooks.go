// Package ome speaks with OvenMediaEngine: it takes its admission webhooks,
// answers them, and uses its API.
package ome

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// maxBody bounds a request, in bytes. URL and user agent are the client's; each
// has a few KiB at most.
const maxBody = 64 << 10

// window is how far the clocks of the server and ours may be apart. A signed
// request that is older could have been seen by somebody on the way.
const window = 5 * time.Minute

// Hooks serves admission webhooks. Each request must carry the node that it was
// proved to come from (media.WithNode); without one it is refused.
type Hooks struct {
	Ledger media.Ledger
	Log    *slog.Logger
	Now    func() time.Time
	// Lifetime is how long a player may stay without asking again; zero for ever.
	Lifetime time.Duration
}

// Signed reports whether a signature, the header X-OME-Signature, is made for
// these bytes with this key. It takes the same time for all wrong ones.
func Signed(signature string, body, key []byte) bool {
	mac := hmac.New(sha1.New, key)
	mac.Write(body)
	want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	return subtle.ConstantTimeCompare([]byte(strings.TrimRight(signature, "=")), []byte(want)) == 1
}

// OvenmediaengineCallback takes every webhook: who may come in, and who has
// left. The node that the parameters name is known by then.
func (h Hooks) OvenmediaengineCallback(w http.ResponseWriter, r *http.Request, _ gen.OvenmediaengineCallbackParams) {
	node := media.NodeFrom(r.Context())
	if node.Name == "" {
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	}
	log := h.Log.With("node", node.Name)
	body, err := hook.Body(w, r, maxBody, hook.JSON)
	if err != nil {
		log.WarnContext(r.Context(), "callback body not readable", "error", err)
		refuse.Unread(w, r, err)
		return
	}
	req, err := decode(body)
	if err != nil {
		log.WarnContext(r.Context(), "callback malformed", "error", err)
		refuse(w, r, http.StatusUnprocessableEntity, hook.Malformed)
		return
	}
	if age := h.Now().Sub(req.at); age > window || age < -window {
		log.WarnContext(r.Context(), "callback of another time", "age", age)
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	}
	ev := req.event()
	ev.Node = node.Name
	ev.Source = hook.Source(r)
	verdict, err := h.Ledger.Handle(r.Context(), ev)
	if err != nil {
		log.ErrorContext(r.Context(), "callback failed", "client_id", ev.ClientID, "stream", ev.Stream, "error", err)
		verdict = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	h.answer(w, r, ev, verdict)
}

// answer is always one that the server understands. A closing wants an object
// and nothing in it; whether it was recorded makes no difference to the server.
func (h Hooks) answer(w http.ResponseWriter, r *http.Request, ev media.Event, v media.Verdict) {
	switch {
	case v.Reason == media.Unauthenticated:
		refuse(w, r, http.StatusForbidden, v.Reason)
	case !ev.Action.Asks():
		if v.Reason == media.TemporarilyUnavailable {
			httpx.SetFailure(r.Context(), string(v.Reason), nil)
		}
		write(w, http.StatusOK, `{}`)
	case v.Allow:
		write(w, http.StatusOK, `{"allowed":true,"lifetime":`+strconv.FormatInt(h.lifetime(ev).Milliseconds(), 10)+`}`)
	default:
		httpx.SetFailure(r.Context(), string(v.Reason), nil)
		write(w, http.StatusOK, refusal(v.Reason))
	}
}

// lifetime is for players only: a publisher is cut off by deleting its stream.
func (h Hooks) lifetime(ev media.Event) time.Duration {
	if ev.Action != media.Playing {
		return 0
	}
	return h.Lifetime
}

func refusal(reason media.Reason) string {
	text, _ := json.Marshal(reason) // cannot fail
	return `{"allowed":false,"reason":` + string(text) + `}`
}

// refuse explains itself to whoever reads the traffic; the server takes every
// status but 200 for no.
var refuse = hook.Refusal("body", "not an admission webhook of OvenMediaEngine")

func write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a caller that is gone cannot be told
}
