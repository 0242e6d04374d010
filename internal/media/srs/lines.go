package srs

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// defaultControl is where the API is, unless the node says otherwise.
const defaultControl = "http://127.0.0.1:1985"

// Lines are for the configuration of SRS: the hooks of a vhost, and the API
// that is asked for streams and told to cut clients off.
func Lines(s media.Setup) string {
	return "# In the vhost:\n" + Vhost(s) + "\n\n" + httpAPI(s)
}

// Vhost is what belongs into the vhost alone.
func Vhost(s media.Setup) string {
	var b strings.Builder
	b.WriteString("http_hooks {\n    enabled on;\n")
	for _, event := range []string{"on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr"} {
		fmt.Fprintf(&b, "    %-12s %s;\n", event, s.URL("/callback/"+event))
	}
	b.WriteString("}")
	return b.String()
}

// plainWord needs no quotes in the configuration.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.@-]+$`)

func httpAPI(s media.Setup) string {
	at, err := url.Parse(cmp.Or(s.ControlURL, defaultControl))
	if err != nil || at.Scheme != "http" {
		return "# The control URL is not plain http: put what serves it in front of http_api.\n"
	}
	var b strings.Builder
	b.WriteString("# Outside of every vhost, for the node's control URL " + at.Scheme + "://" + at.Host + ":\n")
	fmt.Fprintf(&b, "http_api {\n    enabled on;\n    listen %s;\n", listen(at))
	switch {
	case plainWord.MatchString(s.Username):
		fmt.Fprintf(&b, "    auth {\n        enabled on;\n        username %s;\n        password PASSWORD;  # the node's control password\n    }\n", s.Username)
	case !loopback(at.Hostname()):
		b.WriteString("    # Anybody who reaches the port may cut clients off: keep it private, or from SRS 5 on use auth.\n")
	}
	b.WriteString("}")
	return b.String()
}

// listen is the address of a URL where it names one, and its port otherwise:
// a name need not be known where SRS runs.
func listen(at *url.URL) string {
	port := cmp.Or(at.Port(), "80")
	if a, err := netip.ParseAddr(at.Hostname()); err == nil {
		return net.JoinHostPort(a.WithZone("").String(), port)
	}
	return port
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
