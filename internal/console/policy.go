package console

import (
	"net/url"
	"slices"
	"strings"
)

// policy is the content security policy of the page. Nothing but our own files
// runs, nothing is asked of anybody but us, and pictures and sound come from
// the given origins alone.
//
// Players hand what they have fetched to the video element as a blob.
func policy(media []string) string {
	from := strings.Join(media, " ")
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self'",
		strings.TrimSpace("connect-src 'self' " + from),
		strings.TrimSpace("media-src 'self' blob: " + from),
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
	}, "; ")
}

// referencePolicy is that of the API reference. What renders it is not ours: it
// writes styles into its elements and builds them from text, which the console
// may not.
var referencePolicy = strings.Join([]string{
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self' 'unsafe-inline'",
	"img-src 'self' data:",
	"connect-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
}, "; ")

// Origins returns the web origins of URLs, sorted and each once. What is no URL
// of the web, and what could be taken for more than one source in a policy, is
// left out.
func Origins(urls []string) (origins []string) {
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !plainHost(u.Host) {
			continue
		}
		origins = append(origins, u.Scheme+"://"+strings.ToLower(u.Host))
	}
	slices.Sort(origins)
	return slices.Compact(origins)
}

// plainHost says whether a host is nothing but one: no wildcard, no placeholder.
func plainHost(host string) bool {
	return host != "" && !strings.ContainsFunc(host, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-:[]", r))
	})
}
