package urlsign

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
)

// stagedoor is our own scheme and the default of new rules:
//
//	sd=<scene><scope>[a<address>]-<expiry>-<key id>-<mac>
//	sd=p2-1893456000-k1-i2L4CBgBouo2c5n9OxylBQ
//
//	scene    p publishes, v plays; neither implies the other
//	scope    2 opens this stream in every format, 1 the whole application
//	address  the client it is bound to: 8 or 32 lower-case hex digits
//	expiry   last valid second, decimal unix time
//	key id   1 to 16 of [A-Za-z0-9_]
//	mac      base64url, 22 characters
//
// The mac is HMAC-SHA-256, cut to 16 bytes, of three lines without a final
// newline: "stagedoor-url-1", everything before the mac's hyphen, and
// "/app/stream" or "/app". The first two cannot contain a newline and the free
// text comes last, so no two different claims give the same text. Nothing
// depends on the format or the method: one signature serves RTMP, SRT, FLV, HLS
// and WebRTC.
//
// Sixteen bytes keep the value short: SRT ends at 512 bytes for the whole
// stream id. RFC 2104 asks for half of the hash at the least, which this is,
// and a guess can only be tried by asking us: 128 bits are out of reach.
//
// The value is made of [A-Za-z0-9_-] alone and is never escaped on its way.
type stagedoor struct{}

const (
	stagedoorParam   = "sd"
	stagedoorVersion = "stagedoor-url-1\n"
	macSize          = 16
	macText          = 22 // macSize in base64url without padding
	maxKeyID         = 16
	// The longest head: "p2a" and an IPv6 address, expiry and key id.
	maxHead = len("p2a") + 32 + 1 + timeDigits + 1 + maxKeyID
)

func (*stagedoor) Name() string     { return "stagedoor" }
func (*stagedoor) Strength() string { return strong }

func (*stagedoor) AppendQuery(dst []byte, t Target, k Key, o SignOptions) []byte {
	c := claims{
		scene:    t.Scene,
		appScope: o.AppScope,
		addr:     plain(o.BindAddr),
		seconds:  unixSeconds(o.Expires),
		keyID:    k.ID,
	}
	if c.sceneLetter() == 0 || !isKeyID(k.ID) || len(k.Secret) == 0 || !nameable(&t, o.AppScope) {
		return dst
	}
	var room [usualText]byte
	text := append(macRoom(room[:], &t), stagedoorVersion...)
	start := len(text)
	text = c.appendHead(text)
	dst = append(dst, stagedoorParam+"="...)
	dst = append(append(dst, text[start:]...), '-')
	mac := stagedoorMAC(text, &t, o.AppScope, k.Secret)
	return append(dst, mac[:]...)
}

func (*stagedoor) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	value, status := credential(query, stagedoorParam)
	if status != Valid {
		return Result{Status: status}
	}
	c, ok := parseStagedoor(value)
	switch {
	case !ok:
		return Result{Status: Malformed}
	case !nameable(&t, c.appScope):
		return Result{Status: Mismatch}
	}
	secret, known := pick(keys, c.keyID)
	var room [usualText]byte
	text := append(macRoom(room[:], &t), stagedoorVersion...)
	mac := stagedoorMAC(append(text, c.head...), &t, c.appScope, secret)
	// Comparing the text, not the decoded bytes, leaves one spelling of a mac.
	if match := subtle.ConstantTimeCompare(mac[:], []byte(c.mac)) == 1; !match || !known {
		return Result{Status: Mismatch}
	}
	r := genuine(c.keyID, c.seconds, &o)
	switch {
	case c.scene != t.Scene:
		r.Status = WrongScene
	case c.addr.IsValid() && c.addr != plain(t.Addr):
		r.Status = WrongAddress
	}
	return r
}

func (*stagedoor) Canonical(query string, t Target, o VerifyOptions) Canonical {
	value, status := credential(query, stagedoorParam)
	c, ok := parseStagedoor(value)
	if status != Valid || !ok || !nameable(&t, c.appScope) {
		return Canonical{}
	}
	return canonical(string(appendLast(append([]byte(stagedoorVersion), c.head...), &t, c.appScope)), c.seconds, &o)
}

// pick returns the secret of the first usable key called id. An unknown id gets
// a secret that proves nothing, so that it costs the same as a wrong mac and
// does not tell which ids exist.
func pick(keys []Key, id string) (secret []byte, known bool) {
	for i := len(keys) - 1; i >= 0; i-- {
		if keys[i].ID == id && len(keys[i].Secret) > 0 {
			secret, known = keys[i].Secret, true
		}
	}
	return secret, known
}

// macRoom returns room for the padded key that hmacSHA256 wants, as a first
// block already taken, and for the three lines behind it.
func macRoom(room []byte, t *Target) []byte {
	const fixed = sha256.BlockSize + len(stagedoorVersion) + maxHead + len("\n//")
	return enough(room, fixed+len(t.App)+len(t.Stream))[:sha256.BlockSize]
}

// stagedoorMAC returns the mac in base64url. The text is complete but for its
// last line.
func stagedoorMAC(text []byte, t *Target, appScope bool, secret []byte) [macText]byte {
	sum := hmacSHA256(secret, appendLast(text, t, appScope))
	var out [macText]byte
	base64.RawURLEncoding.Encode(out[:], sum[:macSize])
	return out
}

// appendLast adds the last line.
func appendLast(text []byte, t *Target, appScope bool) []byte {
	text = append(text, '\n')
	if appScope {
		return append(append(text, '/'), t.App...)
	}
	return appendNames(text, t)
}

// plain makes addresses comparable: IPv4 in IPv6 is IPv4, and the zone is the
// name of a network card on some machine, not part of who the client is.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// claims are what a value says before its mac.
type claims struct {
	scene    Scene
	appScope bool
	addr     netip.Addr // zero: not bound
	seconds  int64
	keyID    string

	head string // parsed values only: the text the claims were read from
	mac  string
}

func (c claims) sceneLetter() byte {
	switch c.scene {
	case Publish:
		return 'p'
	case Play:
		return 'v'
	}
	return 0
}

func (c claims) appendHead(dst []byte) []byte {
	scope := byte('2')
	if c.appScope {
		scope = '1'
	}
	dst = append(dst, c.sceneLetter(), scope)
	if c.addr.IsValid() {
		dst = append(dst, 'a')
		dst = appendAddr(dst, c.addr)
	}
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, c.seconds, 10)
	dst = append(dst, '-')
	return append(dst, c.keyID...)
}

// parseStagedoor reads a value strictly: whatever appendHead would not write is
// refused, so that a signature cannot be respelled.
func parseStagedoor(value string) (claims, bool) {
	door, rest, _ := cut(value, '-')
	padded := strings.HasPrefix(rest, "0") && !strings.HasPrefix(rest, "0-")
	seconds, rest, ok := cutSeconds(rest)
	id, mac, _ := cut(rest, '-')
	c := claims{seconds: seconds, keyID: id, mac: mac}
	if !ok || padded || !c.parseDoor(door) || !isKeyID(id) || !isMAC(mac) {
		return claims{}, false
	}
	c.head = value[:len(value)-len(mac)-1]
	return c, true
}

// parseDoor reads scene, scope and address.
func (c *claims) parseDoor(s string) bool {
	if len(s) < 2 {
		return false
	}
	switch s[0] {
	case 'p':
		c.scene = Publish
	case 'v':
		c.scene = Play
	default:
		return false
	}
	if s[1] != '1' && s[1] != '2' {
		return false
	}
	c.appScope = s[1] == '1'
	if len(s) == 2 {
		return true
	}
	var ok bool
	c.addr, ok = parseAddr(s[3:])
	return s[2] == 'a' && ok
}

func appendAddr(dst []byte, a netip.Addr) []byte {
	if a.Is4() {
		b := a.As4()
		return hex.AppendEncode(dst, b[:])
	}
	b := a.As16()
	return hex.AppendEncode(dst, b[:])
}

// parseAddr reads an address as appendAddr writes it. IPv4 in IPv6 is refused:
// it is written as IPv4.
func parseAddr(s string) (netip.Addr, bool) {
	var b [16]byte
	if len(s) > 2*len(b) || !isLowerHex(s) {
		return netip.Addr{}, false
	}
	n, _ := hex.Decode(b[:], []byte(s))
	switch len(s) {
	case 8:
		return netip.AddrFrom4([4]byte(b[:n])), true
	case 32:
		a := netip.AddrFrom16(b)
		return a, !a.Is4In6()
	}
	return netip.Addr{}, false
}

func isKeyID(s string) bool {
	if s == "" || len(s) > maxKeyID {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '_' {
			return false
		}
	}
	return true
}

// isMAC reports whether s is the canonical base64url of 16 bytes. The last of
// its 22 characters carries two bits only, so four characters can end it.
func isMAC(s string) bool {
	if len(s) != macText || strings.IndexByte("AQgw", s[macText-1]) < 0 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
