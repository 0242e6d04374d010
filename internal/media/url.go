package media

import (
	"net"
	"strings"
)

// URLHost returns the host of a URL as a client gave it (tcUrl): lower case,
// without user, port and brackets. It returns "" for DefaultVhost, which stands
// for "no host", and for text that is no URL. Only the authority is looked at,
// since what follows it need not be well formed for a media server to accept it.
func URLHost(raw string) string {
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	host, _, err := net.SplitHostPort(rest)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
	}
	if host == DefaultVhost {
		return ""
	}
	return strings.ToLower(host)
}
