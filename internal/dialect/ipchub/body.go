package ipchub

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"
)

var errNotObject = errors.New("the body does not begin with a JSON object in UTF-8")

// checkBody leaves the first JSON value of a body, whatever its type is said to
// be and whatever follows. It must be an object in UTF-8: of broken text
// something else would be stored than what was sent. null is an empty object.
func (s *Server) checkBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		object, err := firstObject(r.Body)
		if err != nil {
			s.bodyError(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(object))
		next.ServeHTTP(w, r)
	})
}

func firstObject(body io.Reader) ([]byte, error) {
	var first json.RawMessage
	if err := json.NewDecoder(body).Decode(&first); err != nil {
		return nil, err
	}
	if string(first) == "null" {
		return []byte("{}"), nil
	}
	if first[0] != '{' || !utf8.Valid(first) {
		return nil, errNotObject
	}
	return first, nil
}
