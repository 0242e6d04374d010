package nginx

import (
	"net/url"
	"strings"
)

// Prefixed writes the credential of a playlist's URL in front of its path,
// where the relative URLs in the playlist inherit it. It returns "" for a URL
// without a credential, and for one that a path cannot carry.
func Prefixed(playlist string) string {
	u, err := url.Parse(playlist)
	if err != nil || u.RawQuery == "" || strings.ContainsAny(u.RawQuery, "/%+") {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/~" + u.RawQuery + u.EscapedPath()
}
