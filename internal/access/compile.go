package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// rule is an auth rule as the decision uses it.
type rule struct {
	ruleKey
	id         int64
	idText     string
	enabled    bool
	validity   time.Duration
	takeover   Takeover
	signScheme urlsign.Scheme // nil, as is signKey, without an active key
	signKey    *urlsign.Key
	groups     []keyGroup // nearly always one
	ids        []keyRef
}

// keyGroup are the keys of a rule that sign alike.
type keyGroup struct {
	scheme urlsign.Scheme
	keys   []urlsign.Key
	tokens streamTokens // has the keys instead, where they are the service's own
	// revoked keys only tell a revoked URL from a forged one.
	revoked []urlsign.Key
}

type keyRef struct {
	kid   string
	id    int64
	state KeyState
}

// ranks says which status of several schemes is told: the one that knows most
// about the request.
var ranks = [...]int{urlsign.Absent: 0, urlsign.Repeated: 1, urlsign.Malformed: 2, urlsign.Mismatch: 3,
	urlsign.WrongStream: 4, urlsign.WrongScene: 5, urlsign.WrongAddress: 6, urlsign.Expired: 7, urlsign.Valid: 8}

// verify tries the keys of every scheme; none of them is spared by a match. The
// group is that of the scheme whose answer it is, nil where no scheme found its
// parameter.
func (r *rule) verify(query string, t urlsign.Target, o urlsign.VerifyOptions) (best urlsign.Result, of *keyGroup) {
	for i := range r.groups {
		g := &r.groups[i]
		if res := g.scheme.Verify(query, t, g.verifying(), o); ranks[res.Status] > ranks[best.Status] {
			best, of = res, g
		}
	}
	return best, of
}

// readsToken reports whether what is in "token" may be a signature.
func (r *rule) readsToken() bool {
	return slices.ContainsFunc(r.groups, func(g keyGroup) bool { return urlsign.ReadsToken(g.scheme) })
}

// revoked says which key that is revoked has made the signature, if one has.
func (r *rule) revoked(query string, t urlsign.Target, o urlsign.VerifyOptions) (kid string, ok bool) {
	for i := range r.groups {
		g := &r.groups[i]
		if len(g.revoked) == 0 {
			continue
		}
		if res := g.scheme.Verify(query, t, g.revoked, o); res.Status == urlsign.Valid {
			return res.KeyID, true
		}
	}
	return "", false
}

func (r *rule) keyID(kid string) int64 {
	for _, ref := range r.ids {
		if ref.kid == kid {
			return ref.id
		}
	}
	return 0
}

func keyOf(row db.AuthRule) ruleKey {
	return ruleKey{domain: row.Domain, vhost: row.Vhost, app: row.App, scene: media.Scene(row.Scene)}
}

// compile turns rows into what the decision uses. The active key comes first,
// so that the usual request matches at once.
func (s *Service) compile(row db.AuthRule, keys []db.SigningKey) (*rule, error) {
	r := &rule{ruleKey: keyOf(row), id: row.ID, idText: strconv.FormatInt(row.ID, 10), enabled: row.Enabled,
		validity: time.Duration(row.ValidSeconds) * time.Second, takeover: takeoverOf(row)}
	own, ownErr := kindOf(row.Scheme, row.Options)
	if ownErr == nil {
		_, ownErr = urlsign.New(own.scheme, own.options)
	}
	if ownErr != nil {
		s.unknownScheme(r, row.Scheme, ownErr)
	}
	if ownErr == nil && urlsign.KeysOf(own.scheme) == urlsign.ServiceKeys {
		return r, s.serviceKeys(r, own)
	}
	c := compiler{rule: r, kinds: make([]kind, 0, 1)}
	for _, k := range activeFirst(keys) {
		secret, err := s.Box.Open(k.SecretSealed, keyPurpose(row.ID, k.Kid))
		if err != nil {
			return nil, fmt.Errorf("rule %d key %s: %w", row.ID, k.Kid, err)
		}
		of, err := own, ownErr
		if k.Scheme != "" {
			of, err = kindOf(k.Scheme, k.Options)
		}
		if err == nil {
			err = c.add(k, of, secret)
		}
		if err != nil {
			s.unknownScheme(r, of.scheme, err)
		}
	}
	if r.signScheme != nil {
		r.signKey = &r.groups[0].keys[0]
	}
	return r, nil
}

// unknownScheme notes a scheme or option of a newer release: it admits nobody
// here, and stops nothing else. Such a rule counts as switched on, because what
// it would refuse cannot be told from a request without credential.
func (s *Service) unknownScheme(r *rule, scheme string, err error) {
	s.Log.Warn("rule of an unknown scheme", "rule", r.id, "scheme", scheme, "error", err)
	r.enabled = true
}

// kind is a way to sign.
type kind struct {
	scheme  string
	options urlsign.Options
}

func kindOf(scheme string, options []byte) (kind, error) {
	o, err := optionsFromRow(options)
	return kind{scheme, o}, err
}

// compiler sorts keys into the groups of a rule.
type compiler struct {
	rule  *rule
	kinds []kind // of rule.groups
}

func (c *compiler) add(k db.SigningKey, of kind, secret []byte) error {
	g, err := c.group(of)
	if err != nil {
		return err
	}
	key, err := urlsign.NewKey(of.scheme, k.Kid, secret)
	if err != nil {
		return err
	}
	r := c.rule
	r.ids = append(r.ids, keyRef{k.Kid, k.ID, KeyState(k.State)})
	switch KeyState(k.State) {
	case KeyRevoked:
		g.revoked = append(g.revoked, key)
		return nil
	case KeyActive: // the first one that is added
		r.signScheme = g.scheme
	}
	g.keys = append(g.keys, key)
	return nil
}

func (c *compiler) group(of kind) (*keyGroup, error) {
	i := slices.IndexFunc(c.kinds, func(k kind) bool { return k.scheme == of.scheme && k.options.Equal(of.options) })
	if i >= 0 {
		return &c.rule.groups[i], nil
	}
	scheme, err := urlsign.New(of.scheme, of.options)
	if err != nil {
		return nil, err
	}
	c.kinds = append(c.kinds, of)
	c.rule.groups = append(c.rule.groups, keyGroup{scheme: scheme})
	return &c.rule.groups[len(c.rule.groups)-1], nil
}

// activeFirst returns the keys in their order, but for the active one.
func activeFirst(keys []db.SigningKey) []db.SigningKey {
	i := slices.IndexFunc(keys, func(k db.SigningKey) bool { return k.State == string(KeyActive) })
	if i <= 0 {
		return keys
	}
	return slices.Concat(keys[i:i+1], keys[:i], keys[i+1:])
}

// optionsToRow writes options as the database keeps them.
func optionsToRow(o urlsign.Options) []byte {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}

// optionsFromRow fails for what only a newer release can have written.
func optionsFromRow(text []byte) (o urlsign.Options, err error) {
	if len(text) == 0 || string(text) == "{}" {
		return o, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&o)
	return o, err
}
