package access

import (
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// TakeoverPolicy is what happens to a publisher whose stream has one already.
type TakeoverPolicy string

// The policies. The empty one is TakeoverReject.
const (
	// TakeoverReject refuses the newcomer.
	TakeoverReject TakeoverPolicy = "reject"
	// TakeoverReplace puts the newcomer in the place of whoever publishes.
	TakeoverReplace TakeoverPolicy = "replace"
	// TakeoverResume does so only for the same identity within Takeover.Window.
	TakeoverResume TakeoverPolicy = "resume"
)

// Takeover is a policy with its window: how long after a publisher began its own
// identity may still take its place.
type Takeover struct {
	Policy TakeoverPolicy
	Window time.Duration
}

// The windows of TakeoverResume.
const (
	DefaultTakeoverWindow = 24 * time.Hour
	maxTakeoverWindow     = 7 * 24 * time.Hour
)

// validate completes a takeover too. Only publishers stand in each other's way.
func (t *Takeover) validate(scene media.Scene) error {
	if t.Policy == "" {
		t.Policy = TakeoverReject
	}
	if t.Policy == TakeoverResume && t.Window == 0 {
		t.Window = DefaultTakeoverWindow
	}
	switch {
	case t.Policy != TakeoverReject && t.Policy != TakeoverReplace && t.Policy != TakeoverResume:
		return errs.InvalidField("takeover", "takeover is reject, replace or resume")
	case t.Policy != TakeoverReject && scene != media.Publish:
		return errs.InvalidField("takeover", "only a rule for publishing has a takeover")
	case t.Policy != TakeoverResume && t.Window != 0:
		return errs.InvalidField("takeover_window", "only resume has a window")
	case t.Policy == TakeoverResume && (t.Window < time.Second || t.Window > maxTakeoverWindow):
		return errs.InvalidField("takeover_window", "the window is between one second and seven days")
	}
	return nil
}

func takeoverOf(row db.AuthRule) Takeover {
	return Takeover{Policy: TakeoverPolicy(row.Takeover), Window: time.Duration(row.TakeoverSeconds) * time.Second}
}

// under adds to an admission what the rule of its stream says beyond yes and no.
func (d Decision) under(r *rule) Decision {
	if r != nil {
		d.Takeover = r.takeover()
	}
	return d
}

// SetTakeover changes what the rule says to second publishers, from the next one
// on. Errors: Invalid, NotFound.
func (s *Service) SetTakeover(ctx context.Context, id int64, t Takeover) (Rule, error) {
	return s.ChangeRule(ctx, id, RuleChanges{Takeover: &t})
}
