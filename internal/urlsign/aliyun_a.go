package urlsign

import (
	"crypto/md5"
	"crypto/subtle"
)

// typeA is type A of Alibaba Cloud, which Huawei Cloud, JD Cloud and Volcengine
// copied:
//
//	auth_key=<time>-<rand>-<uid>-md5hex(<path>-<time>-<rand>-<uid>-<secret>)
//
// The URL is valid until time + Validity. The path includes the extension, so
// each format of a stream has its own signature. The scene is not covered: keep
// publish and play keys apart. MD5 with a trailing secret is no MAC by today's
// standards, and the scheme can bind neither an address nor an application.
type typeA struct {
	name     string
	strength string
	param    string
	numeral  numeral
}

func newTypeA(name string) *typeA {
	return &typeA{name: name, strength: compatibility, param: "auth_key", numeral: newNumeral(10, false)}
}

// newVolcengineA returns what Volcengine live calls TypeA. Its documents show
// the URL but not the text that is hashed; that of the vendor's other products
// is taken, and the strength says so. The vendor has it for pull URLs only.
func newVolcengineA(o Options) (Scheme, error) {
	return &typeA{name: "volcengine_a", strength: unconfirmed, param: orDefault(o.SignatureParam, "auth_key"),
		numeral: newNumeral(o.TimeBase, false)}, nil
}

func (s *typeA) Name() string     { return s.name }
func (s *typeA) Strength() string { return s.strength }

func (s *typeA) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	if !hasPath(&t) || len(k.Secret) == 0 || o.BindAddr.IsValid() {
		return dst
	}
	var room [usualText]byte
	text := enough(room[:], maxText(&t, maxDigits+len("-0-0-"), len(k.Secret)))
	text = append(appendPath(text, &t, ""), '-')
	start := len(text)
	text = s.numeral.append(text, o.Expires)
	text = append(text, "-0-0-"...) // rand and uid: nothing reads them
	dst = append(append(dst, s.param...), '=')
	dst = append(dst, text[start:]...)
	digest := hexMD5(md5.Sum(append(text, k.Secret...)))
	return append(dst, digest[:]...)
}

func (s *typeA) Verify(query string, t Target, keys []Key, o VerifyOptions) (r Result) {
	var value string
	if value, r.Status = credential(query, s.param); r.Status != Valid {
		return r
	}
	head, digest, seconds := s.parse(value)
	switch {
	case head == "":
		r.Status = Malformed
		return r
	case !hasPath(&t):
		r.Status = Mismatch
		return r
	}
	switch i := findTypeA(&t, head, digest, keys); {
	case i >= 0:
		r.genuine(keys[i].ID, seconds, &o)
	case !isLowerHex(digest): // this matches no digest, so only a refusal looks
		r.Status = Malformed
	default:
		r.Status = Mismatch
	}
	return r
}

func (s *typeA) Canonical(query string, t Target, o VerifyOptions) Canonical {
	value, status := credential(query, s.param)
	head, _, seconds := s.parse(value)
	if status != Valid || head == "" || !hasPath(&t) {
		return Canonical{}
	}
	return canonical(string(appendPath(nil, &t, ""))+"-"+head+keyMark, seconds, &o)
}

// parse takes a value apart into what is hashed, "time-rand-uid-", and md5Text
// bytes. It requires exactly four parts: a hyphen inside rand or uid would let
// the end of a stream name pass for a time. Of any other value it returns
// nothing.
func (s *typeA) parse(value string) (head, digest string, seconds int64) {
	end := len(value) - md5Text
	if end < 0 {
		return "", "", 0
	}
	head = value[:end]
	seconds, digits := s.numeral.leading(head)
	if digits == 0 || !areTwoParts(head[digits:]) {
		return "", "", 0
	}
	return head, value[end:], seconds
}

// areTwoParts reports whether text is "-rand-uid-".
func areTwoParts(text string) bool {
	hyphens := 0
	for i := range len(text) {
		if text[i] == '-' {
			hyphens++
		}
	}
	last := len(text) - 1
	return hyphens == 3 && text[0] == '-' && text[1] != '-' && text[last-1] != '-' && text[last] == '-'
}

// findTypeA returns the index of the first key that made the digest for one
// of the paths that t may stand for, or -1. It hashes all of them with all keys.
func findTypeA(t *Target, head, digest string, keys []Key) int {
	try := len(extensions)
	if t.Path != "" {
		try = 1
	}
	secret := 0
	for i := range keys {
		secret = max(secret, len(keys[i].Secret))
	}
	var room [usualText]byte
	text := enough(room[:], maxText(t, len(head), secret))
	found := len(keys)
	for _, ext := range extensions[:try] {
		text = append(append(appendPath(text[:0], t, ext), '-'), head...)
		for i := len(keys) - 1; i >= 0; i-- {
			sum := md5.Sum(append(text, keys[i].Secret...))
			match := isHexMD5(digest, &sum)
			if len(keys[i].Secret) == 0 {
				match = 0
			}
			found = subtle.ConstantTimeSelect(match, min(i, found), found)
		}
	}
	if found == len(keys) {
		return -1
	}
	return found
}

// maxText is how long "<path>.m3u8-<head><secret>" can get.
func maxText(t *Target, head, secret int) int {
	return max(len(t.Path), len(t.App)+len(t.Stream)+len("//.m3u8")) + len("-") + head + secret
}

// hasPath reports whether t names a path that can be signed.
func hasPath(t *Target) bool {
	if t.Path != "" {
		return len(t.Path) <= maxPath
	}
	return nameable(t, false)
}

func appendPath(dst []byte, t *Target, ext string) []byte {
	if t.Path != "" {
		return append(dst, t.Path...)
	}
	dst = append(dst, '/')
	dst = append(dst, t.App...)
	dst = append(dst, '/')
	dst = append(dst, t.Stream...)
	return append(dst, ext...)
}
