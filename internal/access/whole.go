package access

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// WholeRule is a rule with everything in it, as cloud APIs write it: what is not
// in it is not in the rule afterwards.
type WholeRule struct {
	Domain, Vhost, App string
	Scene              media.Scene
	Enabled            *bool // nil: as it was; a new rule is off
	Validity           time.Duration
	TimeBase           int // of keys whose options name none; 0 is 10
	Keys               []WholeKey
}

// WholeKey is a key with its secret and the way it signs.
type WholeKey struct {
	Secret  string
	Scheme  string // empty for DefaultScheme
	Options urlsign.Options
}

func (in *WholeRule) validate() error {
	if err := (place{in.Domain, in.Vhost, in.App, in.Scene, in.Validity}).validate(); err != nil {
		return err
	}
	in.Domain = strings.ToLower(in.Domain)
	if len(in.Keys) == 0 || len(in.Keys) > maxKeys {
		return errs.InvalidField("keys", fmt.Sprintf("a rule is written with 1 to %d keys", maxKeys))
	}
	keys := make([]WholeKey, len(in.Keys)) // the caller's stay as they are
	for i, k := range in.Keys {
		if k.Scheme == "" {
			k.Scheme = DefaultScheme
		}
		if k.Options.TimeBase == 0 && in.TimeBase != 10 {
			k.Options.TimeBase = in.TimeBase
		}
		if k.Secret == "" {
			return errs.InvalidField("secret", "a key has a secret")
		}
		if err := validScheme(k.Scheme, k.Options, in.Scene); err != nil {
			return err
		}
		if urlsign.KeysOf(k.Scheme) == urlsign.ServiceKeys {
			return errServiceKeys
		}
		if err := validSecret(k.Scheme, k.Secret); err != nil {
			return err
		}
		keys[i] = k
	}
	in.Keys = keys
	return nil
}

// WriteRule makes the rule of a place and scene what in says, whether there was
// one or not. The first key signs, all verify. Keys that are not in it any more
// are revoked, so that their URLs are refused as such; a secret that is in it
// again keeps its key id. Error: Invalid.
func (s *Service) WriteRule(ctx context.Context, in WholeRule) (Rule, error) {
	if err := in.validate(); err != nil {
		return Rule{}, err
	}
	now := s.Now()
	var id int64
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		before, err := s.q.RuleFind(ctx, tx, db.RuleFindParams{Domain: &in.Domain, Vhost: &in.Vhost, App: &in.App, Scene: string(in.Scene), RowLimit: 1})
		if err != nil {
			return err
		}
		row, err := s.q.RuleWrite(ctx, tx, db.RuleWriteParams{Domain: in.Domain, Vhost: in.Vhost, App: in.App, Scene: string(in.Scene),
			Scheme: in.Keys[0].Scheme, Options: optionsToRow(in.Keys[0].Options), Enabled: in.Enabled,
			ValidSeconds: int32(in.Validity / time.Second), Now: now})
		if err != nil {
			return err
		}
		id = row.ID
		return s.writeKeys(ctx, tx, append(before, row)[0], in.Keys, now)
	})
	if err != nil {
		return Rule{}, pg.Err(err, ruleConstraints)
	}
	return s.refreshRule(ctx, id)
}

// writeKeys makes the live keys of a rule, given as it was, these. The caller
// holds the rule's row.
func (s *Service) writeKeys(ctx context.Context, tx pgx.Tx, rule db.AuthRule, keys []WholeKey, now time.Time) error {
	live, err := s.q.KeysByRules(ctx, tx, []int64{rule.ID})
	if err != nil {
		return err
	}
	kept, gone, altered, err := s.matchKeys(rule, live, keys)
	if err != nil {
		return err
	}
	if err := s.revokeKeys(ctx, tx, rule.ID, gone, now); err != nil {
		return err
	}
	if err := s.changed(ctx, tx, altered, now); err != nil {
		return err
	}
	// One key at a time is active: the one that was makes room, unless it is the first.
	if first := kept[0]; first == nil || KeyState(first.State) != KeyActive {
		if err := s.q.KeyRetireActive(ctx, tx, db.KeyRetireActiveParams{Now: now, RuleID: rule.ID}); err != nil {
			return err
		}
	}
	for i, k := range keys {
		if err := s.writeKey(ctx, tx, rule.ID, kept[i], k, i, now); err != nil {
			return err
		}
	}
	return s.q.KeysForgetRevoked(ctx, tx, db.KeysForgetRevokedParams{RuleID: rule.ID, Kept: maxKeys})
}

func (s *Service) revokeKeys(ctx context.Context, tx pgx.Tx, ruleID int64, gone []db.SigningKey, now time.Time) error {
	rows, ids := make([]int64, len(gone)), make([]string, len(gone))
	for i, k := range gone {
		rows[i], ids[i] = k.ID, signatureID(ruleID, k.Kid)
	}
	if err := s.q.KeysRevoke(ctx, tx, db.KeysRevokeParams{Now: now, Ids: rows}); err != nil {
		return err
	}
	return s.revoked(ctx, tx, BySignature, ids, "key_revoked", now)
}

// writeKey updates the row of a key, or makes one for a new key.
func (s *Service) writeKey(ctx context.Context, tx pgx.Tx, ruleID int64, row *db.SigningKey, k WholeKey, position int, now time.Time) error {
	state := KeyNext
	switch {
	case position == 0:
		state = KeyActive
	case row != nil && KeyState(row.State) != KeyActive:
		state = KeyState(row.State)
	case row != nil:
		state = KeyRetiring
	}
	if row == nil {
		_, err := s.insertKey(ctx, tx, ruleID, newKey{secret: k.Secret, state: state, scheme: k.Scheme, options: k.Options, position: position}, now)
		return err
	}
	return s.q.KeyKeep(ctx, tx, db.KeyKeepParams{ID: row.ID, State: string(state), Scheme: k.Scheme, Options: optionsToRow(k.Options),
		Position: int32(position), Now: now})
}

// matchKeys finds the row of each key that is there already: first those that
// stay as they are, then those of the same secret, which are altered. Gone are
// the rest.
func (s *Service) matchKeys(rule db.AuthRule, live []db.SigningKey, keys []WholeKey) (kept []*db.SigningKey, gone []db.SigningKey, altered []string, err error) {
	there := make([]WholeKey, len(live))
	for i, row := range live {
		if there[i], err = s.reveal(rule, row); err != nil {
			return nil, nil, nil, err
		}
	}
	kept, taken := make([]*db.SigningKey, len(keys)), make([]bool, len(live))
	for _, exact := range []bool{true, false} {
		for i, k := range keys {
			for j := range live {
				if kept[i] != nil || taken[j] || there[j].Secret != k.Secret || exact && !there[j].like(k) {
					continue
				}
				kept[i], taken[j] = &live[j], true
				if !exact {
					altered = append(altered, signatureID(rule.ID, live[j].Kid))
				}
			}
		}
	}
	for j, row := range live {
		if !taken[j] {
			gone = append(gone, row)
		}
	}
	return kept, gone, altered, nil
}

func (k WholeKey) like(o WholeKey) bool { return k.Scheme == o.Scheme && k.Options.Equal(o.Options) }

// reveal opens one key. Its way to sign is the rule's unless it has one.
func (s *Service) reveal(rule db.AuthRule, row db.SigningKey) (WholeKey, error) {
	secret, err := s.Box.Open(row.SecretSealed, keyPurpose(row.RuleID, row.Kid))
	if err != nil {
		return WholeKey{}, fmt.Errorf("rule %d key %s: %w", row.RuleID, row.Kid, err)
	}
	of, err := kindOf(rule.Scheme, rule.Options)
	if row.Scheme != "" {
		of, err = kindOf(row.Scheme, row.Options)
	}
	return WholeKey{Secret: string(secret), Scheme: of.name, Options: of.options}, err
}

// EnableRule switches the rule of a place and scene on or off; see
// SetRuleEnabled. Error: NotFound.
func (s *Service) EnableRule(ctx context.Context, domain, vhost, app string, scene media.Scene, on bool) (Rule, error) {
	if !storable(domain, vhost, app) {
		return Rule{}, errRuleNotFound
	}
	id, err := s.q.RuleEnable(ctx, s.DB, db.RuleEnableParams{Enabled: on, Now: s.Now(), Domain: strings.ToLower(domain), Vhost: vhost, App: app,
		Scene: string(scene)})
	if noRows(err) {
		return Rule{}, errRuleNotFound
	}
	if err != nil {
		return Rule{}, pg.Err(err, nil)
	}
	return s.refreshRule(ctx, id)
}

// RuleFilter chooses rules. A nil field chooses any, an empty one those that
// stand for any; an empty Scene chooses both.
type RuleFilter struct {
	Domain, Vhost, App *string
	Scene              media.Scene
}

// RevealedRule is a rule with its secrets, for those who may see them.
type RevealedRule struct {
	Rule                // with the keys below, without their secrets
	TimeBase int        // of the first key
	Keys     []WholeKey // those that are not revoked; the first one signs
}

// maxRulesRevealed bounds a list that is not paged.
const maxRulesRevealed = 1000

// RevealRules lists rules with the secrets of their live keys, at most 1000.
func (s *Service) RevealRules(ctx context.Context, f RuleFilter) ([]RevealedRule, error) {
	if !storable(orEmpty(f.Domain), orEmpty(f.Vhost), orEmpty(f.App)) {
		return []RevealedRule{}, nil
	}
	p := db.RuleFindParams{Vhost: f.Vhost, App: f.App, Scene: string(f.Scene), RowLimit: maxRulesRevealed}
	if f.Domain != nil {
		domain := strings.ToLower(*f.Domain)
		p.Domain = &domain
	}
	rows, err := s.q.RuleFind(ctx, s.DB, p)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	keys, err := s.q.KeysByRules(ctx, s.DB, ids)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	byRule := map[int64][]db.SigningKey{}
	for _, k := range keys {
		byRule[k.RuleID] = append(byRule[k.RuleID], k)
	}
	out := make([]RevealedRule, len(rows))
	for i, row := range rows {
		if out[i], err = s.revealRule(row, byRule[row.ID]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (s *Service) revealRule(row db.AuthRule, keys []db.SigningKey) (RevealedRule, error) {
	out := RevealedRule{Rule: ruleFromRow(row), TimeBase: 10, Keys: []WholeKey{}}
	for i, k := range activeFirst(keys) {
		key, err := s.reveal(row, k)
		if err != nil {
			return RevealedRule{}, err
		}
		if i == 0 && key.Options.TimeBase != 0 {
			out.TimeBase = key.Options.TimeBase
		}
		out.Rule.Keys = append(out.Rule.Keys, keyFromRow(k))
		out.Keys = append(out.Keys, key)
	}
	return out, nil
}
