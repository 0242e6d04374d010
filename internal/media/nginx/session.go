package nginx

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sessions let a player go on from the playlist that it was admitted to: the
// segments that it names, and the playlist again when its credential has
// expired meanwhile. A session is a sealed text that the player carries; no
// store knows it. In it is the credential itself, so that each use is decided
// anew by the one decision, revocations and bans included.
type Sessions struct {
	aead cipher.AEAD
	rand io.Reader
	idle time.Duration
}

// maxSession is how long a session goes on from the first playlist.
const maxSession = 24 * time.Hour

// NewSessions returns Sessions under a key of 32 bytes, which all processes
// share. A session ends when it is not used for idle.
func NewSessions(key []byte, rand io.Reader, idle time.Duration) (*Sessions, error) {
	aead, err := chacha20poly1305.NewX(key)
	return &Sessions{aead: aead, rand: rand, idle: idle}, err
}

// session is what a player was admitted to, and by what. Names are short
// because players send them with each request.
type session struct {
	Base   string `json:"b"`
	App    string `json:"a"`
	Stream string `json:"s"`
	Host   string `json:"h,omitempty"`
	Path   string `json:"p,omitempty"`
	Query  string `json:"q,omitempty"`
	Bearer string `json:"t,omitempty"`
	Folder string `json:"d"` // of the playlist's URL, for the cookie
	Began  int64  `json:"f"` // Unix seconds
	Used   int64  `json:"u"`
}

// maxSealed bounds a session in its written form: browsers keep 4096 bytes of
// a cookie, name and all.
const maxSealed = 3800

var sessionPurpose = []byte("hls session")

// seal writes a session, or returns "" for one that no cookie could hold.
func (s *Sessions) seal(v session) (string, error) {
	text, err := json.Marshal(v)
	if err != nil || base64.RawURLEncoding.EncodedLen(s.aead.NonceSize()+len(text)+s.aead.Overhead()) > maxSealed {
		return "", err
	}
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(text)+s.aead.Overhead())
	if _, err := io.ReadFull(s.rand, nonce); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, text, sessionPurpose)), nil
}

// open reads a session of ours that is still good.
func (s *Sessions) open(text string, now time.Time) (v session, ok bool) {
	if len(text) > maxSealed {
		return v, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return v, false
	}
	plain, err := s.aead.Open(nil, sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():], sessionPurpose)
	if err != nil || json.Unmarshal(plain, &v) != nil {
		return v, false
	}
	return v, now.Before(time.Unix(v.Used, 0).Add(s.idle)) && now.Before(time.Unix(v.Began, 0).Add(maxSession))
}

// find returns the session of a request that covers what is asked for: from its
// query, where a rewritten playlist put it, or from a cookie.
func (s *Sessions) find(a *asked, host string, cookies []*http.Cookie, now time.Time) (session, bool) {
	texts := make([]string, 0, maxCookies+1)
	if text := queryValue(a.query, sessionParam); text != "" {
		texts = append(texts, text)
	}
	for _, c := range cookies {
		if strings.HasPrefix(c.Name, cookiePrefix) && len(texts) < maxCookies {
			texts = append(texts, c.Value)
		}
	}
	for _, text := range texts {
		if v, ok := s.open(text, now); ok && v.Host == host && a.within(v.Base) {
			return v, true
		}
	}
	return session{}, false
}

const (
	sessionParam = "stagedoor_session"
	cookiePrefix = "stagedoor_"
	// maxCookies is how many streams one page may show at once.
	maxCookies = 32
)

// stale says whether a session should be written anew, so that it lives on.
func (s *Sessions) stale(v session, now time.Time) bool {
	return now.Sub(time.Unix(v.Used, 0)) > s.idle/4
}

// cookie carries a session. A page of another site may use it where the
// connection is encrypted; elsewhere browsers do not allow that.
func (s *Sessions) cookie(v session, text string, secure bool) *http.Cookie {
	sum := sha256.Sum256([]byte(v.Base))
	c := &http.Cookie{Name: cookiePrefix + hex.EncodeToString(sum[:4]), Value: text, Path: v.Folder, MaxAge: int(s.idle / time.Second),
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
	if secure {
		c.SameSite = http.SameSiteNoneMode
	}
	return c
}

// queryValue returns the first value of a parameter that needs no escapes.
func queryValue(query, name string) string {
	for part := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(part, name+"="); ok {
			return value
		}
	}
	return ""
}

// withoutSession takes our own parameter out of a query.
func withoutSession(query string) string {
	if !strings.Contains(query, sessionParam) {
		return query
	}
	parts := strings.Split(query, "&")
	parts = slices.DeleteFunc(parts, func(part string) bool { return strings.HasPrefix(part, sessionParam+"=") })
	return strings.Join(parts, "&")
}
