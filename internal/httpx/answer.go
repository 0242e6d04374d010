package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

var statuses = map[errs.Kind]int{
	errs.Internal:         http.StatusInternalServerError,
	errs.Invalid:          http.StatusBadRequest,
	errs.Unauthorized:     http.StatusUnauthorized,
	errs.Forbidden:        http.StatusForbidden,
	errs.NotFound:         http.StatusNotFound,
	errs.Conflict:         http.StatusConflict,
	errs.TooLarge:         http.StatusRequestEntityTooLarge,
	errs.RateLimited:      http.StatusTooManyRequests,
	errs.Unavailable:      http.StatusServiceUnavailable,
	errs.BadGateway:       http.StatusBadGateway,
	errs.MethodNotAllowed: http.StatusMethodNotAllowed,
}

// StatusOf is the usual status of a kind of error. A dialect whose clients
// expect another one asks for its own first.
func StatusOf(k errs.Kind) int {
	if status, ok := statuses[k]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// FailureHeaders sets what every dialect says of an error in headers: how to
// authenticate, and when to come back, in whole seconds and one at least, since
// zero would be an invitation to hammer.
func FailureHeaders(h http.Header, e *errs.Error) {
	switch e.Kind {
	case errs.Unauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case errs.RateLimited, errs.Unavailable:
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
	}
}

// WriteJSON answers with a body. A client that is gone cannot be told.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// WithinBudget gives a request a deadline: a database that swallows packets
// costs an honest refusal and not a hanging client.
func WithinBudget(budget time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), budget)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// NoStore keeps answers out of caches; nearly every one holds a secret, or
// belongs to one caller.
func NoStore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

var errNotObject = errors.New("the body is not one JSON object in UTF-8")

// WholeObject refuses bodies that the generated decoders would let pass: text
// behind the object, null instead of one, and broken UTF-8, which would be
// stored as something else than what was sent. An empty body passes: not every
// operation has one.
func WholeObject(fail ErrorWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil && len(body) > 0 && !isObject(body) {
				err = errNotObject
			}
			if err != nil {
				fail(w, r, BodyError(err))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})
	}
}

func isObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) && utf8.Valid(body) && json.Valid(body)
}
