package urlsign

import (
	"strconv"
	"time"
)

// numeral is how a scheme writes a time: unix seconds in some base.
//
// Where the digits are hashed beside a name without anything in between, their
// number must be fixed: "cam1" at 893456000 and "cam" at 1893456000 would be
// one text, and a URL for the one would open the other. The usual number of
// digits is taken then, those of the years around ours: ten in base 10 (2001
// to 2286), eight in base 16 (until 2106), eleven in base 8 (2004 to 2242) and
// thirty-one in base 2 (2004 to 2038).
type numeral struct {
	base     int
	min, max int64
	width    int // of a fixed-width numeral, else zero
}

// maxDigits is the longest time there is: maxTime in base 2.
const maxDigits = 37

func newNumeral(base int, fixed bool) numeral {
	if base == 0 {
		base = 10
	}
	n := numeral{base: base, max: maxTime}
	if !fixed {
		return n
	}
	n.width = map[int]int{2: 31, 8: 11, 10: 10, 16: 8}[base]
	n.max = 1
	for range n.width {
		n.min, n.max = n.max, n.max*int64(base)
	}
	n.max--
	return n
}

// append writes t, or the nearest time that can be written.
func (n *numeral) append(dst []byte, t time.Time) []byte {
	return strconv.AppendInt(dst, min(max(t.Unix(), n.min), n.max), n.base)
}

// parse reads plain digits: no sign, blank or base prefix. Hexadecimal digits
// may have either case.
func (n *numeral) parse(s string) (seconds int64, ok bool) {
	seconds, digits := n.leading(s)
	return seconds, digits > 0 && digits == len(s) && (n.width == 0 || digits == n.width)
}

// leading reads the digits that s begins with and returns how many they are:
// zero for a time that is too large or written with too many.
func (n *numeral) leading(s string) (seconds int64, digits int) {
	for digits < len(s) {
		d, _ := hexDigit(s[digits])
		if int(d) >= n.base { // what is no digit is beyond any base
			break
		}
		digits++
		if seconds = seconds*int64(n.base) + int64(d); seconds > maxTime || digits > maxDigits {
			return 0, 0
		}
	}
	return seconds, digits
}
