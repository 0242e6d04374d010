package route

import (
	"net/url"
	"regexp"
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
	strikePath(&out, func(string, string) string { return struck })
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

// named finds "name=" in a path: cameras take credentials there too, as in
// /user=admin_password=x_channel=1 and /user=admin&password=x&channel=1.
var named = regexp.MustCompile(`[/&;,_?]([A-Za-z]+(?:_[A-Za-z]+)?)=`)

// strikePath replaces the values of secret names in the path of a URL. A value
// ends with the next name or the next slash.
func strikePath(u *url.URL, replace func(name, value string) string) {
	text := u.EscapedPath()
	var b strings.Builder
	done := 0
	found := named.FindAllStringSubmatchIndex(text, -1)
	for i, m := range found {
		name, from, to := secretTail(text[m[2]:m[3]]), m[1], len(text)
		if name == "" {
			continue
		}
		if i+1 < len(found) {
			to = found[i+1][0]
		}
		if slash := strings.IndexByte(text[from:to], '/'); slash >= 0 {
			to = from + slash
		}
		b.WriteString(text[done:from])
		b.WriteString(replace(name, text[from:to]))
		done = to
	}
	if done > 0 {
		setPath(u, b.String()+text[done:])
	}
}

// secretTail returns the name that a value is of, where it is a secret one. What
// stands before its last underscore may belong to the value in front.
func secretTail(name string) string {
	if secretName(name) {
		return strings.ToLower(name)
	}
	if _, last, found := strings.Cut(name, "_"); found && secretName(last) {
		return strings.ToLower(last)
	}
	return ""
}

// setPath sets an escaped path. One that does not unescape cannot come about.
func setPath(u *url.URL, escaped string) {
	if plain, err := url.PathUnescape(escaped); err == nil {
		u.Path, u.RawPath = plain, escaped
	}
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
	failed = restorePath(&out, known, same) || failed
	if failed {
		return nil, errStruckOut
	}
	return &out, nil
}

// restorePath does for the path what restore does for the query: the nth value
// of a name is put where the nth is struck out.
func restorePath(out, known *url.URL, same bool) (failed bool) {
	before := map[string][]string{}
	if same {
		copied := *known
		strikePath(&copied, func(name, value string) string {
			before[name] = append(before[name], value)
			return struck
		})
	}
	seen := map[string]int{}
	strikePath(out, func(name, value string) string {
		n := seen[name]
		seen[name]++
		if value != struck {
			return value
		}
		if n >= len(before[name]) {
			failed = true
			return value
		}
		return before[name][n]
	})
	return failed
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
