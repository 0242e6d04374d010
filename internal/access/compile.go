package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"
	"unique"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// rule is an auth rule as the decision uses it: small, as there may be many, and
// never changed once others can see it, but for next.
type rule struct {
	name, app string // of the domain or of the vhost
	next      *rule  // of the same hash
	id        int64
	one       [1]keyGroup // nearly always the only one; without a scheme there is none
	ref       keyRef      // of the only key
	more      *several    // instead of both, where there is more

	validSeconds, takeoverSeconds uint32
	takeoverPolicy                uint8 // in takeoverPolicies
	byDomain, publishes           bool
	enabled                       bool
	signs                         bool // with the first key of the first group
}

// several are the groups of a rule, and what is known of their keys in the order
// in which those are in them.
type several struct {
	groups []keyGroup
	refs   []keyRef
}

// keyGroup are the keys of a rule that sign alike.
type keyGroup struct {
	scheme urlsign.Scheme
	keys   []urlsign.Key
	rest   *groupRest // what most have not
}

type groupRest struct {
	tokens  streamTokens // has the keys instead, where they are the service's own
	revoked []urlsign.Key
}

// keyRef is the id of a key and, in the last bits, its state.
type keyRef uint64

var keyStates = [...]KeyState{KeyNext, KeyActive, KeyRetiring, KeyRevoked}

func newKeyRef(id int64, state KeyState) keyRef {
	return keyRef(uint64(id)<<2 | uint64(max(0, slices.Index(keyStates[:], state))))
}

func (k keyRef) id() int64       { return int64(k >> 2) }
func (k keyRef) state() KeyState { return keyStates[k&3] }

var takeoverPolicies = [...]TakeoverPolicy{TakeoverReject, TakeoverReplace, TakeoverResume}

func (r *rule) scene() media.Scene {
	if r.publishes {
		return media.Publish
	}
	return media.Play
}

func (r *rule) domain() string {
	if r.byDomain {
		return r.name
	}
	return ""
}

func (r *rule) vhost() string {
	if r.byDomain {
		return ""
	}
	return r.name
}

func (r *rule) key() ruleKey {
	return ruleKey{domain: r.domain(), vhost: r.vhost(), app: r.app, scene: r.scene()}
}

func (r *rule) validity() time.Duration { return time.Duration(r.validSeconds) * time.Second }

func (r *rule) takeover() Takeover {
	return Takeover{Policy: takeoverPolicies[r.takeoverPolicy], Window: time.Duration(r.takeoverSeconds) * time.Second}
}

func (r *rule) groups() []keyGroup {
	switch {
	case r.more != nil:
		return r.more.groups
	case r.one[0].scheme == nil:
		return nil
	}
	return r.one[:]
}

func (r *rule) setGroups(groups []keyGroup, refs []keyRef) {
	if len(groups) > 0 {
		r.one[0] = groups[0]
	}
	if len(refs) > 0 {
		r.ref = refs[0]
	}
	if len(groups) > 1 || len(refs) > 1 {
		r.more = &several{groups, refs}
	}
}

func (r *rule) refOf(n int) keyRef {
	if r.more != nil {
		return r.more.refs[n]
	}
	return r.ref
}

// ruleKeyState is a key of a rule, without its secret.
type ruleKeyState struct {
	kid   string
	id    int64
	state KeyState
	group *keyGroup
}

// keys are those that the rule has itself.
func (r *rule) keys() iter.Seq[ruleKeyState] {
	return func(yield func(ruleKeyState) bool) {
		groups, n := r.groups(), 0
		for i := range groups {
			for _, keys := range [...][]urlsign.Key{groups[i].keys, groups[i].revoked()} {
				for j := range keys {
					if !yield(ruleKeyState{keys[j].ID, r.refOf(n).id(), r.refOf(n).state(), &groups[i]}) {
						return
					}
					n++
				}
			}
		}
	}
}

// ranks says which status of several schemes is told: the one that knows most
// about the request.
var ranks = [...]int{urlsign.Absent: 0, urlsign.Repeated: 1, urlsign.Malformed: 2, urlsign.Mismatch: 3,
	urlsign.WrongStream: 4, urlsign.WrongScene: 5, urlsign.WrongAddress: 6, urlsign.Expired: 7, urlsign.Valid: 8}

// verify tries the keys of every scheme; none of them is spared by a match. The
// group is that of the scheme whose answer it is, nil where no scheme found its
// parameter.
func (r *rule) verify(query string, t urlsign.Target, o urlsign.VerifyOptions) (best urlsign.Result, of *keyGroup) {
	groups := r.groups()
	for i := range groups {
		g := &groups[i]
		if res := g.scheme.Verify(query, t, g.verifying(), o); ranks[res.Status] > ranks[best.Status] {
			best, of = res, g
		}
	}
	return best, of
}

// readsToken reports whether what is in "token" may be a signature.
func (r *rule) readsToken() bool {
	return slices.ContainsFunc(r.groups(), func(g keyGroup) bool { return urlsign.ReadsToken(g.scheme) })
}

// revoked says which key that is revoked has made the signature, if one has.
func (r *rule) revoked(query string, t urlsign.Target, o urlsign.VerifyOptions) (kid string, ok bool) {
	groups := r.groups()
	for i := range groups {
		g := &groups[i]
		if len(g.revoked()) == 0 {
			continue
		}
		if res := g.scheme.Verify(query, t, g.revoked(), o); res.Status == urlsign.Valid {
			return res.KeyID, true
		}
	}
	return "", false
}

func (r *rule) keyID(kid string) int64 {
	for k := range r.keys() {
		if k.kid == kid {
			return k.id
		}
	}
	return 0
}

// compile turns rows into what the decision uses. The active key comes first,
// so that the usual request matches at once.
func (s *Service) compile(row db.AuthRule, keys []db.SigningKey) (*rule, error) {
	takeover := takeoverOf(row)
	r := &rule{name: row.Domain + row.Vhost, byDomain: row.Domain != "", app: unique.Make(row.App).Value(), publishes: row.Scene == string(media.Publish),
		id: row.ID, enabled: row.Enabled, validSeconds: uint32(row.ValidSeconds), takeoverSeconds: uint32(takeover.Window / time.Second),
		takeoverPolicy: uint8(max(0, slices.Index(takeoverPolicies[:], takeover.Policy)))}
	own := s.methods.get(row.Scheme, row.Options)
	if own.err != nil {
		s.unknownScheme(r, row.Scheme, own.err)
	}
	if own.err == nil && urlsign.KeysOf(own.name) == urlsign.ServiceKeys {
		s.serviceKeys(r, own.scheme)
		return r, nil
	}
	c := compiler{rule: r, groups: make([]keyGroup, 0, 1), kinds: make([]kind, 0, 1)}
	for _, k := range activeFirst(keys) {
		secret, err := s.Box.Open(k.SecretSealed, keyPurpose(row.ID, k.Kid))
		if err != nil {
			return nil, fmt.Errorf("rule %d key %s: %w", row.ID, k.Kid, err)
		}
		of := own
		if k.Scheme != "" {
			of = s.methods.get(k.Scheme, k.Options)
		}
		if err := c.add(k, of, secret); err != nil {
			s.unknownScheme(r, of.name, err)
		}
	}
	c.finish(keys)
	return r, nil
}

// unknownScheme notes a scheme or option of a newer release: it admits nobody
// here, and stops nothing else. Such a rule counts as switched on, because what
// it would refuse cannot be told from a request without credential.
func (s *Service) unknownScheme(r *rule, scheme string, err error) {
	s.Log.Warn("rule of an unknown scheme", "rule", r.id, "scheme", scheme, "error", err)
	r.enabled = true
}

// compiler sorts keys into the groups of a rule.
type compiler struct {
	rule   *rule
	groups []keyGroup
	kinds  []kind // of groups
}

func (c *compiler) add(k db.SigningKey, of method, secret []byte) error {
	if of.err != nil {
		return of.err
	}
	key, err := urlsign.NewKey(of.name, k.Kid, secret)
	if err != nil {
		return err
	}
	g := c.group(of)
	if KeyState(k.State) == KeyRevoked {
		if g.rest == nil {
			g.rest = &groupRest{}
		}
		g.rest.revoked = append(g.rest.revoked, key)
		return nil
	}
	if KeyState(k.State) == KeyActive { // the first one that is added
		c.rule.signs = true
	}
	g.keys = append(g.keys, key)
	return nil
}

func (c *compiler) group(of method) *keyGroup {
	i := slices.IndexFunc(c.kinds, of.same)
	if i < 0 {
		i = len(c.kinds)
		c.kinds = append(c.kinds, of.kind)
		c.groups = append(c.groups, keyGroup{scheme: of.scheme})
	}
	return &c.groups[i]
}

// finish completes the rule when all keys are added.
func (c *compiler) finish(keys []db.SigningKey) {
	var refs []keyRef
	for i := range c.groups {
		for _, of := range [...][]urlsign.Key{c.groups[i].keys, c.groups[i].revoked()} {
			for _, key := range of {
				n := slices.IndexFunc(keys, func(k db.SigningKey) bool { return k.Kid == key.ID })
				refs = append(refs, newKeyRef(keys[n].ID, KeyState(keys[n].State)))
			}
		}
	}
	c.rule.setGroups(c.groups, refs)
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
