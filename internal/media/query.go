package media

import "strings"

// WithoutQuery cuts a name where a query begins, also one whose "?" or "&" is
// percent-encoded. What follows may hold credentials and must not be repeated.
func WithoutQuery(name string) string {
	for i := 0; i < len(name); i++ {
		switch rest := name[i:]; {
		case rest[0] == '?', rest[0] == '&':
			return name[:i]
		case len(rest) >= 3 && rest[0] == '%' && (strings.EqualFold(rest[1:3], "3f") || rest[1:3] == "26"):
			return name[:i]
		}
	}
	return name
}
