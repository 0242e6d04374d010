package ipchub

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// tidy serves a path with empty or dot segments, encoded or not, as the one that
// is meant. ipchub sends a redirect instead, and the token in it to whoever
// writes logs. A slash that is encoded is one like any other, but for the route
// that consists of it.
func tidy(r *http.Request) {
	u := *r.URL
	r.URL = &u
	if strings.EqualFold(u.EscapedPath(), routesPath+"/%2F") {
		return
	}
	clean := path.Clean("/" + u.Path)
	if strings.HasSuffix(u.Path, "/") {
		clean += "/"
	}
	u.Path, u.RawPath = clean, ""
}

// cutVerb cuts a path at the last colon of its last segment.
func cutVerb(p string) (before, verb string, found bool) {
	last := p[strings.LastIndexByte(p, '/')+1:]
	i := strings.LastIndexByte(last, ':')
	if i < 0 {
		return p, "", false
	}
	return p[:len(p)-len(last)+i], last[i+1:], true
}

// streamPath is the path of a stream as the ledger knows it. Case is left to the
// ledger, since media servers tell streams apart by it.
func streamPath(p string) string { return "/" + strings.TrimSpace(p) }

// firstValues leaves the value of each parameter of the query that counts, the
// first, and an empty page size as none at all.
func firstValues(r *http.Request) {
	sent, first := r.URL.Query(), url.Values{}
	for name, values := range sent {
		if name != "page_size" || values[0] != "" {
			first.Set(name, values[0])
		}
	}
	u := *r.URL
	u.RawQuery = first.Encode()
	r.URL = &u
}
