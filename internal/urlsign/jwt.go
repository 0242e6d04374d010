package urlsign

import (
	"encoding/json"
	"strings"
	"time"
)

// tokenScheme is a scheme whose signature is a JSON Web Token: its own file says
// what the claims are. Tokens end before their last second, exp, begins.
type tokenScheme struct {
	name, strength string
	secret         bool     // keyed by a secret; else by a key pair
	params         []string // where the token is looked for; the first is written
	header         func(k *Key) []byte
	claims         func(t *Target, k *Key, o *SignOptions) []byte // nil: cannot be said
	// opens says whether the claims of a genuine token open t.
	opens func(payload []byte, t *Target) Status
}

func (s *tokenScheme) Name() string     { return s.name }
func (s *tokenScheme) Strength() string { return s.strength }

func (s *tokenScheme) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	if !s.usable(&k) || o.BindAddr.IsValid() || !nameable(&t, false) {
		return dst
	}
	claims := s.claims(&t, &k, &o)
	if claims == nil {
		return dst
	}
	out := append(append(dst, s.params[0]...), '=')
	if signed := appendJWS(out, s.header(&k), claims, &k); len(signed) > len(out) {
		return signed
	}
	return dst
}

// usable keeps secrets and key pairs apart.
func (s *tokenScheme) usable(k *Key) bool {
	alg := k.algorithm()
	return alg != "" && (alg == "HS256") == s.secret
}

// registered are the claims that all of these tokens have.
type registered struct {
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	ID        string   `json:"jti"`
}

func (s *tokenScheme) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	if !nameable(&t, false) {
		t.Stream = "" // which no token opens
	}
	r, _ := s.verify(query, &t, keys, &o)
	return r
}

// verify also returns which key made the token, where one did.
func (s *tokenScheme) verify(query string, t *Target, keys []Key, o *VerifyOptions) (Result, int) {
	j, status := s.read(query)
	if status != Valid {
		return Result{Status: status}, -1
	}
	if t.Stream == "" || len(t.Stream) > maxPath {
		return Result{Status: Mismatch}, -1
	}
	i := j.find(keys)
	if i < 0 || !s.usable(&keys[i]) {
		return Result{Status: Mismatch}, -1
	}
	var c registered
	if json.Unmarshal(j.payload, &c) != nil || len(c.ID) > maxValue {
		return Result{Status: Mismatch}, -1
	}
	r := Result{Status: s.opens(j.payload, t), KeyID: keys[i].ID, TokenID: c.ID, Expires: c.end(o)}
	if r.Status == Valid && !o.IgnoreExpiry && c.outside(o) {
		r.Status = Expired
	}
	if r.Status == Mismatch {
		return Result{Status: Mismatch}, -1
	}
	return r, i
}

// end is the last second in which the token is good, zero if it never ends.
func (c *registered) end(o *VerifyOptions) time.Time {
	if c.Expires == nil {
		return time.Time{}
	}
	exp := int64(min(max(*c.Expires, 0), maxTime))
	return time.Unix(lastSecond(exp, o)-1, 0)
}

// outside reports whether a token has ended, or has not begun.
func (c *registered) outside(o *VerifyOptions) bool {
	if last := c.end(o); !last.IsZero() && o.Now.Unix() > last.Unix() {
		return true
	}
	return c.NotBefore != nil && float64(o.Now.Unix()) < *c.NotBefore
}

// Canonical shows the claims: they are what is signed, in base64.
func (s *tokenScheme) Canonical(query string, _ Target, o VerifyOptions) Canonical {
	return s.canonical(query, o)
}

func (s *tokenScheme) canonical(query string, o VerifyOptions) Canonical {
	j, status := s.read(query)
	if status != Valid {
		return Canonical{}
	}
	c := Canonical{Text: j.text}
	var claims registered
	if json.Unmarshal(j.payload, &claims) == nil && claims.Expires != nil {
		c.At, c.Expires = time.Unix(int64(min(max(*claims.Expires, 0), maxTime)), 0), claims.end(&o)
	}
	return c
}

// read finds the token. A value that is no token at all is somebody else's: live
// tokens travel under the same name.
func (s *tokenScheme) read(query string) (j jws, status Status) {
	params := s.params
	if len(params) == 0 {
		value, _ := strings.CutPrefix(query, "=") // from the path
		if !isJWS(value) {
			return j, Absent
		}
		if j, ok := parseJWS(value); ok {
			return j, Valid
		}
		return j, Malformed
	}
	for _, name := range params {
		value, found, conflicting := rawParam(query, name)
		switch {
		case conflicting:
			return j, Repeated
		case !found || !isJWS(value):
			continue
		}
		j, ok := parseJWS(value)
		if !ok {
			return j, Malformed
		}
		return j, Valid
	}
	return j, Absent
}
