package ops

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"go.yaml.in/yaml/v3"
)

// document is a text that stays the same for the life of the process.
type document struct {
	contentType string
	etag        string
	text        []byte
}

func newDocument(contentType string, text []byte) document {
	sum := sha256.Sum256(text)
	return document{contentType: contentType, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, text: text}
}

// asJSON returns the spec as JSON.
func asJSON(spec []byte) (document, error) {
	var tree any
	if err := yaml.Unmarshal(spec, &tree); err != nil {
		return document{}, fmt.Errorf("read openapi.yaml: %w", err)
	}
	text, err := json.Marshal(tree)
	if err != nil { // a key that is no string
		return document{}, fmt.Errorf("openapi.yaml as JSON: %w", err)
	}
	return newDocument("application/json", text), nil
}

// ServeHTTP answers 304 to those who have it already.
func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", d.contentType)
	w.Header().Set("Cache-Control", maxAge)
	w.Header().Set("ETag", d.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.text))
}
