package access

import (
	"context"
	"strconv"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Retirable is a key that signs no more, and that nobody seems to need: see
// Rotation.
type Retirable struct {
	Rule, Key string
	Since     time.Time // when it retired
}

// maxRetiring bounds the keys that are judged for one answer.
const maxRetiring = 200

// Retirable returns up to limit keys of any rule that can be revoked, those first
// that retired first. Error: Unavailable.
func (s *Service) Retirable(ctx context.Context, limit int) ([]Retirable, error) {
	rows, err := s.q.KeysRetiring(ctx, s.DB, maxRetiring)
	if err != nil || len(rows) == 0 {
		return nil, pg.Err(err, nil)
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.RuleID
	}
	rules, err := s.q.RulesByIDs(ctx, s.DB, ids)
	if err != nil {
		return nil, pg.Err(err, nil)
	}
	var out []Retirable
	of := map[int64]Rule{}
	for _, r := range withKeys(rules, nil) {
		of[r.ID] = r
	}
	for _, row := range rows {
		if k := keyFromRow(row); len(out) < limit && s.Rotation(of[row.RuleID], k).Safe {
			out = append(out, Retirable{Rule: strconv.FormatInt(row.RuleID, 10), Key: k.ID, Since: k.ChangedAt})
		}
	}
	return out, nil
}
