package aliyun

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The services are not strict about types: numbers arrive as text and the other
// way round, and some operations have no public definition. These types take
// what can be understood and are zero for the rest; decoding them never fails.

// Int is a count or a size: from 0 to 2^53.
type Int int64

// UnmarshalJSON takes a number, whole or not, in digits or as text.
func (n *Int) UnmarshalJSON(b []byte) error {
	*n = 0
	f, err := strconv.ParseFloat(scalar(b), 64)
	if err == nil && f > 0 { // not NaN either
		*n = Int(math.Min(f, 1<<53))
	}
	return nil
}

// Bool is a yes or no.
type Bool bool

// UnmarshalJSON takes a boolean, a number or their text.
func (v *Bool) UnmarshalJSON(b []byte) error {
	yes, err := strconv.ParseBool(strings.ToLower(scalar(b)))
	*v = Bool(yes && err == nil)
	return nil
}

// maxText is the longest text of an answer, in bytes: a token.
const maxText = 8192

// Text is a string.
type Text string

// UnmarshalJSON takes a string, or a number as it is written. What is too long
// counts as missing: half of it would be something else.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = ""
	if s := scalar(b); len(s) <= maxText && utf8.ValidString(s) {
		*t = Text(s)
	}
	return nil
}

// scalar returns the text of a JSON scalar, "" for anything else.
func scalar(b []byte) string {
	if len(b) == 0 || b[0] == '{' || b[0] == '[' || b[0] == 'n' {
		return ""
	}
	if b[0] != '"' {
		return string(b)
	}
	var s string
	if json.Unmarshal(b, &s) != nil {
		return ""
	}
	return s
}
