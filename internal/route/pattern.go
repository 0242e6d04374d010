package route

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// maxPattern is the longest pattern, in bytes.
const maxPattern = 1024

// Canonical writes a path as routes and streams are looked up by: without
// blanks around it, in lower case, with one slash in front, without empty and
// dot segments, and with one slash at the end where it had one.
func Canonical(p string) string { return clean(strings.ToLower(p)) }

func clean(p string) string {
	p = strings.TrimSpace(p)
	out := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && out != "/" {
		out += "/"
	}
	return out
}

func validPattern(p string) (string, error) {
	if strings.TrimSpace(p) == "" {
		return "", errs.InvalidField("pattern", "a route has a pattern")
	}
	pattern := Canonical(p)
	if len(pattern) > maxPattern || !utf8.ValidString(p) || strings.ContainsFunc(pattern, control) {
		return "", errs.InvalidField("pattern", "a pattern is a path of at most 1024 bytes without control characters")
	}
	return pattern, nil
}

// storable makes a pattern that was asked for one that the database takes. What
// is changed by it names no route, as it would have named none anyway.
func storable(p string) string { return text(Canonical(p)) }

func text(s string) string {
	if len(s) > maxPattern {
		s = s[:maxPattern]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

func control(r rune) bool { return r < ' ' || r == 0x7f }
