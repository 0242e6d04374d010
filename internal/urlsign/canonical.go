package urlsign

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Canonical is what a signature in a query would have to be made of to open a
// target. It is the zero value where the query has none of the scheme, or one
// that is not of its shape.
type Canonical struct {
	// Text is what is hashed or signed. The secret stands in it as "{key}",
	// where it is part of the text at all: an HMAC takes it apart from the text.
	// What the client wrote is cut to a bounded length already, and what cannot
	// be printed is replaced. Where the target has no Path and the scheme signs
	// one, it is the path without extension.
	Text string
	// At is the time in the URL, zero if there is none.
	At time.Time
	// Expires is the last second in which the signature would be valid,
	// Validity included; zero is never, or unknown.
	Expires time.Time
}

// keyMark stands for the secret.
const keyMark = "{key}"

// canonical finishes a Canonical of a scheme whose last second is the time in
// the URL and the validity.
func canonical(text string, seconds int64, o *VerifyOptions) Canonical {
	return Canonical{Text: printable(text), At: time.Unix(seconds, 0), Expires: time.Unix(lastSecond(seconds, o), 0)}
}

// printable replaces what would change a terminal or break a line of a log. The
// newline stays: a text of ours has some.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}
