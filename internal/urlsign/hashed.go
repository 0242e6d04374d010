package urlsign

import (
	"crypto/subtle"
	"errors"
	"time"
)

// hashed is what most vendors and media servers do: hash a few texts, the
// secret among them, and put the digest and a time into the URL. A scheme of
// this family is a row of choices (its own file says which), and this file,
// recipe.go, digest.go, clock.go and place.go carry them out.
//
// A digest with the secret in the text is no MAC, and the scene is never
// covered: keep publish and play keys apart. Only what the recipe names is
// protected. That is the design of those who verify; choose stagedoor for
// anything new.
type hashed struct {
	name, strength string
	recipe         recipe
	digest         digest
	clock          clock
	place
	wordsOnly bool // its verifier knows names of [A-Za-z0-9_-] only
}

func (s *hashed) Name() string     { return s.name }
func (s *hashed) Strength() string { return s.strength }

func (s *hashed) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	if s.inPath() {
		return dst
	}
	v, ok := s.sign(&t, t.Path, &k, &o)
	if !ok {
		return dst
	}
	return s.appendParams(dst, v.digits(), v.digest())
}

// appendURL writes path and query where the signature goes into the path.
func (s *hashed) appendURL(dst []byte, t Target, k Key, o SignOptions) []byte {
	v, ok := s.sign(&t, t.Path, &k, &o)
	if !ok {
		return dst
	}
	return appendBare(s.appendSegments(dst, v.digits(), v.digest()), &t)
}

// signature is a digest and its time, as text.
type signature struct {
	sum   digestText
	n     int
	time  [maxDigits]byte
	timeN int
}

func (v *signature) digest() []byte { return v.sum[:v.n] }
func (v *signature) digits() []byte { return v.time[:v.timeN] }

func (s *hashed) sign(t *Target, path string, k *Key, o *SignOptions) (v signature, ok bool) {
	asked := request{path: path, addr: o.BindAddr}
	if len(k.Secret) == 0 || o.BindAddr.IsValid() != s.recipe.addr || !s.hashable(t, &asked) {
		return v, false
	}
	v.timeN = len(s.clock.append(v.time[:0], o.Expires))
	asked.digits = v.time[:v.timeN]
	var room [usualText]byte
	text := enough(room[:], s.digest.head()+s.recipe.size(t, &asked, len(k.Secret)))
	text = s.recipe.append(text[:s.digest.head()], t, &asked, "", k.Secret)
	v.n = s.digest.sum(&v.sum, text, k.Secret)
	return v, true
}

func (s *hashed) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	c, status := s.read(query, &t)
	if status != Valid {
		return Result{Status: status}
	}
	var digits [maxDigits]byte
	asked := request{path: c.path, digits: digits[:copy(digits[:], c.digits)], addr: t.Addr}
	if !s.hashable(&t, &asked) {
		return Result{Status: Mismatch}
	}
	if i := s.find(&t, &asked, c.digest, keys); i >= 0 {
		return s.clock.genuine(keys[i].ID, c.seconds, &o)
	}
	// Text of another alphabet matches no digest, so only a refusal looks.
	if !s.digest.wellFormed(c.digest) {
		return Result{Status: Malformed}
	}
	return Result{Status: Mismatch}
}

func (s *hashed) Canonical(query string, t Target, o VerifyOptions) Canonical {
	c, status := s.read(query, &t)
	asked := request{path: c.path, digits: []byte(c.digits), addr: t.Addr}
	if status != Valid || !s.hashable(&t, &asked) {
		return Canonical{}
	}
	text := string(s.recipe.append(nil, &t, &asked, "", []byte(keyMark)))
	if s.clock.never {
		return Canonical{Text: printable(text)}
	}
	return canonical(text, c.seconds, &o)
}

// claimed is what a request says of its signature.
type claimed struct {
	digest, digits string
	seconds        int64
	path           string // what was signed, as far as it is known
}

// read finds the signature. The status is Valid if there is one to look at.
func (s *hashed) read(query string, t *Target) (c claimed, status Status) {
	c.path = t.Path
	if s.inPath() {
		status = s.readPath(&c, t.Path)
	} else {
		status = s.readQuery(&c, query)
	}
	if status != Valid {
		return c, status
	}
	c.digest = s.digest.unpadded(c.digest)
	ok := true
	if !s.clock.never {
		c.seconds, ok = s.clock.parse(c.digits)
	}
	if !ok || len(c.digest) != s.digest.length() {
		return c, Malformed
	}
	return c, Valid
}

// extensions are what a path may end in, where only the stream is known.
var extensions = [...]string{"", ".flv", ".m3u8"}

// find returns the index of the first key that made the digest for one of the
// paths that t may stand for, or -1. It hashes all of them with all keys.
func (s *hashed) find(t *Target, asked *request, want string, keys []Key) int {
	try, secret := 1, 0
	if s.recipe.path && asked.path == "" {
		try = len(extensions)
	}
	for i := range keys {
		secret = max(secret, len(keys[i].Secret))
	}
	var wanted, sum digestText
	length := s.digest.fold(&wanted, want)
	var room [usualText]byte
	text := enough(room[:], s.digest.head()+s.recipe.size(t, asked, secret))
	found := len(keys)
	for _, ext := range extensions[:try] {
		for i := len(keys) - 1; i >= 0; i-- {
			text = s.recipe.append(text[:s.digest.head()], t, asked, ext, keys[i].Secret)
			n := s.digest.sum(&sum, text, keys[i].Secret)
			match := subtle.ConstantTimeCompare(sum[:n], wanted[:length])
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

// hashable reports whether t has everything that the recipe asks for, in names
// that a URL could carry.
func (s *hashed) hashable(t *Target, asked *request) bool {
	r := &s.recipe
	pathOnly := r.path && !r.names && asked.path != ""
	switch {
	case len(asked.path) > maxPath && r.path,
		!pathOnly && !nameable(t, false),
		r.host && (t.Host == "" || len(t.Host) > maxHost),
		r.addr && !asked.addr.IsValid():
		return false
	}
	return !s.wordsOnly || isWord(t.App) && isWord(t.Stream)
}

// appendBare writes the path without signature: the one that is known, or that
// of the stream without extension.
func appendBare(dst []byte, t *Target) []byte {
	if t.Path == "" {
		return appendNames(dst, t)
	}
	return append(dst, t.Path...)
}

func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// finish checks what a scheme's choices must have in common, once when it is
// made: a hash without the key can be made by anybody.
func (s *hashed) finish() (Scheme, error) {
	if !s.digest.keyed() && !s.recipe.key {
		return nil, errors.New("the key is not hashed")
	}
	if s.signature == s.time && s.form == inPair {
		return nil, errors.New("signature and time need different parameters")
	}
	return s, nil
}

// genuine finishes the result of a signature that key id made.
func (c *clock) genuine(id string, seconds int64, o *VerifyOptions) Result {
	if c.never {
		return Result{Status: Valid, KeyID: id}
	}
	return genuine(id, seconds, o)
}

// never is the clock of schemes without a time.
var never = clock{never: true}

// maxHost bounds the domain that is hashed: no host name is longer.
const maxHost = 253

// clock is how a scheme writes the last second.
type clock struct {
	numeral
	stamp bool // "203001010800", in UTC+8
	never bool // not at all
}

func (c *clock) append(dst []byte, t time.Time) []byte {
	switch {
	case c.never:
		return dst
	case c.stamp:
		return appendStamp(dst, t)
	}
	return c.numeral.append(dst, t)
}

func (c *clock) parse(s string) (seconds int64, ok bool) {
	if c.stamp {
		return parseStamp(s)
	}
	return c.numeral.parse(s)
}
