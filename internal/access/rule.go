package access

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// DefaultScheme signs the URLs of new rules.
const DefaultScheme = "stagedoor"

// Rule says how URLs of one (domain or vhost, app, scene) are signed and
// verified. Empty Domain, Vhost or App means any.
type Rule struct {
	ID       int64
	Domain   string
	Vhost    string
	App      string
	Scene    media.Scene
	Scheme   string
	Strength string // "strong" or "compatibility"
	Enabled  bool
	// Validity is added to the time in the URL when it is verified.
	Validity  time.Duration
	CreatedAt time.Time
	UpdatedAt time.Time
	Keys      []Key
}

// NewRule is the input of CreateRule.
type NewRule struct {
	Domain, Vhost, App string
	Scene              media.Scene
	Scheme             string // empty for DefaultScheme
	Disabled           bool
	Validity           time.Duration
	Secret             string // of the first key; empty for a random one
}

var errRuleNotFound = errs.New(errs.NotFound, "rule_not_found", "no such rule")

var ruleConstraints = map[string]*errs.Error{
	"auth_rules_domain_vhost_app_scene_key": errs.New(errs.Conflict, "rule_exists", "a rule for this domain, vhost, app and scene exists"),
	"signing_keys_rule_id_kid_key":          errs.New(errs.Conflict, "key_exists", "a key of this id exists"),
	"signing_keys_rule_id_fkey":             errRuleNotFound,
}

func (n *NewRule) validate() error {
	if n.Scheme == "" {
		n.Scheme = DefaultScheme
	}
	n.Domain = strings.ToLower(n.Domain)
	if err := n.validateNames(); err != nil {
		return err
	}
	switch {
	case n.Scene != media.Publish && n.Scene != media.Play:
		return errs.InvalidField("scene", "scene is publish or play")
	case n.Domain != "" && n.Vhost != "":
		return errs.InvalidField("vhost", "a rule has a domain or a vhost, not both")
	case n.Validity < 0 || n.Validity > 10*365*24*time.Hour:
		return errs.InvalidField("validity", "validity is between 0 and ten years")
	}
	if _, ok := urlsign.Lookup(n.Scheme); !ok {
		return errs.InvalidField("scheme", "scheme is one of "+strings.Join(urlsign.Names(), ", "))
	}
	return validSecret(n.Secret)
}

// validateNames refuses names that no request could ever have, so that a rule
// does not silently stand for nothing.
func (n *NewRule) validateNames() error {
	if n.Domain != "" && (!validName(n.Domain, false) || hasPort(n.Domain)) {
		return errs.InvalidField("domain", "a domain is a host name without port")
	}
	if n.Vhost != "" && !validName(n.Vhost, false) {
		return errs.InvalidField("vhost", "not a name that a vhost can have")
	}
	if n.App != "" && !validName(n.App, true) {
		return errs.InvalidField("app", "not a name that an application can have")
	}
	return nil
}

func hasPort(host string) bool {
	if !strings.Contains(host, ":") {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil
}

// CreateRule adds a rule with one active key. Errors: Invalid, Conflict.
func (s *Service) CreateRule(ctx context.Context, n NewRule) (Rule, error) {
	if err := n.validate(); err != nil {
		return Rule{}, err
	}
	now := s.Now()
	var id int64
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err := s.q.RuleInsert(ctx, tx, db.RuleInsertParams{Domain: n.Domain, Vhost: n.Vhost, App: n.App, Scene: string(n.Scene),
			Scheme: n.Scheme, Enabled: !n.Disabled, ValidSeconds: int32(n.Validity / time.Second), Now: now})
		if err != nil {
			return err
		}
		id = row.ID
		_, err = s.insertKey(ctx, tx, id, n.Secret, KeyActive, now)
		return err
	})
	if err != nil {
		return Rule{}, pg.Err(err, ruleConstraints)
	}
	return s.refreshRule(ctx, id)
}

// EnsureDefaults creates the rules of an empty database: every URL is signed
// with our own scheme, one rule for publishing and one for playing.
func (s *Service) EnsureDefaults(ctx context.Context) error {
	n, err := s.q.RuleCount(ctx, s.DB)
	if err != nil || n > 0 {
		return pg.Err(err, nil)
	}
	now := s.Now()
	var made []int64
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		for _, scene := range []media.Scene{media.Publish, media.Play} {
			row, err := s.q.RuleInsertDefault(ctx, tx, db.RuleInsertDefaultParams{Scene: string(scene), Scheme: DefaultScheme, Now: now})
			if noRows(err) { // another process was first
				continue
			}
			if err != nil {
				return err
			}
			if _, err := s.insertKey(ctx, tx, row.ID, "", KeyActive, now); err != nil {
				return err
			}
			made = append(made, row.ID)
		}
		return nil
	})
	for _, id := range made {
		if err == nil {
			err = s.applyRule(ctx, s.DB, id)
		}
	}
	return pg.Err(err, nil)
}

// SetRuleEnabled switches a rule on or off. Off means that a request without
// credential is admitted; a bad credential is refused all the same. Error:
// NotFound.
func (s *Service) SetRuleEnabled(ctx context.Context, id int64, enabled bool) (Rule, error) {
	_, err := s.q.RuleSetEnabled(ctx, s.DB, db.RuleSetEnabledParams{ID: id, Enabled: enabled, Now: s.Now()})
	if noRows(err) {
		return Rule{}, errRuleNotFound
	}
	if err != nil {
		return Rule{}, pg.Err(err, ruleConstraints)
	}
	return s.refreshRule(ctx, id)
}

// DeleteRule removes a rule and its keys. Error: NotFound.
func (s *Service) DeleteRule(ctx context.Context, id int64) error {
	n, err := s.q.RuleDelete(ctx, s.DB, id)
	if err == nil && n == 0 {
		return errRuleNotFound
	}
	if err != nil {
		return pg.Err(err, ruleConstraints)
	}
	return s.applyRule(ctx, s.DB, id)
}

// Rules lists all rules with their keys, oldest first.
func (s *Service) Rules(ctx context.Context) ([]Rule, error) {
	rows, err := s.q.RuleList(ctx, s.DB)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	keys, err := s.q.KeyList(ctx, s.DB)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	rules := make([]Rule, len(rows))
	for i, row := range rows {
		rules[i] = ruleFromRow(row)
		for _, k := range keys {
			if k.RuleID == row.ID {
				rules[i].Keys = append(rules[i].Keys, keyFromRow(k))
			}
		}
	}
	return rules, nil
}

func (s *Service) refreshRule(ctx context.Context, id int64) (Rule, error) {
	if err := s.applyRule(ctx, s.DB, id); err != nil {
		return Rule{}, pg.Err(err, nil)
	}
	row, err := s.q.RuleByID(ctx, s.DB, id)
	if err != nil {
		return Rule{}, pg.Err(err, nil)
	}
	keys, err := s.q.KeysByRule(ctx, s.DB, id)
	if err != nil {
		return Rule{}, pg.Err(err, nil)
	}
	r := ruleFromRow(row)
	for _, k := range keys {
		r.Keys = append(r.Keys, keyFromRow(k))
	}
	return r, nil
}

func keyOf(row db.AuthRule) ruleKey {
	return ruleKey{domain: row.Domain, vhost: row.Vhost, app: row.App, scene: media.Scene(row.Scene)}
}

// compile turns rows into what the decision uses. The active key comes first,
// so that the usual request matches at once.
func (s *Service) compile(row db.AuthRule, keys []db.SigningKey) (*rule, error) {
	r := &rule{id: row.ID, idText: strconv.FormatInt(row.ID, 10), domain: row.Domain, vhost: row.Vhost, enabled: row.Enabled,
		validity: time.Duration(row.ValidSeconds) * time.Second, keyIDs: map[string]int64{}}
	scheme, ok := urlsign.Lookup(row.Scheme)
	if !ok { // of a newer release: it admits nobody here, and stops nothing else
		s.Log.Warn("rule of an unknown scheme", "rule", row.ID, "scheme", row.Scheme)
		r.enabled = true
		return r, nil
	}
	r.scheme = scheme
	for _, k := range keys {
		secret, err := s.Box.Open(k.SecretSealed, keyPurpose(row.ID, k.Kid))
		if err != nil {
			return nil, fmt.Errorf("rule %d key %s: %w", row.ID, k.Kid, err)
		}
		key := urlsign.Key{ID: k.Kid, Secret: secret}
		r.keyIDs[k.Kid] = k.ID
		r.addKey(key, KeyState(k.State))
	}
	return r, nil
}

func (r *rule) addKey(key urlsign.Key, state KeyState) {
	switch state {
	case KeyRevoked:
		r.revokedKeys = append(r.revokedKeys, key)
	case KeyActive:
		r.signKey = &key
		r.verifyKeys = append([]urlsign.Key{key}, r.verifyKeys...)
	default:
		r.verifyKeys = append(r.verifyKeys, key)
	}
}

func ruleFromRow(row db.AuthRule) Rule {
	r := Rule{ID: row.ID, Domain: row.Domain, Vhost: row.Vhost, App: row.App, Scene: media.Scene(row.Scene), Scheme: row.Scheme,
		Enabled: row.Enabled, Validity: time.Duration(row.ValidSeconds) * time.Second, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt}
	if scheme, ok := urlsign.Lookup(row.Scheme); ok {
		r.Strength = scheme.Strength()
	}
	return r
}
