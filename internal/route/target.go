package route

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

// Schemes are the protocols that a node may pull with.
var Schemes = []string{"rtsp", "rtsps", "rtmp", "rtmps", "srt", "http", "https"}

const maxURL = 2048

// struck stands where a secret is not shown.
const struck = "***"

// parseTarget reads the remote URL of a route.
func parseTarget(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, errs.InvalidField("url", "a route has a URL")
	case len(text) > maxURL:
		return nil, errs.InvalidField("url", "a URL has at most 2048 bytes")
	case strings.ContainsFunc(text, control):
		return nil, errs.InvalidField("url", "a URL has no control characters")
	}
	u, err := url.Parse(text)
	if err != nil { // which repeats the URL, credentials included
		return nil, errs.InvalidField("url", "not a URL")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if !slices.Contains(Schemes, u.Scheme) {
		return nil, errs.InvalidField("url", "the scheme is one of "+strings.Join(Schemes, ", "))
	}
	if u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" {
		return nil, errs.InvalidField("url", "a URL has a host and no fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errs.InvalidField("url", "the port is between 1 and 65535")
		}
	}
	return u, nil
}

// secretNames are parameters that cameras and servers take credentials in.
var secretNames = []string{"access_token", "auth", "auth_key", "key", "pass", "passphrase", "passwd", "password", "pwd", "secret", "sign",
	"signature", "token"}

// shown is a URL with its secrets struck out.
func shown(u *url.URL) string {
	out := *u
	out.RawQuery = mapQuery(u.RawQuery, func(name, value string) string {
		if secretName(name) {
			return struck
		}
		return value
	})
	if _, has := password(u); !has {
		return out.String()
	}
	// Asterisks would be escaped. What the user is called cannot look like the
	// mark, as a colon in it is.
	const mark = "struck-out"
	out.User = url.UserPassword(u.User.Username(), mark)
	return strings.Replace(out.String(), ":"+mark+"@", ":"+struck+"@", 1)
}

func password(u *url.URL) (string, bool) {
	if u.User == nil {
		return "", false
	}
	return u.User.Password()
}

func secretName(name string) bool {
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	return slices.Contains(secretNames, strings.ToLower(name))
}

// mapQuery replaces values of a raw query, in their order.
func mapQuery(query string, replace func(name, value string) string) string {
	if query == "" {
		return ""
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, value, found := strings.Cut(pair, "="); found {
			pairs[i] = name + "=" + replace(name, value)
		}
	}
	return strings.Join(pairs, "&")
}

var errStruckOut = errs.InvalidField("url", "the URL has struck out secrets that are not those of the route as it is; give them again")

// restore puts the secrets of a known URL where a wanted one shows them struck
// out. They never go to another host, port or user than before.
func restore(wanted, known *url.URL) (*url.URL, error) {
	out, failed, seen := *wanted, false, map[string]int{}
	same := known != nil && known.Scheme == wanted.Scheme && strings.EqualFold(known.Host, wanted.Host) &&
		known.User.Username() == wanted.User.Username()
	if p, _ := password(wanted); p == struck {
		failed = !same
		if same {
			out.User = known.User
		}
	}
	out.RawQuery = mapQuery(wanted.RawQuery, func(name, value string) string {
		seen[name]++
		if value != struck || !secretName(name) {
			return value
		}
		before, found := "", false
		if same {
			before, found = valueOf(known.RawQuery, name, seen[name])
		}
		failed = failed || !found
		return before
	})
	if failed {
		return nil, errStruckOut
	}
	return &out, nil
}

// valueOf returns the value of a parameter's nth occurrence, counted from one.
func valueOf(query, name string, nth int) (string, bool) {
	for pair := range strings.SplitSeq(query, "&") {
		n, value, found := strings.Cut(pair, "=")
		if found && n == name {
			if nth--; nth == 0 {
				return value, true
			}
		}
	}
	return "", false
}

// below returns the URL with more segments at the end of its path.
func below(u *url.URL, segments []string) *url.URL {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = url.PathEscape(s)
	}
	return u.JoinPath(escaped...)
}
