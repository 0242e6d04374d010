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
	host := withoutPort(rest)
	if host == DefaultVhost {
		return ""
	}
	return strings.ToLower(host)
}

// HostOf returns the host of "host", "host:port" or "[address]:port": lower
// case, without port and brackets.
func HostOf(authority string) string { return strings.ToLower(withoutPort(authority)) }

func withoutPort(authority string) string {
	if strings.IndexByte(authority, ':') < 0 { // the usual name, whose error would cost more than all else
		return strings.TrimSuffix(strings.TrimPrefix(authority, "["), "]")
	}
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(authority, "["), "]")
}
