package node

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Settings are what an operator says of a new node.
type Settings struct {
	Kind       string
	Sources    []netip.Prefix
	ControlURL string
	Username   string // HTTP Basic of the control URL
	Password   string
	URLs       media.URLs
	RecordURL  string
}

func (st Settings) changes() Changes {
	ch := Changes{Kind: &st.Kind, Sources: &st.Sources, ControlURL: &st.ControlURL, Username: &st.Username, Password: &st.Password,
		URLs: map[string]string{}, RecordURL: &st.RecordURL}
	for _, protocol := range media.Protocols {
		ch.URLs[protocol] = *st.URLs.At(protocol)
	}
	return ch
}

// Changes are what an operator says anew of a node. What is nil stays.
type Changes struct {
	Kind       *string
	Sources    *[]netip.Prefix
	ControlURL *string
	Username   *string // HTTP Basic of the control URL
	Password   *string
	// URLs are templates by protocol. An empty one takes that protocol's away;
	// those that are not named stay.
	URLs      map[string]string
	RecordURL *string
}

// The longest settings, in bytes, and the most source addresses.
const (
	maxURL      = 2048
	maxUsername = 256
	maxPassword = 1024
	maxSources  = 64
)

func (ch Changes) validate() error {
	for _, check := range []func() error{ch.checkKind, ch.checkControl, ch.checkURLs} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (ch Changes) checkKind() error {
	if ch.Kind != nil && !slices.Contains(Kinds, *ch.Kind) {
		return errs.InvalidField("kind", "kind is one of "+strings.Join(Kinds, ", "))
	}
	if ch.Sources == nil {
		return nil
	}
	if len(*ch.Sources) > maxSources || slices.ContainsFunc(*ch.Sources, func(p netip.Prefix) bool { return !p.IsValid() }) {
		return errs.InvalidField("sources", "sources are at most 64 addresses, each with a prefix length")
	}
	return nil
}

func (ch Changes) checkControl() error {
	if ch.ControlURL != nil && *ch.ControlURL != "" && !controlURL(*ch.ControlURL) {
		return errs.InvalidField("control_url", "control_url is an http or https URL without credentials, which have fields of their own")
	}
	if ch.Username != nil && (!plain(*ch.Username, maxUsername) || strings.Contains(*ch.Username, ":")) {
		return errs.InvalidField("control_username", "control_username has at most 256 bytes and no colon")
	}
	if ch.Password != nil && !plain(*ch.Password, maxPassword) {
		return errs.InvalidField("control_password", "control_password has at most 1024 bytes and no control characters")
	}
	return nil
}

func (ch Changes) checkURLs() error {
	if ch.RecordURL != nil && *ch.RecordURL != "" && (!httpURL(*ch.RecordURL) || !strings.Contains(*ch.RecordURL, "{file}")) {
		return errs.InvalidField("record_url", "record_url is an http or https URL with {file} in it")
	}
	for _, protocol := range sortedKeys(ch.URLs) {
		if err := checkTemplate(protocol, ch.URLs[protocol]); err != nil {
			return err
		}
	}
	return nil
}

// templateSchemes are those that URLs of a protocol may have.
var templateSchemes = map[string][]string{
	"rtmp":     {"rtmp", "rtmps"},
	"http-flv": {"http", "https", "ws", "wss"},
	"hls":      {"http", "https"},
	"webrtc":   {"http", "https", "webrtc"},
	"srt":      {"srt"},
	"rtsp":     {"rtsp", "rtsps"},
	"push":     {"rtmp", "rtmps", "srt", "rtsp", "rtsps", "http", "https", "webrtc"},
}

func checkTemplate(protocol, template string) error {
	schemes, ok := templateSchemes[protocol]
	if !ok {
		return errs.InvalidField("urls", "the protocols of urls are "+strings.Join(media.Protocols, ", "))
	}
	if template == "" {
		return nil
	}
	scheme, _, _ := strings.Cut(template, "://")
	if !slices.Contains(schemes, strings.ToLower(scheme)) || !absolute(template) || !strings.Contains(template, "{stream}") {
		return errs.InvalidField("urls", "the template for "+protocol+" is a URL with {stream} in it and one of the schemes "+strings.Join(schemes, ", "))
	}
	return nil
}

// absolute reads a template as the URL that it becomes.
func absolute(template string) bool {
	u, err := url.Parse(media.FillURL(template, media.Stream{Vhost: "v", App: "a", Name: "s"}))
	return err == nil && u.Host != "" && u.User == nil && plain(template, maxURL)
}

func httpURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && plain(text, maxURL)
}

func controlURL(text string) bool {
	u, err := url.Parse(text)
	return httpURL(text) && err == nil && u.User == nil && u.Fragment == ""
}

func plain(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// applyChanges puts the changes into a row.
func (s *Service) applyChanges(row *db.Node, ch Changes) error {
	for _, v := range []struct{ from, to *string }{{ch.Kind, &row.Kind}, {ch.ControlURL, &row.ControlURL}, {ch.Username, &row.ControlUsername},
		{ch.RecordURL, &row.RecordURL}} {
		if v.from != nil {
			*v.to = *v.from
		}
	}
	if ch.Sources != nil {
		row.Sources = texts(*ch.Sources)
	}
	if ch.Password != nil {
		row.ControlPasswordSealed = s.sealPassword(row.Name, *ch.Password)
	}
	if len(ch.URLs) == 0 {
		return nil
	}
	urls, err := readURLs(row.Urls)
	if err != nil {
		return err
	}
	for protocol, template := range ch.URLs {
		*urls.At(protocol) = template
	}
	row.Urls = writeURLs(urls)
	return nil
}

// unmapped writes a prefix of IPv4 in IPv6 as what sources are compared as.
func unmapped(p netip.Prefix) netip.Prefix {
	const mapped = 96
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p.Masked()
}

func texts(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = unmapped(p).String()
	}
	return out
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// ParseSources reads addresses and ranges of addresses. Error: Invalid.
func ParseSources(texts []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if a, bare := netip.ParseAddr(text); bare == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, errs.InvalidField("sources", "sources are addresses, or ranges of addresses with a prefix length")
		}
		out = append(out, p)
	}
	return out, nil
}
