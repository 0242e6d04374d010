package config

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// Traces is where traces go.
type Traces struct {
	Endpoint *url.URL // nil: there are none
	Headers  map[string]Secret
}

func (r *resolver) traces(s *Settings) {
	if !(s.TraceRatio >= 0 && s.TraceRatio <= 1) { // also what is not a number
		r.problem("TRACE_RATIO", "%v is not between 0 and 1", s.TraceRatio)
	}
	var err error
	if s.Traces.Headers, err = parseHeaders(s.OTLPHeaders.Reveal()); err != nil {
		r.problem("OTLP_HEADERS", "%w", err)
	}
	if s.OTLPEndpoint == "" {
		return
	}
	u, err := url.Parse(s.OTLPEndpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		r.problem("OTLP_ENDPOINT", "is not http://host:port or https://host:port")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		r.problem("OTLP_ENDPOINT", "must have no user, query or fragment; credentials go into STAGEDOOR_OTLP_HEADERS")
	default:
		s.Traces.Endpoint = u
	}
}

var (
	headerPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	errHeaders    = errors.New("is not name=value,name=value with percent-encoded values")
)

// parseHeaders reads headers as OTEL_EXPORTER_OTLP_HEADERS has them. Its error does
// not repeat them.
func parseHeaders(text string) (map[string]Secret, error) {
	headers := map[string]Secret{}
	for _, item := range items(strings.Split(text, ",")) {
		name, value, found := strings.Cut(item, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !found || err != nil || !headerPattern.MatchString(name) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return nil, errHeaders
		}
		headers[name] = Secret(value)
	}
	return headers, nil
}
