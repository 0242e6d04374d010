package urlsign

import (
	"crypto/md5"
	"crypto/subtle"
	"errors"
	"fmt"
)

// volcengine is what Volcengine and BytePlus live call md5 (TypeB) and
// md5_custom (TypeCustom): two parameters, a time and an MD5 of texts joined
// without separators.
//
//	volcengine_b:       volcTime=<time>&volcSecret=md5hex(/<app>/<stream><secret><time>)
//	volcengine_custom:  volcTime=<time>&volcSecret=md5hex(the fields, in their order)
//
// The time is the wanted end; the URL is valid until time + Validity. Its
// digits are hashed as they stand in the URL, so hexadecimal ones have the case
// that the signer chose. No field includes a format extension: one signature
// opens a stream in every format. A transcoded stream is signed by its own name
// ("cam1_hd").
//
// MD5 is no MAC, the scene and the client's address are not covered, and a
// custom rule protects only what its fields name: without StreamName one URL
// opens all streams of the domain. Fields that touch run together: "AppName"
// next to "StreamName" cannot tell live/x1 from livex/1. Only the time, whose
// length is fixed here, cannot be confused with its neighbours. That is the
// vendor's design; choose stagedoor for anything new.
type volcengine struct {
	name      string
	signature string // parameter names
	time      string
	numeral   numeral
	fields    []field
	domain    bool // one of the fields is the domain
}

// field is one piece of the text that is hashed.
type field uint8

const (
	fieldKey field = iota + 1
	fieldTime
	fieldDomain
	fieldApp
	fieldStream
	fieldPath // "/app/stream"
)

// fieldNames are the vendor's, of two editions of its API.
var fieldNames = map[string]field{
	"key": fieldKey, "SecretKey": fieldKey, "volcTime": fieldTime, "expireTime": fieldTime,
	"Domain": fieldDomain, "AppName": fieldApp, "StreamName": fieldStream,
}

// maxHost bounds the domain that is hashed: no host name is longer.
const maxHost = 253

// newVolcenginePair returns the scheme of two parameters, b or custom.
func newVolcenginePair(name string, o Options) (Scheme, error) {
	s := &volcengine{name: name, signature: orDefault(o.SignatureParam, "volcSecret"), time: orDefault(o.TimeParam, "volcTime")}
	if s.signature == s.time {
		return nil, errors.New("signature and time need different parameters")
	}
	if name == "volcengine_b" {
		// The key stands between the names and the time.
		s.numeral, s.fields = newNumeral(o.TimeBase, false), []field{fieldPath, fieldKey, fieldTime}
		return s, nil
	}
	s.numeral = newNumeral(o.TimeBase, true)
	if err := s.setFields(o.Fields); err != nil {
		return nil, err
	}
	return s, nil
}

// setFields requires the key and the time: a hash without the key can be made
// by anybody, and a time that is not hashed can be changed by anybody.
func (s *volcengine) setFields(names []string) error {
	var seen [fieldPath]bool
	for _, name := range names {
		f, ok := fieldNames[name]
		switch {
		case !ok:
			return errors.New("a field is key, SecretKey, volcTime, expireTime, Domain, AppName or StreamName")
		case seen[f]:
			return fmt.Errorf("field %s is there twice", name)
		}
		seen[f] = true
		s.fields = append(s.fields, f)
	}
	if !seen[fieldKey] || !seen[fieldTime] {
		return errors.New("the fields must have key and volcTime among them")
	}
	s.domain = seen[fieldDomain]
	return nil
}

func (s *volcengine) Name() string { return s.name }

// Strength tells the times in another base than ten apart: that their digits
// are hashed as written is an inference.
func (s *volcengine) Strength() string {
	if s.numeral.base != 10 {
		return unconfirmed
	}
	return compatibility
}

func (s *volcengine) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	if !s.hashable(&t) || len(k.Secret) == 0 || o.BindAddr.IsValid() {
		return dst
	}
	var digitRoom [maxDigits]byte
	digits := s.numeral.append(digitRoom[:0], o.Expires)
	var room [usualText]byte
	text := enough(room[:], maxVolcengine(&t, len(digits), len(k.Secret)))
	digest := hexMD5(md5.Sum(appendFields(text, s.fields, &t, k.Secret, digits)))
	dst = append(append(dst, s.time...), '=')
	dst = append(append(dst, digits...), '&')
	dst = append(append(dst, s.signature...), '=')
	return append(dst, digest[:]...)
}

func (s *volcengine) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	digest, digits, seconds, status := s.parse(query)
	switch {
	case status != Valid:
		return Result{Status: status}
	case !s.hashable(&t):
		return Result{Status: Mismatch}
	}
	if i := s.find(&t, digits, digest, keys); i >= 0 {
		return genuine(keys[i].ID, seconds, &o)
	}
	if !isLowerHex(digest) {
		return Result{Status: Malformed}
	}
	return Result{Status: Mismatch}
}

func (s *volcengine) Canonical(query string, t Target, o VerifyOptions) Canonical {
	_, digits, seconds, status := s.parse(query)
	if status != Valid || !s.hashable(&t) {
		return Canonical{}
	}
	return canonical(string(appendFields(nil, s.fields, &t, []byte(keyMark), digits)), seconds, &o)
}

// parse reads both parameters. Neither value has anything to escape, so they
// are read as they stand.
func (s *volcengine) parse(query string) (digest, digits string, seconds int64, status Status) {
	digest, status = rawCredential(query, s.signature)
	if status != Valid {
		return "", "", 0, status
	}
	digits, status = rawCredential(query, s.time)
	if status == Repeated {
		return "", "", 0, Repeated
	}
	seconds, ok := s.numeral.parse(digits)
	if !ok || len(digest) != md5Text {
		return "", "", 0, Malformed
	}
	return digest, digits, seconds, Valid
}

// find returns the index of the first key that made the digest, or -1. It
// hashes with all of them.
func (s *volcengine) find(t *Target, digits, digest string, keys []Key) int {
	secret := 0
	for i := range keys {
		secret = max(secret, len(keys[i].Secret))
	}
	var room [usualText]byte
	text := enough(room[:], maxVolcengine(t, len(digits), secret))
	found := -1
	for i := len(keys) - 1; i >= 0; i-- {
		sum := hexMD5(md5.Sum(appendFields(text, s.fields, t, keys[i].Secret, digits)))
		match := subtle.ConstantTimeCompare(sum[:], []byte(digest))
		if len(keys[i].Secret) == 0 {
			match = 0
		}
		found = subtle.ConstantTimeSelect(match, i, found)
	}
	return found
}

// hashable reports whether t has every name that the fields may ask for.
func (s *volcengine) hashable(t *Target) bool {
	return nameable(t, false) && (!s.domain || t.Host != "" && len(t.Host) <= maxHost)
}

// maxVolcengine is how long the text of any fields can get.
func maxVolcengine(t *Target, digits, secret int) int {
	return len("//") + len(t.App) + len(t.Stream) + len(t.Host) + digits + secret
}

func appendFields[digits string | []byte](dst []byte, fields []field, t *Target, secret []byte, time digits) []byte {
	for _, f := range fields {
		switch f {
		case fieldKey:
			dst = append(dst, secret...)
		case fieldTime:
			dst = append(dst, time...)
		case fieldDomain:
			dst = append(dst, t.Host...)
		case fieldApp:
			dst = append(dst, t.App...)
		case fieldStream:
			dst = append(dst, t.Stream...)
		case fieldPath:
			dst = append(dst, '/')
			dst = append(dst, t.App...)
			dst = append(dst, '/')
			dst = append(dst, t.Stream...)
		}
	}
	return dst
}
