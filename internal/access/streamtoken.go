package access

import (
	"encoding/hex"
	"io"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// streamTokens has the key pairs that the service publishes: the first one
// signs, all verify.
type streamTokens interface {
	URLKeys() []urlsign.Key
	StreamTokenRevoked(id string) bool
}

// noTokens has none.
type noTokens struct{}

func (noTokens) URLKeys() []urlsign.Key         { return nil }
func (noTokens) StreamTokenRevoked(string) bool { return false }

// tokenLeeway back-dates the beginning of a stream token: the servers that
// verify it have clocks of their own and allow nothing.
const tokenLeeway = 30 * time.Second

// serviceKeys puts a rule under the service's own key pairs.
func (s *Service) serviceKeys(r *rule, scheme urlsign.Scheme) {
	r.setGroups([]keyGroup{{scheme: scheme, rest: &groupRest{tokens: s.StreamTokens}}}, nil)
}

// signingKey is the key that signs under a rule, if there is one.
func (r *rule) signingKey() (urlsign.Key, bool) {
	switch {
	case r.signs:
		return r.one[0].keys[0], true
	case !r.byStreamTokens():
		return urlsign.Key{}, false
	}
	keys := r.one[0].verifying()
	if len(keys) == 0 {
		return urlsign.Key{}, false
	}
	return keys[0], true
}

// verifying are the keys that verify in a group.
func (g *keyGroup) verifying() []urlsign.Key {
	if g.rest != nil && g.rest.tokens != nil {
		return g.rest.tokens.URLKeys()
	}
	return g.keys
}

// revoked keys only tell a revoked URL from a forged one.
func (g *keyGroup) revoked() []urlsign.Key {
	if g.rest == nil {
		return nil
	}
	return g.rest.revoked
}

// byStreamTokens reports whether the rule's signatures are tokens of the service.
func (r *rule) byStreamTokens() bool {
	return r != nil && r.one[0].rest != nil && r.one[0].rest.tokens != nil
}

// name makes a signature that can be revoked on its own.
func (s *Service) name(o *urlsign.SignOptions) bool {
	var raw [16]byte
	if _, err := io.ReadFull(s.Rand, raw[:]); err != nil {
		s.Log.Error("no randomness for a token id", "error", err)
		return false
	}
	o.TokenID, o.NotBefore = hex.EncodeToString(raw[:]), s.Now().Add(-tokenLeeway)
	return true
}

// carried are the texts in which an event may carry a token beside its query:
// HTTP players send one as a bearer token or password.
func carried(e *media.Event) (query string, ok bool) {
	for _, value := range []string{e.Bearer, e.Password} {
		if isAccessToken(value) {
			return "token=" + value, true
		}
	}
	return "", false
}

// byStreamToken finishes a verdict under a rule of stream tokens: res is what the
// query has, and what else the client carries is looked at where that is nothing.
func (s *Service) byStreamToken(e *media.Event, r *rule, res urlsign.Result, t urlsign.Target, o urlsign.VerifyOptions) Decision {
	if query, ok := carried(e); ok && res.Status == urlsign.Absent {
		res, _ = r.verify(query, t, o)
	}
	d := Decision{Reason: statusReasons[res.Status], Credential: Credential{Kind: ByStreamToken, ID: res.TokenID}}
	switch {
	case res.Status == urlsign.Absent:
		return Decision{}
	case res.TokenID != "" && s.StreamTokens.StreamTokenRevoked(res.TokenID):
		d.Reason = media.TokenRevoked
	case res.Status == urlsign.Expired:
		d.Reason = media.TokenExpired
	case res.Status == urlsign.Valid:
		d.Allow, d.Reason = true, media.Allowed
	}
	return d
}
