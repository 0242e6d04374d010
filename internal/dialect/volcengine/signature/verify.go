package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// Verify says whether the holder of the secret made this signature for this
// request, and returns the part of the query that it covers. For a signature in
// the query the body does not count.
func (c *Claim) Verify(secret, body []byte) (covered url.Values, ok bool) {
	if len(secret) == 0 {
		return nil, false
	}
	if !c.InQuery {
		hash := hexSum(body)
		if told := c.req.header("X-Content-Sha256"); told != "" && told != hash {
			return nil, false
		}
		return c.query, c.matches(secret, c.query, hash)
	}
	// Three generations of SDKs sign different parts of the query. Most say
	// which; the oldest signs one parameter that it does not list.
	for _, covered := range []url.Values{c.listed(), c.allButSignature()} {
		if c.coversItself(covered) && c.matches(secret, covered, hexSum(nil)) {
			return covered, true
		}
	}
	return nil, false
}

func (c *Claim) listed() url.Values {
	out := url.Values{}
	for name := range strings.SplitSeq(c.signedQueries, ";") {
		if v, ok := c.query[name]; ok && name != "X-Signature" {
			out[name] = v
		}
	}
	return out
}

func (c *Claim) allButSignature() url.Values {
	out := url.Values{}
	for name, v := range c.query {
		if name != "X-Signature" {
			out[name] = v
		}
	}
	return out
}

// coversItself makes sure that nobody has added what this package or the
// choice of the action relies on.
func (c *Claim) coversItself(covered url.Values) bool {
	for _, name := range [...]string{"Action", "Version", "X-Algorithm", "X-Credential", "X-Date", "X-SignedHeaders", "X-SignedQueries"} {
		if !covered.Has(name) {
			return false
		}
	}
	return covered.Has("X-Expires") || !c.query.Has("X-Expires")
}

func (c *Claim) matches(secret []byte, query url.Values, bodyHash string) bool {
	text := strings.Join([]string{algorithm, c.date, c.scope, hexSum([]byte(c.canonical(query, bodyHash)))}, "\n")
	key := secret
	for part := range strings.SplitSeq(c.scope, "/") {
		key = mac(key, part)
	}
	want := hex.EncodeToString(mac(key, text))
	return subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) == 1
}

// canonical is the text that is hashed for the signature.
func (c *Claim) canonical(query url.Values, bodyHash string) string {
	return strings.Join([]string{c.req.Method, canonicalPath(c.req.Path), canonicalQuery(query), c.canonicalHeaders(), c.signedHeaders, bodyHash}, "\n")
}

// canonicalHeaders is one empty line where no header is signed.
func (c *Claim) canonicalHeaders() string {
	if c.signedHeaders == "" {
		return "\n"
	}
	var b strings.Builder
	for name := range strings.SplitSeq(c.signedHeaders, ";") {
		value := c.req.header(name)
		if name == "host" {
			value = withoutDefaultPort(c.req.Host)
		}
		b.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	return b.String()
}

func withoutDefaultPort(host string) string {
	host = strings.TrimSuffix(host, ":80")
	return strings.TrimSuffix(host, ":443")
}

// canonicalPath encodes each segment anew, whatever the client left bare. A path
// that cannot be decoded is taken as it stands.
func canonicalPath(path string) string {
	if path == "" {
		return "/"
	}
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = escape(s)
	}
	return strings.Join(segments, "/")
}

// canonicalQuery sorts by name and keeps the order of the values of one name.
func canonicalQuery(query url.Values) string {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	var pairs []string
	for _, name := range names {
		for _, value := range query[name] {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	return strings.Join(pairs, "&")
}

func escape(s string) string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upper[c>>4], upper[c&15]})
		}
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
