package access

import (
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// Signed is a query that opens a URL, with what it was made by.
type Signed struct {
	Query            string // "" where no signature is asked for
	Scheme, Strength string
	RuleID           int64
	KeyID            string
	Validity         time.Duration // of the rule
}

// SignQuery returns the query that opens a URL of this scene, host, app and
// stream until expires, or "" where no signature is asked for. Path is the
// path of the URL, extension included.
func (s *Service) SignQuery(scene media.Scene, host string, st media.Stream, path string, expires time.Time) string {
	return s.SignWith(scene, host, st, path, expires, false).Query
}

// SignWith is SignQuery that tells how it signed. The rule's validity is added
// to the time in a URL when it is verified; it is taken off here, so that the
// URL ends when the caller said. With verbatim, expires goes into the URL as it
// is, as cloud vendors do it, and the URL is good for the validity longer.
func (s *Service) SignWith(scene media.Scene, host string, st media.Stream, path string, expires time.Time, verbatim bool) Signed {
	r, ok := s.ruleToSign(scene, strings.ToLower(host), st)
	if !ok || !r.enabled || r.signKey == nil {
		return Signed{}
	}
	if !verbatim {
		expires = expires.Add(-r.validity)
	}
	t := urlsign.Target{Scene: signScene(scene), App: st.App, Stream: st.Name, Path: path, Host: s.signedHost(r, scene, host)}
	query := r.signScheme.AppendQuery(make([]byte, 0, 128), t, *r.signKey, urlsign.SignOptions{Expires: expires})
	return Signed{Query: string(query), Scheme: r.signScheme.Name(), Strength: r.signScheme.Strength(), RuleID: r.id, KeyID: r.signKey.ID,
		Validity: r.validity}
}

// ruleToSign finds the rule that the media server's callback will be judged by.
// Where the vhost is not known, that is the one called like the host, if there
// is such a rule: a server with a vhost of that name takes it.
func (s *Service) ruleToSign(scene media.Scene, host string, st media.Stream) (*rule, bool) {
	if st.Vhost != "" {
		return s.ruleFor(scene, host, st)
	}
	st.Vhost = host
	if r, ok := s.ruleFor(scene, host, st); ok && (r.domain != "" || r.vhost != "") {
		return r, true
	}
	st.Vhost = media.DefaultVhost
	return s.ruleFor(scene, host, st)
}
