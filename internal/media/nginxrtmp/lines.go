package nginxrtmp

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

// defaultControl is where the statistics are, unless the node says otherwise.
const defaultControl = "http://127.0.0.1:8081/stat"

// Lines are for the configuration of nginx: those of the application, and a
// server with the statistics and the control page, for our addresses only.
func Lines(s media.Setup) string {
	var b strings.Builder
	if strings.HasPrefix(s.Base, "https:") {
		b.WriteString("# The module cannot call https: put http and the private address of Stagedoor below.\n")
	}
	fmt.Fprintf(&b, "# In rtmp { server { application %s { } } }:\n%s\n\n", cmp.Or(s.App, "live"), Application(s))
	b.WriteString(pages(s))
	return b.String()
}

// Application is what belongs into the application alone. on_update is left
// out: it closes every live session when we are away for longer than one period.
func Application(s media.Setup) string {
	var b strings.Builder
	for _, event := range []string{"on_publish", "on_publish_done", "on_play", "on_play_done", "on_record_done"} {
		fmt.Fprintf(&b, "%-15s %s;\n", event, s.URL("/callback/nginx-rtmp"))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plainPath is a path that needs no quotes in the configuration.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9/_.-]+$`)

// pages are the statistics and, beside them, the control page. The module asks
// nobody who they are, so they are for our addresses only.
func pages(s media.Setup) string {
	at, err := url.Parse(cmp.Or(s.ControlURL, defaultControl))
	if err != nil || at.Scheme != "http" || !plainPath.MatchString(at.Path) {
		return "# The control URL is not one that lines can be written for: serve rtmp_stat all there, and\n" +
			"# rtmp_control all at control beside it, for the addresses of Stagedoor only.\n"
	}
	allow := allowOnly(s.Callers)
	var b strings.Builder
	b.WriteString("# In http { }, for the node's control URL " + at.Scheme + "://" + at.Host + at.Path + ":\nserver {\n")
	fmt.Fprintf(&b, "    listen %s;\n", listen(at))
	fmt.Fprintf(&b, "    location = %s {\n%s        rtmp_stat all;\n    }\n", at.Path, allow)
	fmt.Fprintf(&b, "    location %s {\n%s        rtmp_control all;\n    }\n}", at.JoinPath("../control").Path, allow)
	return b.String()
}

func allowOnly(callers []netip.Addr) string {
	var b strings.Builder
	for _, a := range callers {
		fmt.Fprintf(&b, "        allow %s;\n", a.WithZone(""))
	}
	if len(callers) == 0 {
		b.WriteString("        # allow ADDRESS;  (the one that Stagedoor connects from)\n")
	}
	return b.String() + "        deny all;\n"
}

// listen is the address of a URL where it names one, and its port otherwise:
// a name need not be known where nginx runs.
func listen(at *url.URL) string {
	port := cmp.Or(at.Port(), "80")
	if a, err := netip.ParseAddr(at.Hostname()); err == nil {
		return net.JoinHostPort(a.WithZone("").String(), port)
	}
	return port
}
