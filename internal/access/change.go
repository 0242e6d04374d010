package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// RuleChanges are what to change of a rule. What is nil stays.
type RuleChanges struct {
	Enabled  *bool
	Validity *time.Duration
	Takeover *Takeover
}

// ChangeRule changes a rule, from the next decision on. What it is for and its
// scheme never change. Errors: Invalid, NotFound.
func (s *Service) ChangeRule(ctx context.Context, id int64, ch RuleChanges) (Rule, error) {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if _, err := s.q.RuleLock(ctx, tx, id); err != nil {
			return err
		}
		row, err := s.q.RuleByID(ctx, tx, id)
		if err != nil {
			return err
		}
		r := ruleFromRow(row)
		if err := r.change(ch); err != nil {
			return err
		}
		return s.q.RuleChange(ctx, tx, db.RuleChangeParams{ID: id, Enabled: r.Enabled, ValidSeconds: int32(r.Validity / time.Second),
			Takeover: string(r.Takeover.Policy), TakeoverSeconds: int32(r.Takeover.Window / time.Second), Now: s.Now()})
	})
	if noRows(err) {
		return Rule{}, errRuleNotFound
	}
	if err != nil {
		return Rule{}, pg.Err(err, ruleConstraints)
	}
	return s.refreshRule(ctx, id)
}

func (r *Rule) change(ch RuleChanges) error {
	if ch.Enabled != nil {
		r.Enabled = *ch.Enabled
	}
	if ch.Takeover != nil {
		r.Takeover = *ch.Takeover
		if err := r.Takeover.validate(r.Scene); err != nil {
			return err
		}
	}
	if ch.Validity == nil {
		return nil
	}
	r.Validity = *ch.Validity
	if urlsign.KeysOf(r.Scheme) == urlsign.ServiceKeys {
		return (&NewRule{Scheme: r.Scheme, Validity: r.Validity}).validateTokens()
	}
	return place{r.Domain, r.Vhost, r.App, r.Scene, r.Validity}.validate()
}

// Rule returns one rule with its keys. Error: NotFound.
func (s *Service) Rule(ctx context.Context, id int64) (Rule, error) {
	row, err := s.q.RuleByID(ctx, s.DB, id)
	if noRows(err) {
		return Rule{}, errRuleNotFound
	}
	if err != nil {
		return Rule{}, pg.Err(err, nil)
	}
	keys, err := s.q.KeysByRule(ctx, s.DB, id)
	if err != nil {
		return Rule{}, pg.Err(err, nil)
	}
	return withKeys([]db.AuthRule{row}, keys)[0], nil
}

// RuleSearch says which rules are meant, and which page of them. An empty text
// means any.
type RuleSearch struct {
	Scene media.Scene
	Text  string // is somewhere in the domain, vhost or application, in any case
	After int64  // the id of the last rule of the page before
	Limit int
}

// RulePage lists one page of rules with their keys, oldest first, in two
// statements. Errors: Invalid, Unavailable.
func (s *Service) RulePage(ctx context.Context, f RuleSearch) ([]Rule, error) {
	if !storable(f.Text) {
		return nil, errs.InvalidField("text", "text is not valid UTF-8")
	}
	rows, err := s.q.RulePage(ctx, s.DB, db.RulePageParams{Scene: string(f.Scene), Text: f.Text, After: f.After, RowLimit: int32(f.Limit)})
	if err != nil || len(rows) == 0 {
		return nil, pg.Err(err, nil)
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	keys, err := s.q.KeysOfRules(ctx, s.DB, ids)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	return withKeys(rows, keys), nil
}

// BanPage lists one page of bans, the newest first, behind a place; an At of zero
// is the first page. Stream is somewhere in the name, in any case. Error:
// Unavailable.
func (s *Service) BanPage(ctx context.Context, stream string, after BanPlace, limit int) ([]Ban, []BanPlace, error) {
	if !storable(stream) {
		return nil, nil, errs.InvalidField("stream", "stream is not valid UTF-8")
	}
	if after.At.IsZero() {
		after.At = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	rows, err := s.q.BanPage(ctx, s.DB, db.BanPageParams{Stream: stream, BeforeAt: after.At, BeforeID: after.ID, RowLimit: int32(limit)})
	if err != nil {
		return nil, nil, pg.Err(err, nil)
	}
	now := s.Now()
	bans, places := make([]Ban, len(rows)), make([]BanPlace, len(rows))
	for i, r := range rows {
		bans[i], places[i] = banFromRow(r, now), BanPlace{r.CreatedAt, r.ID}
	}
	return bans, places, nil
}

// BanPlace is where a ban stands in the list.
type BanPlace struct {
	At time.Time
	ID int64
}
