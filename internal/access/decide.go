package access

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// CredentialKind says what admitted a client.
type CredentialKind string

// The kinds of credential that a session remembers.
const (
	ByLiveToken   CredentialKind = "live_token"
	ByAccessToken CredentialKind = "access_token"
	ByStreamToken CredentialKind = "stream_token"
	BySignature   CredentialKind = "signature"
	ByPassword    CredentialKind = "password"
	ByPolicy      CredentialKind = "policy"
	// Unproven is of a client that runs and is on record although nobody knows by
	// what it came in.
	Unproven CredentialKind = "unknown"
)

// Credential is what admitted a client: enough to find its session again when
// the credential is revoked, and no secret. Of a refusal it is what the client
// brought, as far as that is known.
type Credential struct {
	Kind    CredentialKind
	ID      string // live token id, jti of an access or stream token, "rule id/key id", or a username
	Subject string // username, where the credential belongs to an account
}

// Signature takes the ID of a credential apart that is a signature. The key is
// empty where none of ours made it.
func (c Credential) Signature() (ruleID int64, keyID string, ok bool) {
	rule, key, ok := strings.Cut(c.ID, "/")
	if c.Kind != BySignature || !ok {
		return 0, "", false
	}
	ruleID, err := strconv.ParseInt(rule, 10, 64)
	return ruleID, key, err == nil
}

// Decision answers "may this client publish or play this stream now?".
type Decision struct {
	Allow      bool
	Reason     media.Reason
	Credential Credential
	// Takeover is what the stream's rule says to a publisher whose stream has one
	// already. Who was let in without a credential takes over nothing.
	Takeover Takeover
	keyID    int64
}

const maxNameBytes = 256

func deny(r media.Reason) Decision { return Decision{Reason: r} }

// decide is the order of design: the stream's own state, then each kind of
// credential, then the policy for requests that bring none. The first valid
// credential admits; when none is valid, the first bad one is the reason.
// A recheck asks about a session that was admitted already, which expiry does
// not end.
func (s *Service) decide(now time.Time, e *media.Event, recheck bool, ask holderOf) Decision {
	scene := e.Scene()
	if scene != media.Publish && scene != media.Play {
		return deny(media.WrongScene)
	}
	if !validStream(e.Stream) {
		return deny(media.InvalidStream)
	}
	if e.Stream.Vhost == "" {
		e.Stream.Vhost = media.DefaultVhost
	}
	if s.Banned(now, e.Host, e.Stream) {
		return deny(media.StreamForbidden)
	}
	if scene == media.Publish && s.view.roomClosed(e.Stream.Name) && e.Stream.App == s.App {
		return deny(media.RoomEnded)
	}
	rule, ruled := s.ruleFor(scene, s.clientHost(scene, e.Host), e.Stream)
	byToken := s.byToken(scene, e, ask)
	if byToken.Allow {
		return byToken.under(rule)
	}
	bySignature := s.bySignature(now, scene, e, rule, recheck)
	if bySignature.Allow {
		return bySignature.under(rule)
	}
	if byToken.Reason == media.TokenUnknown && bySignature.Reason != "" && rule.readsToken() {
		return bySignature // the same token, which this rule knows more about
	}
	if byToken.Reason != "" {
		return byToken
	}
	if bySignature.Reason != "" {
		return bySignature
	}
	if s.opens(rule, ruled, e) {
		return Decision{Allow: true, Reason: media.OpenPolicy, Credential: Credential{Kind: ByPolicy}}
	}
	return deny(media.NoCredential)
}

// opens says whether a request without any credential is let in. A rule found
// by the host name that the client itself claims may ask for a signature, but
// only one found by what the server says may waive it. On the default vhost that
// is also one of the name that we hand out in URLs: most servers have no other.
func (s *Service) opens(rule *rule, ruled bool, e *media.Event) bool {
	if !ruled {
		return s.Policy == OpenByDefault
	}
	if rule.enabled {
		return false
	}
	name := rule.name
	if e.Stream.Vhost == media.DefaultVhost && (name == s.PublishHost || name == s.PlayHost) {
		return true
	}
	return name == "" || name == e.Stream.Vhost
}

// validStream refuses names that no URL of ours carries, whatever the
// credential: they would be a second name for the same stream, or a path.
func validStream(st media.Stream) bool {
	return validName(st.App, true) && validName(st.Name, false) && len(st.Vhost) <= maxNameBytes
}

func validName(name string, slashes bool) bool {
	if name == "" || len(name) > maxNameBytes || strings.Contains(name, "..") {
		return false
	}
	if name[0] == '/' || name[len(name)-1] == '/' || strings.Contains(name, "//") {
		return false
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c <= ' ', c == 0x7f, c == '?', c == '#', c == '&', c == '\\', c == '%':
			return false
		case c == '/' && !slashes:
			return false
		}
	}
	return utf8.ValidString(name)
}

// storable reports whether the database can hold and compare these texts, which
// callers look for without knowing what a name is.
func storable(texts ...string) bool {
	for _, t := range texts {
		if !utf8.ValidString(t) || strings.IndexByte(t, 0) >= 0 {
			return false
		}
	}
	return true
}

// clientHost is the host that a rule's domain is compared with. Servers report
// an address, their default vhost or nothing for clients that used no name.
func (s *Service) clientHost(scene media.Scene, host string) string {
	if name := hostName(host); name != "" {
		return name
	}
	if scene == media.Publish {
		return s.PublishHost
	}
	return s.PlayHost
}

// ruleFor finds the rule of a stream on a known vhost. A server that knows only
// the default vhost cannot tell which one its client meant, so there a rule of
// the vhost that is called like the client's host comes first, as it does when a
// URL is signed. The two domains that we hand out lead to one place, and the
// rules of either name are those of both.
func (s *Service) ruleFor(scene media.Scene, host string, st media.Stream) (*rule, bool) {
	switch {
	case st.Vhost != media.DefaultVhost:
		return s.view.ruleFor(scene, host, st)
	case scene == media.Publish && host == s.PublishHost:
		return s.view.ruleFor(scene, host, st, host, s.PlayHost)
	case scene == media.Play && host == s.PlayHost:
		return s.view.ruleFor(scene, host, st, host, s.PublishHost)
	}
	return s.view.ruleFor(scene, host, st, host)
}

// hostName returns a host in lower case if it is a name, and "" otherwise.
func hostName(host string) string {
	if host == "" || host == media.DefaultVhost {
		return ""
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	return strings.ToLower(host)
}

// tokenOf reads the live token or access token of a request. The alias of players counts only
// at their door.
func tokenOf(scene media.Scene, query string) (value string, found, conflict bool) {
	value, found, conflict = urlsign.Param(query, "token")
	if !found && scene == media.Play {
		return urlsign.Param(query, "play_token")
	}
	return value, found, conflict
}

// byToken looks for a live token or an access token in the request.
func (s *Service) byToken(scene media.Scene, e *media.Event, ask holderOf) Decision {
	value, found, conflict := tokenOf(scene, e.Query)
	switch {
	case conflict:
		return deny(media.CredentialConflict)
	case !found:
		return Decision{}
	case isAccessToken(value):
		return byAccessToken(scene, e, value, ask)
	}
	t, ok := s.view.token(hashToken(value), e.Stream.Name)
	c := Credential{Kind: ByLiveToken, Subject: t.username}
	if ok {
		c.ID = strconv.FormatInt(t.id, 10)
	}
	switch {
	case !ok:
		return Decision{Reason: media.TokenUnknown, Credential: c}
	case t.revoked:
		return Decision{Reason: media.TokenRevoked, Credential: c}
	case t.app != e.Stream.App || t.stream != e.Stream.Name:
		return Decision{Reason: media.WrongStream, Credential: c}
	case scene == media.Publish && !t.publish:
		return Decision{Reason: media.WrongScene, Credential: c}
	}
	return Decision{Allow: true, Reason: media.Allowed, Credential: c}
}

var statusReasons = map[urlsign.Status]media.Reason{
	urlsign.Malformed:    media.SignatureMalformed,
	urlsign.Mismatch:     media.SignatureMismatch,
	urlsign.Expired:      media.SignatureExpired,
	urlsign.WrongScene:   media.WrongScene,
	urlsign.WrongAddress: media.WrongAddress,
	urlsign.Repeated:     media.CredentialConflict,
	urlsign.WrongStream:  media.WrongStream,
}

// bySignature looks for a signature under the rule in the request.
func (s *Service) bySignature(now time.Time, scene media.Scene, e *media.Event, r *rule, recheck bool) Decision {
	if r == nil || len(r.groups()) == 0 {
		return Decision{}
	}
	opts := urlsign.VerifyOptions{Now: now, Validity: r.validity(), IgnoreExpiry: recheck}
	t := target(scene, e)
	t.Host = s.signedHost(r, scene, e.Host)
	res, _ := r.verify(e.Query, t, opts)
	if r.byStreamTokens() {
		return s.byStreamToken(e, r, res, t, opts)
	}
	d := Decision{Reason: statusReasons[res.Status]}
	switch {
	case res.Status == urlsign.Absent:
		return Decision{}
	case res.Status == urlsign.Valid:
		d.Allow, d.Reason, d.keyID = true, media.Allowed, r.keyID(res.KeyID)
	case res.KeyID == "":
		if kid, revoked := r.revoked(e.Query, t, opts); revoked {
			d.Reason, res.KeyID = media.KeyRevoked, kid
		}
	}
	d.Credential = Credential{Kind: BySignature, ID: signatureID(r.id, res.KeyID)}
	return d
}

// signedHost is the domain that a signature covers, where its scheme covers
// one: the rule's own, since the rule was chosen by that name, and under a rule
// of any domain the host that the client used, as far as its media server tells.
// That is the client's word: a signature under such a rule ties a URL to the
// name it was made for, not to a server. Signing and verifying both ask here.
func (s *Service) signedHost(r *rule, scene media.Scene, host string) string {
	if domain := r.domain(); domain != "" {
		return domain
	}
	return s.clientHost(scene, host)
}

func target(scene media.Scene, e *media.Event) urlsign.Target {
	addr, _ := netip.ParseAddr(e.Address)
	return urlsign.Target{Scene: signScene(scene), App: e.Stream.App, Stream: e.Stream.Name, Path: pathOf(e), Origin: e.Origin,
		Addr: addr}
}

// pathOf is the path of the URL that the client must have asked for, as far as
// the protocol tells; some schemes sign the extension too.
func pathOf(e *media.Event) string {
	if e.Path != "" {
		return e.Path
	}
	switch e.Protocol {
	case "rtmp", "srt":
		return e.Stream.Path()
	case "http-flv":
		return e.Stream.Path() + ".flv"
	case "hls":
		return e.Stream.Path() + ".m3u8"
	}
	return ""
}

func signScene(s media.Scene) urlsign.Scene {
	if s == media.Publish {
		return urlsign.Publish
	}
	return urlsign.Play
}
