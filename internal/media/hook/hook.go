// Package hook is what the adapters of media servers share in answering HTTP.
package hook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// fault is what the callback dialect lists for input that it cannot read.
type fault struct {
	Loc  []string `json:"loc"`
	Msg  string   `json:"msg"`
	Type string   `json:"type"`
}

// Refusal returns what refuses callbacks: {"detail": reason}, and with status
// 422 a list that says what was wrong in a part of the request. Media servers
// look at the status; the rest is for whoever reads the traffic.
func Refusal(in, problem string) func(w http.ResponseWriter, r *http.Request, status int, reason media.Reason) {
	return func(w http.ResponseWriter, r *http.Request, status int, reason media.Reason) {
		httpx.SetFailure(r.Context(), string(reason), nil)
		var detail any = reason
		switch status {
		case http.StatusUnprocessableEntity:
			detail = []fault{{[]string{in}, problem, "value_error"}}
		case http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", "1")
		}
		body, _ := json.Marshal(map[string]any{"detail": detail}) // cannot fail
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body) // a caller that is gone cannot be told
	}
}

// Source returns the address that a callback came from.
func Source(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	return from.Addr().Unmap()
}

// Body returns the whole body of a callback, or *http.MaxBytesError for one of
// more than limit bytes. A body of known length takes no more room than that.
func Body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > limit {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}
