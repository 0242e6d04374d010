package access

import (
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// Signed is a URL that opens a stream, with what it was made by. Without a
// Scheme no signature is asked for.
type Signed struct {
	URL              string
	Scheme, Strength string
	RuleID           int64
	KeyID            string
	Validity         time.Duration // of the rule
}

// SignURL returns the URL of a link, good until expires, with a signature under
// the rule that will judge it. The signature stands where its scheme wants it:
// in the query, or before the path. Where none is asked for there is none.
func (s *Service) SignURL(l media.Link, expires time.Time) string {
	return s.SignWith(l, expires, false).URL
}

// SignWith is SignURL that tells how it signed. The rule's validity is added
// to the time in a URL when it is verified; it is taken off here, so that the
// URL ends when the caller said. With verbatim, expires goes into the URL as it
// is, as cloud vendors do it, and the URL is good for the validity longer.
func (s *Service) SignWith(l media.Link, expires time.Time, verbatim bool) Signed {
	host, path := l.RuleHost(), l.Path()
	r, ok := s.ruleToSign(l.Scene, host, l.Stream)
	if !ok || !r.enabled {
		return Signed{URL: l.Base + path}
	}
	key, ok := r.signingKey()
	if !ok {
		return Signed{URL: l.Base + path}
	}
	o := urlsign.SignOptions{}
	if r.byStreamTokens() && !s.name(&o) {
		return Signed{URL: l.Base + path}
	}
	if !verbatim {
		expires = expires.Add(-r.validity())
	}
	t := urlsign.Target{Scene: signScene(l.Scene), App: l.Stream.App, Stream: l.Stream.Name, Path: path, Origin: l.Base,
		Host: s.signedHost(r, l.Scene, host)}
	o.Expires = expires
	room := append(make([]byte, 0, 256), l.Base...)
	signed := urlsign.AppendURL(room, r.one[0].scheme, t, key, o)
	if len(signed) == len(room) { // a name that this scheme cannot sign
		signed = append(signed, path...)
	}
	return Signed{URL: string(signed), Scheme: r.one[0].scheme.Name(), Strength: r.one[0].scheme.Strength(), RuleID: r.id, KeyID: key.ID,
		Validity: r.validity()}
}

// ruleToSign finds the rule that the media server's callback will be judged by.
// Where the vhost is not known, that is the one called like the host, if there
// is such a rule: a server with a vhost of that name takes it.
func (s *Service) ruleToSign(scene media.Scene, host string, st media.Stream) (*rule, bool) {
	if st.Vhost != "" {
		return s.ruleFor(scene, host, st)
	}
	st.Vhost = host
	if r, ok := s.ruleFor(scene, host, st); ok && r.name != "" {
		return r, true
	}
	st.Vhost = media.DefaultVhost
	return s.ruleFor(scene, host, st)
}
