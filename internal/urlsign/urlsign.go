// Package urlsign signs and verifies live URLs as pure functions, one file per scheme.
//
// A signature travels in the query of a publish or play URL and opens one
// stream (or, for the default scheme, one application) until it expires. The
// package knows no rules, clocks or stores: the caller chooses the scheme, the
// keys and the time. Two token hashes that cloud SDKs expect live here too.
//
// Every part of a query is untrusted. Verifying reads a value of at most 256
// bytes, compares in constant time, tries every key without an early exit and
// allocates nothing that grows with the input.
//
// Signing never makes a URL that opens more than was asked for. What a scheme
// cannot express (an address for aliyun_a), an empty secret or a name that no
// URL could carry leave the query as it was, and a URL without a signature is
// refused wherever one is needed.
package urlsign

import (
	"crypto"
	"net/netip"
	"time"
)

// Scene is the side of the door that a URL opens.
type Scene uint8

// The scenes. The zero Scene is neither and opens nothing.
const (
	Publish Scene = iota + 1
	Play
)

// Key is one signing key. A key with an empty Secret neither signs nor verifies,
// except under the schemes of public keys: there Private signs and verifies, and
// Public verifies.
type Key struct {
	ID      string
	Secret  []byte
	Private crypto.Signer
	Public  crypto.PublicKey
}

// Target is what a signature opens, or what a client asks to have opened.
type Target struct {
	Scene  Scene
	App    string // canonical
	Stream string // canonical: without format extension and query

	// Path is the URL path as the client asked for it, extension included and
	// percent-encoded as it stands ("/live/x.flv"). Schemes that sign a path
	// sign exactly this one, so App and Stream must have been read from it.
	// Empty means unknown: "/app/stream" is signed, and verifying accepts it
	// bare, with ".flv" and with ".m3u8".
	Path string

	// Origin is what stands before the path: "rtmp://host:1935". Only schemes
	// that sign whole URLs look at it; empty means unknown.
	Origin string

	// Query is what else a URL to be signed has in its query, without "?". Its
	// signature goes behind it. Verifying has the whole query on its own.
	Query string

	Host string     // without port; may be empty
	Addr netip.Addr // client address; zero if unknown
}

// SignOptions say how long and for whom a signature is good.
type SignOptions struct {
	// Expires is the time written into the URL, in whole seconds. Times before
	// 1970, the zero time among them, make a URL that has always been expired.
	Expires time.Time
	// BindAddr is the only address that may use the URL; zero binds nothing.
	BindAddr netip.Addr
	// AppScope opens the whole application. Schemes without such a scope sign
	// the one stream.
	AppScope bool
	// NotBefore and TokenID go into tokens; zero leaves them out.
	NotBefore time.Time
	TokenID   string
}

// VerifyOptions are what the verifier brings along.
type VerifyOptions struct {
	Now time.Time
	// Validity is added to the time in the URL, in whole seconds: the duration
	// that cloud schemes configure beside the key, or a grace for clocks that
	// differ.
	Validity     time.Duration
	IgnoreExpiry bool
}

// Status is what became of a signature.
type Status uint8

// The statuses. WrongScene, WrongStream, WrongAddress and Expired are said only of a
// signature that is genuine; where several hold, the first of them is said.
const (
	Absent       Status = iota // the query has no parameter of this scheme
	Valid                      // genuine, and good for this target now
	Malformed                  // not the shape of this scheme
	Mismatch                   // no key of ours made it for this target
	Expired                    // genuine, but its last second has passed
	WrongScene                 // genuine, but for the other scene
	WrongAddress               // genuine, but bound to another client address
	Repeated                   // the parameter is there twice with different values
	WrongStream                // genuine, but for another stream
)

var statusNames = [...]string{"absent", "valid", "malformed", "mismatch", "expired", "wrong_scene", "wrong_address", "repeated", "wrong_stream"}

// String returns the status in snake_case.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Result is the answer of Verify.
type Result struct {
	Status Status
	// KeyID and Expires are set for genuine signatures only. Expires is the
	// last second in which the signature is valid, Validity included.
	KeyID   string
	Expires time.Time
	// TokenID is the id of a genuine token (jti), by which it can be revoked.
	TokenID string
}

// Scheme signs and verifies the URLs of one vendor or of ours. Schemes hold no
// state and are safe for concurrent use.
type Scheme interface {
	// Name is how rules and settings refer to the scheme.
	Name() string
	// Strength is "strong", "compatibility" for schemes that exist because
	// deployed systems speak them and should not be chosen afresh, or
	// "unconfirmed" for such a one of which a part is inferred, because its
	// vendor does not publish it.
	Strength() string
	// AppendQuery appends the signature parameter, as "name=value" without a
	// leading "?" or "&". It returns dst unchanged if k cannot sign t as asked,
	// or if the signature goes into the path: see AppendURL.
	AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte
	// Verify looks for the scheme's parameter in a raw query and says whether
	// one of the keys made it for t. Where several did, the first one counts.
	Verify(query string, t Target, keys []Key, o VerifyOptions) Result
	// Canonical takes apart what Verify would look at, for people who want to
	// know why a URL is refused. It proves nothing and needs no key.
	Canonical(query string, t Target, o VerifyOptions) Canonical
}

const (
	strong        = "strong"
	compatibility = "compatibility"
	unconfirmed   = "unconfirmed"
)

// maxPath bounds the text that is hashed for a client. No encoder or player
// sends longer names: SRT ends at 512 bytes for the whole stream id.
const maxPath = 512

// usualText is the room on the stack for the text to hash. Clearing it costs
// time for every URL, so it holds what nearly all of them need, and one
// allocation, bounded by maxPath, maxValue and our own secrets, serves the rest.
const usualText = 256

// enough returns an empty slice for n bytes: room, which lives on the caller's
// stack, or one from the heap. (slices.Grow may take two allocations.)
func enough(room []byte, n int) []byte {
	if n <= cap(room) {
		return room[:0]
	}
	return make([]byte, 0, n)
}

// nameable reports whether t has names that a URL could carry: the application
// and, unless the whole of it is meant, the stream.
func nameable(t *Target, appScope bool) bool {
	return t.App != "" && (appScope || t.Stream != "") && len("//")+len(t.App)+len(t.Stream) <= maxPath
}

// timeDigits bounds the decimal times in URLs. Eleven digits reach the year
// 5138, so that any Validity can be added and the sum still has a year of four
// digits, which is what JSON and RFC 3339 can carry.
const (
	timeDigits = 11
	maxTime    = 1e11 - 1
)

// unixSeconds returns t as the number to write into a URL.
func unixSeconds(t time.Time) int64 {
	return min(max(t.Unix(), 0), maxTime)
}

// cutSeconds reads plain decimal digits (no sign, blank or base prefix) up to a
// hyphen and returns what follows it.
func cutSeconds(s string) (n int64, rest string, ok bool) {
	for i := 0; i < len(s) && i <= timeDigits; i++ {
		if s[i] == '-' {
			return n, s[i+1:], i > 0
		}
		if s[i] < '0' || s[i] > '9' {
			break
		}
		n = n*10 + int64(s[i]-'0')
	}
	return 0, "", false
}

// genuine returns the result of a signature that key id made: it is valid or
// expired. The last second is still valid, as in nginx and the cloud verifiers.
func genuine(id string, seconds int64, o *VerifyOptions) (r Result) {
	r.genuine(id, seconds, o)
	return r
}

// genuine is the same in place: to copy a Result takes longer than to fill it.
func (r *Result) genuine(id string, seconds int64, o *VerifyOptions) {
	last := lastSecond(seconds, o)
	r.Status, r.KeyID, r.Expires = Valid, id, time.Unix(last, 0)
	if !o.IgnoreExpiry && o.Now.Unix() > last {
		r.Status = Expired
	}
}

// lastSecond is the last second in which a time in a URL is good.
func lastSecond(seconds int64, o *VerifyOptions) int64 {
	return seconds + int64(o.Validity/time.Second)
}
