package access

import (
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// SignQuery returns the query that opens a URL of this scene, host, app and
// stream until expires, or "" where no signature is asked for. Path is the
// path of the URL, extension included.
func (s *Service) SignQuery(scene media.Scene, host string, st media.Stream, path string, expires time.Time) string {
	r, ok := s.ruleToSign(scene, strings.ToLower(host), st)
	if !ok || !r.enabled || r.signKey == nil {
		return ""
	}
	// The scheme adds the rule's validity when it verifies; taking it off here
	// makes the URL end when the caller said.
	t := urlsign.Target{Scene: signScene(scene), App: st.App, Stream: st.Name, Path: path, Host: host}
	return string(r.scheme.AppendQuery(make([]byte, 0, 128), t, *r.signKey, urlsign.SignOptions{Expires: expires.Add(-r.validity)}))
}

// ruleToSign finds the rule that the media server's callback will be judged by.
// Where the vhost is not known, that is the one called like the host, if there
// is such a rule: a server with a vhost of that name takes it.
func (s *Service) ruleToSign(scene media.Scene, host string, st media.Stream) (*rule, bool) {
	if st.Vhost != "" {
		return s.view.ruleFor(scene, host, st)
	}
	st.Vhost = host
	if r, ok := s.view.ruleFor(scene, host, st); ok && (r.domain != "" || r.vhost != "") {
		return r, true
	}
	st.Vhost = media.DefaultVhost
	return s.view.ruleFor(scene, host, st)
}
