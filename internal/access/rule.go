package access

import (
	"context"
	"errors"
	"net/netip"
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
	Options  urlsign.Options
	Strength string // "strong", "compatibility" or "unconfirmed"; see urlsign.Scheme
	Enabled  bool
	// Validity is added to the time in the URL when it is verified.
	Validity  time.Duration
	Takeover  Takeover
	CreatedAt time.Time
	UpdatedAt time.Time
	Keys      []Key
}

// NewRule is the input of CreateRule.
type NewRule struct {
	Domain, Vhost, App string
	Scene              media.Scene
	Scheme             string // empty for DefaultScheme
	Options            urlsign.Options
	Disabled           bool
	Validity           time.Duration
	Takeover           Takeover
	Secret             string // of the first key; empty for a random one
}

var errRuleNotFound = errs.New(errs.NotFound, "rule_not_found", "no such rule")

var ruleConstraints = map[string]*errs.Error{
	"auth_rules_domain_vhost_app_scene_key": errs.New(errs.Conflict, "rule_exists", "a rule for this domain, vhost, app and scene exists"),
	"signing_keys_rule_id_kid_key":          errs.New(errs.Conflict, "key_exists", "a key of this id exists"),
	"signing_keys_rule_id_fkey":             errRuleNotFound,
}

// place is what a rule is for.
type place struct {
	domain, vhost, app string
	scene              media.Scene
	validity           time.Duration
}

func (n *NewRule) validate() error {
	if n.Scheme == "" {
		n.Scheme = DefaultScheme
	}
	if err := (place{n.Domain, n.Vhost, n.App, n.Scene, n.Validity}).validate(); err != nil {
		return err
	}
	n.Domain = strings.ToLower(n.Domain)
	if err := n.Takeover.validate(n.Scene); err != nil {
		return err
	}
	if err := validScheme(n.Scheme, n.Options, n.Scene); err != nil {
		return err
	}
	if urlsign.KeysOf(n.Scheme) == urlsign.ServiceKeys {
		return n.validateTokens()
	}
	return validSecret(n.Scheme, n.Secret)
}

// validateTokens refuses what a rule of stream tokens cannot have: they are
// signed with the service's own keys, and whoever verifies them offline adds
// nothing to the time in them.
func (n *NewRule) validateTokens() error {
	switch {
	case n.Secret != "":
		return errs.InvalidField("secret", n.Scheme+" signs with the key pairs of /.well-known/jwks.json and takes no key")
	case n.Validity != 0:
		return errs.InvalidField("validity", "nothing is added to the time in a token")
	}
	return nil
}

func (p place) validate() error {
	if err := p.validateNames(); err != nil {
		return err
	}
	switch {
	case p.scene != media.Publish && p.scene != media.Play:
		return errs.InvalidField("scene", "scene is publish or play")
	case p.domain != "" && p.vhost != "":
		return errs.InvalidField("vhost", "a rule has a domain or a vhost, not both")
	case p.validity < 0 || p.validity > 10*365*24*time.Hour:
		return errs.InvalidField("validity", "validity is between 0 and ten years")
	}
	return nil
}

// validateNames refuses names that no request could ever have, so that a rule
// does not silently stand for nothing.
func (p place) validateNames() error {
	if p.domain != "" && (!validName(p.domain, false) || hasPort(p.domain)) {
		return errs.InvalidField("domain", "a domain is a host name without port")
	}
	if p.vhost != "" && !validName(p.vhost, false) {
		return errs.InvalidField("vhost", "not a name that a vhost can have")
	}
	if p.app != "" && !validName(p.app, true) {
		return errs.InvalidField("app", "not a name that an application can have")
	}
	return nil
}

// validScheme says whether a scheme with these options can sign and verify the
// URLs of a scene.
func validScheme(name string, o urlsign.Options, scene media.Scene) error {
	scheme, err := urlsign.New(name, o)
	switch {
	case errors.Is(err, urlsign.ErrUnknownScheme):
		return errs.InvalidField("scheme", "scheme is one of "+strings.Join(urlsign.Names(), ", "))
	case errors.Is(err, urlsign.ErrUnconfirmed):
		return errs.InvalidField("scheme", name+": "+err.Error())
	case err != nil:
		return errs.InvalidField("options", err.Error())
	case !urlsign.ServesScene(scheme, signScene(scene)):
		return errs.InvalidField("scheme", name+" is for "+other(scene)+" only")
	case urlsign.NeedsAddress(scheme):
		return errs.InvalidField("options", "URLs are handed out before the address of their client is known, so a rule cannot ask for it")
	}
	return nil
}

func other(scene media.Scene) string {
	if scene == media.Publish {
		return "playing"
	}
	return "publishing"
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
	secret, err := s.secretOr(n.Secret)
	if err != nil {
		return Rule{}, err
	}
	now := s.Now()
	var id int64
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err := s.q.RuleInsert(ctx, tx, db.RuleInsertParams{Domain: n.Domain, Vhost: n.Vhost, App: n.App, Scene: string(n.Scene),
			Scheme: n.Scheme, Options: optionsToRow(n.Options), Enabled: !n.Disabled, ValidSeconds: int32(n.Validity / time.Second),
			Takeover: string(n.Takeover.Policy), TakeoverSeconds: int32(n.Takeover.Window / time.Second), Now: now})
		if err != nil {
			return err
		}
		id = row.ID
		if urlsign.KeysOf(n.Scheme) == urlsign.ServiceKeys {
			return nil
		}
		_, err = s.insertKey(ctx, tx, id, newKey{secret: secret, state: KeyActive}, now)
		return err
	})
	if err != nil {
		return Rule{}, pg.Err(err, ruleConstraints)
	}
	r, err := s.refreshRule(ctx, id)
	if n.Secret == "" && len(r.Keys) == 1 {
		r.Keys[0].Secret = secret
	}
	return r, err
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
			if _, err := s.insertKey(ctx, tx, row.ID, newKey{state: KeyActive}, now); err != nil {
				return err
			}
			made = append(made, row.ID)
		}
		return nil
	})
	if err == nil && len(made) > 0 {
		err = s.applied(ctx, s.DB, rulesTable, made...)
	}
	return pg.Err(err, nil)
}

// SetRuleEnabled switches a rule on or off. Off means that a request without
// credential is admitted; a bad credential is refused all the same. Error:
// NotFound.
func (s *Service) SetRuleEnabled(ctx context.Context, id int64, enabled bool) (Rule, error) {
	return s.ChangeRule(ctx, id, RuleChanges{Enabled: &enabled})
}

// DeleteRule removes a rule and its keys. Whom they admitted is cut off. Error:
// NotFound.
func (s *Service) DeleteRule(ctx context.Context, id int64) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		keys, err := s.q.KeysByRule(ctx, tx, id)
		if err != nil {
			return err
		}
		n, err := s.q.RuleDelete(ctx, tx, id)
		if err == nil && n == 0 {
			return errRuleNotFound
		}
		if err != nil {
			return err
		}
		ids := make([]string, len(keys))
		for i, k := range keys {
			ids[i] = signatureID(id, k.Kid)
		}
		return s.revoked(ctx, tx, BySignature, ids, "rule_deleted", s.Now())
	})
	if err != nil {
		return pg.Err(err, ruleConstraints)
	}
	return s.applied(ctx, s.DB, rulesTable, id)
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
	return withKeys(rows, keys), nil
}

func withKeys(rows []db.AuthRule, keys []db.SigningKey) []Rule {
	rules, at := make([]Rule, len(rows)), make(map[int64]int, len(rows))
	for i, row := range rows {
		rules[i], at[row.ID] = ruleFromRow(row), i
	}
	for _, k := range keys {
		if i, ok := at[k.RuleID]; ok {
			rules[i].Keys = append(rules[i].Keys, keyFromRow(k))
		}
	}
	return rules
}

func (s *Service) refreshRule(ctx context.Context, id int64) (Rule, error) {
	if err := s.applied(ctx, s.DB, rulesTable, id); err != nil {
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

func ruleFromRow(row db.AuthRule) Rule {
	r := Rule{ID: row.ID, Domain: row.Domain, Vhost: row.Vhost, App: row.App, Scene: media.Scene(row.Scene), Scheme: row.Scheme,
		Enabled: row.Enabled, Validity: time.Duration(row.ValidSeconds) * time.Second, Takeover: takeoverOf(row), CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt}
	r.Options, _ = optionsFromRow(row.Options)
	if scheme, err := urlsign.New(row.Scheme, r.Options); err == nil {
		r.Strength = scheme.Strength()
	}
	return r
}
