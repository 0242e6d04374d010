package urlsign

import "strings"

// place is where a signature stands in a URL.
type place struct {
	form      form
	signature string // names of parameters
	time      string
	timeFirst bool // of two parameters or path segments, in what we write
	// prefix stands before the segments in the path: "/t", or nothing.
	prefix string
}

type form uint8

const (
	inPair     form = iota
	inValue         // "<time>-<digest>", or the digest alone where there is no time
	inSegments      // path segments before the path
)

func (p *place) inPath() bool { return p.form == inSegments }

// appendParams writes the query.
func (p *place) appendParams(dst, digits, digest []byte) []byte {
	if p.form == inValue {
		dst = append(append(dst, p.signature...), '=')
		if len(digits) > 0 {
			dst = append(append(dst, digits...), '-')
		}
		return append(dst, digest...)
	}
	first, second, a, b := p.signature, p.time, digest, digits
	if p.timeFirst {
		first, second, a, b = second, first, b, a
	}
	dst = append(append(dst, first...), '=')
	dst = append(append(dst, a...), '&')
	dst = append(append(dst, second...), '=')
	return append(dst, b...)
}

// appendSegments writes what stands before the path.
func (p *place) appendSegments(dst, digits, digest []byte) []byte {
	dst = append(append(dst, p.prefix...), '/')
	if p.timeFirst {
		dst = append(append(dst, digits...), '/')
		return append(dst, digest...)
	}
	dst = append(dst, digest...)
	if len(digits) > 0 {
		dst = append(append(dst, '/'), digits...)
	}
	return dst
}

// readQuery reads the parameters. Neither value has anything to escape but the
// padding of base64, which is not needed, so they are read as they stand.
func (s *hashed) readQuery(c *claimed, query string) (status Status) {
	c.digest, status = rawCredential(query, s.signature)
	if status != Valid || s.form == inValue && s.clock.never {
		return status
	}
	if s.form == inValue {
		digits, digest, ok := cut(c.digest, '-')
		if !ok {
			return Malformed
		}
		c.digits, c.digest = digits, digest
		return Valid
	}
	c.digits, status = rawCredential(query, s.time)
	if status == Absent {
		return Malformed
	}
	return status
}

// readPath reads the segments and what is behind them. A path without them is
// one without a signature.
func (s *hashed) readPath(c *claimed, path string) Status {
	rest, ok := strings.CutPrefix(path, s.prefix+"/")
	if !ok || len(path) > maxPath+maxValue {
		return Absent
	}
	first, rest, ok := cut(rest, '/')
	second := ""
	if ok && !s.clock.never {
		second, rest, ok = cut(rest, '/')
	}
	c.digest, c.digits = first, second
	if s.timeFirst {
		c.digest, c.digits = second, first
	}
	if !ok || rest == "" || len(c.digest) != s.digest.length() {
		return Absent
	}
	c.path = path[len(path)-len(rest)-1:]
	return Valid
}

// SplitPath tells a signature that stands before a path from the path itself,
// by its form, whatever the scheme. Prefix is empty where there is none. It is
// for whoever has to find application and stream in a path before any rule is
// known; whether the signature is good is for Verify, with the whole path.
func SplitPath(path string) (prefix, rest string) {
	at := 0
	for n := 0; n < maxSegments && at < len(path) && path[at] == '/'; n++ {
		end := segmentEnd(path, at)
		next := segmentEnd(path, end)
		a, b := segment(path, at, end), segment(path, end, next)
		switch {
		case isTime(a) && isDigest(b), isDigest(a) && isTime(b):
			return path[:next], path[next:]
		case len(a) == md5Text && isHex(a):
			return path[:end], path[end:]
		}
		at = end
	}
	return "", path
}

// maxSegments bounds how far a prefix of an operator reaches.
const maxSegments = 4

// segmentEnd is where the segment that begins with the slash at ends.
func segmentEnd(path string, at int) int {
	if at >= len(path) {
		return at
	}
	if i := strings.IndexByte(path[at+1:], '/'); i >= 0 {
		return at + 1 + i
	}
	return len(path)
}

// segment is what is between a slash and the next, where there is a next.
func segment(path string, at, end int) string {
	if end >= len(path) || at >= end {
		return ""
	}
	return path[at+1 : end]
}

func isDigest(s string) bool { return len(s) == md5Text && isHex(s) || isMAC(s) }

// isTime knows a stamp, ten decimal and eight hexadecimal digits.
func isTime(s string) bool {
	_, stamp := parseStamp(s)
	return stamp || (len(s) == 8 || len(s) == 10) && isHex(s)
}
