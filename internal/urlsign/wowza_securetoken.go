package urlsign

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// wowza is version 2 of Wowza's SecureToken:
//
//	<prefix>endtime=<time>&<prefix>hash=base64url(SHA-2(<app>/<stream>?<sorted list>))
//
// The list, in the order of ASCII, has the secret, the client's address where the
// URL is bound to one, and every parameter that begins with the prefix, as it
// stands in the URL. A time of zero is none. The path has no format: one
// signature opens a stream in every one. An instance is part of the application
// ("live/_definst_").
type wowza struct {
	prefix string
	hash   string
}

func newWowza(o Options) (Scheme, error) {
	s := &wowza{prefix: orDefault(o.ParamPrefix, "wowzatoken"), hash: orDefault(o.Hash, "sha256")}
	if s.hash != "sha256" && s.hash != "sha384" && s.hash != "sha512" {
		return nil, errors.New("the hash is sha256, sha384 or sha512")
	}
	return s, nil
}

func (*wowza) Name() string     { return "wowza_securetoken_v2" }
func (*wowza) Strength() string { return compatibility }

func (s *wowza) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	if len(k.Secret) == 0 || !nameable(&t, false) {
		return dst
	}
	var pairs []string
	if !o.NotBefore.IsZero() {
		pairs = append(pairs, s.prefix+"starttime="+strconv.FormatInt(unixSeconds(o.NotBefore), 10))
	}
	// Zero would be a URL without end.
	pairs = append(pairs, s.prefix+"endtime="+strconv.FormatInt(max(unixSeconds(o.Expires), 1), 10))
	return append(dst, strings.Join(pairs, "&")+"&"+s.prefix+"hash="+s.sum(s.text(&t, pairs, string(k.Secret), o.BindAddr))...)
}

// text is what is hashed. Sorting puts the secret wherever its letters belong.
func (s *wowza) text(t *Target, pairs []string, secret string, addr netip.Addr) string {
	list := append([]string{secret}, pairs...)
	if addr.IsValid() {
		list = append(list, plain(addr).String())
	}
	return t.App + "/" + t.Stream + "?" + sorted(list)
}

func (s *wowza) sum(text string) string {
	var sum []byte
	switch s.hash {
	case "sha384":
		b := sha512.Sum384([]byte(text))
		sum = b[:]
	case "sha512":
		b := sha512.Sum512([]byte(text))
		sum = b[:]
	default:
		b := sha256.Sum256([]byte(text))
		sum = b[:]
	}
	return base64.URLEncoding.EncodeToString(sum)
}

// wowzaClaim is what a query says.
type wowzaClaim struct {
	sent       string
	pairs      []string
	start, end int64 // zero: none
}

func (s *wowza) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	c, status := s.read(query)
	switch {
	case status != Valid:
		return Result{Status: status}
	case !nameable(&t, false):
		return Result{Status: Mismatch}
	}
	// Nothing in the URL says whether it is bound to an address.
	i := findKey(keys, c.sent, func(secret []byte) string { return s.sum(s.text(&t, c.pairs, string(secret), netip.Addr{})) })
	if i < 0 && t.Addr.IsValid() {
		i = findKey(keys, c.sent, func(secret []byte) string { return s.sum(s.text(&t, c.pairs, string(secret), t.Addr)) })
	}
	if i < 0 {
		return Result{Status: Mismatch}
	}
	r := Result{Status: Valid, KeyID: keys[i].ID}
	if c.end > 0 {
		r = genuine(keys[i].ID, c.end, &o)
	}
	if r.Status == Valid && !o.IgnoreExpiry && o.Now.Unix() < c.start {
		r.Status = Expired
	}
	return r
}

// Canonical has the address in it where one is known and no key tells whether it
// belongs there: it does not, usually.
func (s *wowza) Canonical(query string, t Target, o VerifyOptions) Canonical {
	c, status := s.read(query)
	if status != Valid || !nameable(&t, false) {
		return Canonical{}
	}
	text := printable(s.text(&t, c.pairs, keyMark, netip.Addr{}))
	if c.end == 0 {
		return Canonical{Text: text}
	}
	return Canonical{Text: text, At: time.Unix(c.end, 0), Expires: time.Unix(lastSecond(c.end, &o), 0)}
}

func (s *wowza) read(query string) (c wowzaClaim, status Status) {
	// The padding of base64 may be escaped on its way.
	if c.sent, status = credential(query, s.prefix+"hash"); status != Valid {
		return c, status
	}
	pairs, ok := splitPairs(query, func(name string) bool { return name == s.prefix+"hash" || !strings.HasPrefix(name, s.prefix) })
	if !ok {
		return c, Malformed
	}
	c.pairs = pairs
	for name, into := range map[string]*int64{"starttime": &c.start, "endtime": &c.end} {
		value, status := rawCredential(query, s.prefix+name)
		if status == Absent {
			continue
		}
		seconds, ok := (&numeral{base: 10, max: maxTime}).parse(value)
		if status != Valid || !ok {
			return c, max(status, Malformed)
		}
		*into = seconds
	}
	return c, Valid
}
