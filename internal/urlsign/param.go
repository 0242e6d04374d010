package urlsign

import "strings"

const (
	// maxValue is the longest signature value that any scheme looks at.
	maxValue = 256
	// maxEncoded is the longest raw value that is percent-decoded: maxValue
	// with every byte written as an escape.
	maxEncoded = 3 * maxValue
)

// Param returns the value of the parameter called name in a raw query.
//
// Both "&" and "?" separate parameters, since media servers that merge the
// query of the server URL with that of the stream name report "?a=b?a=b"; a
// leading "?" is allowed for the same reason. Names match in exact case and are
// not decoded. Values are percent-decoded, "+" stays as it is, and an escape
// that is not two hexadecimal digits stands for itself.
//
// A name without "=" is found with an empty value. If the name occurs more than
// once, value is the first one, and conflicting tells that another differs from
// it: two readers of the query could then disagree on which one counts, so the
// caller must refuse.
//
// Param allocates only to decode a value that contains "%". One of more than
// 768 raw bytes is returned without decoding, so that a hostile query cannot
// make it allocate more; callers bound the length of what they accept.
func Param(query, name string) (value string, found, conflicting bool) {
	value, found, conflicting = rawParam(query, name)
	return decode(value), found, conflicting
}

// rawParam is Param without decoding the value.
func rawParam(query, name string) (value string, found, conflicting bool) {
	query = strings.TrimPrefix(query, "?")
	if strings.IndexByte(query, '&') < 0 && strings.IndexByte(query, '?') < 0 { // the usual one
		value, found = valueOf(query, name)
		return value, found, false
	}
	for more := true; more; {
		// First at "&", then what is between at "?": so each byte is looked at
		// once for each separator, however many of them there are.
		var part string
		part, query, more = cut(query, '&')
		for inner := true; inner; {
			var pair string
			pair, part, inner = cut(part, '?')
			v, ok := valueOf(pair, name)
			if !ok {
				continue
			}
			if found && !sameDecoded(v, value) {
				return value, true, true
			}
			if !found {
				value, found = v, true
			}
		}
	}
	return value, found, false
}

// cut is strings.Cut for one byte, which is worth 20 ns in Param.
func cut(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// valueOf returns the raw value if pair is "name=value" or the bare name.
func valueOf(pair, name string) (string, bool) {
	rest, ok := strings.CutPrefix(pair, name)
	if !ok || name == "" {
		return "", false
	}
	if rest == "" {
		return "", true
	}
	return rest[1:], rest[0] == '='
}

// sameDecoded compares two raw values as decode would return them, without
// building either: a query may repeat a parameter thousands of times.
func sameDecoded(a, b string) bool {
	for len(a) > 0 && len(b) > 0 {
		x, n := unescape(a)
		y, m := unescape(b)
		if x != y {
			return false
		}
		a, b = a[n:], b[m:]
	}
	return a == b
}

func decode(raw string) string {
	if len(raw) > maxEncoded || strings.IndexByte(raw, '%') < 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		c, n := unescape(raw)
		b.WriteByte(c)
		raw = raw[n:]
	}
	return b.String()
}

// unescape returns the first byte of s decoded, and how many bytes it took.
func unescape(s string) (byte, int) {
	if s[0] != '%' || len(s) < 3 {
		return s[0], 1
	}
	hi, ok1 := hexDigit(s[1])
	lo, ok2 := hexDigit(s[2])
	if !ok1 || !ok2 {
		return s[0], 1
	}
	return hi<<4 | lo, 3
}

// hexDigit returns the value of a digit, or 255 for what is none.
func hexDigit(c byte) (byte, bool) {
	d := digitValues[c] - 1
	return d, d < 16
}

// digitValues are the values of digits plus one: a table takes half the time of
// comparisons for the ten digits of a time.
var digitValues = [256]byte{'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16, 'A': 11, 'B': 12, 'C': 13, 'D': 14, 'E': 15, 'F': 16}

// credential finds the one value that a scheme may look at. The status is
// Valid if there is one to look at, and otherwise the answer of Verify.
func credential(query, name string) (string, Status) {
	value, found, conflicting := Param(query, name)
	return value, credentialStatus(value, found, conflicting)
}

// rawCredential is credential for a scheme whose values need no escapes, so
// that it allocates nothing even for those that have some.
func rawCredential(query, name string) (string, Status) {
	value, found, conflicting := rawParam(query, name)
	return value, credentialStatus(value, found, conflicting)
}

func credentialStatus(value string, found, conflicting bool) Status {
	switch {
	case !found:
		return Absent
	case conflicting:
		return Repeated
	case value == "" || len(value) > maxValue:
		return Malformed
	}
	return Valid
}
