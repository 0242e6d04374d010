// Package nms speaks with Node-Media-Server 4: it takes its notifications,
// which wait for nobody, and uses its HTTP API.
package nms

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

const (
	// maxBody bounds a notification, in bytes. It repeats the client's query,
	// which the server bounds at 16 KiB (HTTP) and 64 KiB (RTMP).
	maxBody = 128 << 10
	// endArrives is how long the end of a publisher may be on its way when that of
	// its recording is here.
	endArrives = 300 * time.Millisecond
)

// Hooks serves the notifications of Node-Media-Server. Each request must carry
// the node that it was proved to come from (media.WithNode); without one it is
// refused.
type Hooks struct {
	Ledger media.Ledger
	Log    *slog.Logger
	// Relays tells the server's own pulls from its clients, where nothing in the
	// event does; nil where nobody can.
	Relays relays
}

type relays interface {
	IsRelay(ctx context.Context, n media.Node, id string) bool
}

// NodeMediaServerCallback takes every notification; the field "action" says
// which. The server goes on without waiting for the answer; any status but 200
// closes the session, whatever it is, when the answer arrives.
func (h Hooks) NodeMediaServerCallback(w http.ResponseWriter, r *http.Request) {
	node := media.NodeFrom(r.Context())
	if node.Name == "" {
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	}
	log := h.Log.With("node", node.Name)
	body, err := hook.Body(w, r, maxBody, "text/plain", hook.JSON)
	if err != nil {
		log.WarnContext(r.Context(), "callback body not readable", "error", err)
		refuse.Unread(w, r, err)
		return
	}
	ev, err := decode(body)
	if err != nil {
		log.WarnContext(r.Context(), "callback malformed", "error", err)
		refuse(w, r, http.StatusUnprocessableEntity, hook.Malformed)
		return
	}
	h.tellRelay(r.Context(), node, &ev)
	ev.Node = node.Name
	ev.Source = hook.Source(r)
	verdict, err := h.handle(r.Context(), ev)
	if err != nil {
		log.ErrorContext(r.Context(), "callback failed", "action", string(ev.Action),
			"client_id", ev.ClientID, "stream", ev.Stream, "error", err)
		verdict = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	answer(w, r, ev.Action, verdict)
}

// tellRelay asks about a publisher that shows no credential at all, which is
// what a pull looks like whose source was on air already.
func (h Hooks) tellRelay(ctx context.Context, n media.Node, ev *media.Event) {
	if h.Relays != nil && ev.Action == media.Publishing && ev.Protocol == "rtmp" && ev.Query == "" && !ev.Relay {
		ev.Relay = h.Relays.IsRelay(ctx, n, ev.ClientID)
	}
}

// handle gives the end of a publisher, which the server sends at the same moment
// as that of the recording, in any order, the time to come first: it tells how
// long the recording is.
func (h Hooks) handle(ctx context.Context, ev media.Event) (media.Verdict, error) {
	if ev.Action == media.Recorded {
		pause(ctx)
	}
	return h.Ledger.Handle(ctx, ev)
}

func pause(ctx context.Context) {
	select {
	case <-time.After(endArrives):
	case <-ctx.Done():
	}
}

// answer turns a verdict into a status, the only thing that the server reads.
// What only informs is answered 200 even where the core refuses it.
func answer(w http.ResponseWriter, r *http.Request, action media.Action, v media.Verdict) {
	switch {
	case v.Reason == media.TemporarilyUnavailable:
		refuse(w, r, http.StatusServiceUnavailable, v.Reason)
	case v.Reason == media.Unauthenticated, action.Asks() && !v.Allow:
		refuse(w, r, http.StatusForbidden, v.Reason)
	default:
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	}
}

// refuse explains itself to whoever reads the traffic; the server does not.
var refuse = hook.Refusal("body", "not a notification of Node-Media-Server")
