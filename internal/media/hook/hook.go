// Package hook is what the adapters of media servers share in answering and asking
// over HTTP.
package hook

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// fault is what the callback dialect lists for input that it cannot read.
type fault struct {
	Loc  []string `json:"loc"`
	Msg  string   `json:"msg"`
	Type string   `json:"type"`
}

// Why a callback is refused that no decision was asked about.
const (
	Malformed media.Reason = "invalid_input"
	TooLarge  media.Reason = "body_too_large"
)

// Refuse answers a callback with no.
type Refuse func(w http.ResponseWriter, r *http.Request, status int, reason media.Reason)

// Unread refuses a callback of which Body returned an error.
func (refuse Refuse) Unread(w http.ResponseWriter, r *http.Request, err error) {
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		refuse(w, r, http.StatusRequestEntityTooLarge, TooLarge)
		return
	}
	refuse(w, r, http.StatusUnprocessableEntity, Malformed)
}

// Refusal returns what refuses callbacks: {"detail": reason}, and with status
// 422 a list that says what was wrong in a part of the request. Media servers
// look at the status; the rest is for whoever reads the traffic.
func Refusal(in, problem string) Refuse {
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

// JSON is the content type of that name, and each that ends in +json.
const JSON = "application/json"

// ErrContentType is returned for a body that names another type than is expected.
var ErrContentType = errors.New("content type is not the expected one")

// Body returns the whole body of a callback. It returns ErrContentType where that
// names another type than these (without any, all will do), and *http.MaxBytesError
// where it has more than limit bytes. A body of known length takes no more room than
// that.
func Body(w http.ResponseWriter, r *http.Request, limit int64, types ...string) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" && len(types) > 0 && !slices.Contains(types, t) && !isOneOf(t, types) {
		return nil, ErrContentType
	}
	if r.ContentLength < 0 || r.ContentLength > limit {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

func isOneOf(contentType string, types []string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (slices.Contains(types, t) || strings.HasSuffix(t, "+json") && slices.Contains(types, JSON))
}
