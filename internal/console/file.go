package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// types are those of all files that there are. A file of another kind is served
// as bytes, which browsers neither run nor show.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// file is one file in the forms in which it travels.
type file struct {
	contentType string
	tag         string // of the plain form, without quotes
	text        []byte
	packed      func() []byte // nil where packing does not pay
}

func newFile(name string, text []byte) *file {
	sum := sha256.Sum256(text)
	f := &file{contentType: types[path.Ext(name)], tag: hex.EncodeToString(sum[:12]), text: text}
	if f.contentType == "" {
		f.contentType = "application/octet-stream"
	}
	// Packed once, and when it is first asked for: nobody waits for it at the start.
	f.packed = sync.OnceValue(func() []byte { return pack(text) })
	return f
}

// pack returns nil where nothing would be won.
func pack(text []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is good
	_, _ = z.Write(text)                                    // a buffer takes everything
	_ = z.Close()
	if out.Len() >= len(text) {
		return nil
	}
	return out.Bytes()
}

// serve answers with the form that the browser takes, or 304.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h, text, tag := w.Header(), f.text, f.tag
	h.Set("Vary", "Accept-Encoding")
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		if packed := f.packed(); packed != nil {
			text, tag = packed, tag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", `"`+tag+`"`)
	r.Header.Del("Range") // of a part of a packed file nobody can make anything
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

// takesGzip reads Accept-Encoding as far as it matters here: gzip by name, and
// not ruled out by a weight of zero.
func takesGzip(values []string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			return strings.Trim(strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
