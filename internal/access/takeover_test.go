package access

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestATakeoverIsOfRulesForPublishing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		scene  media.Scene
		in     Takeover
		want   Takeover
		reason string
	}{
		"nothing said":      {media.Publish, Takeover{}, Takeover{TakeoverReject, 0}, ""},
		"replace":           {media.Publish, Takeover{TakeoverReplace, 0}, Takeover{TakeoverReplace, 0}, ""},
		"resume":            {media.Publish, Takeover{TakeoverResume, time.Minute}, Takeover{TakeoverResume, time.Minute}, ""},
		"resume, no window": {media.Publish, Takeover{TakeoverResume, 0}, Takeover{TakeoverResume, DefaultTakeoverWindow}, ""},
		"unknown":           {media.Publish, Takeover{"steal", 0}, Takeover{}, "invalid"},
		"too long":          {media.Publish, Takeover{TakeoverResume, 8 * 24 * time.Hour}, Takeover{}, "invalid"},
		"too short":         {media.Publish, Takeover{TakeoverResume, time.Millisecond}, Takeover{}, "invalid"},
		"window of reject":  {media.Publish, Takeover{TakeoverReject, time.Minute}, Takeover{}, "invalid"},
		"playing":           {media.Play, Takeover{TakeoverReplace, 0}, Takeover{}, "invalid"},
		"playing, reject":   {media.Play, Takeover{}, Takeover{TakeoverReject, 0}, ""},
	} {
		r, err := b.CreateRule(t.Context(), NewRule{App: "a" + name[:1] + string(rune('a'+len(name))), Scene: c.scene, Takeover: c.in})
		if c.reason != "" {
			if errs.KindOf(err) != errs.Invalid {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || r.Takeover != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, r.Takeover, err, c.want)
		}
	}
}

func TestSetTakeoverIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	r := b.rule(t, NewRule{Scene: media.Publish, Secret: "publish-secret"})
	query := b.SignQuery(media.Publish, "", stream("x"), "/live/x", start.Add(time.Hour))
	if d := b.ask(t, publish("x", query)); !d.Allow || d.Takeover != (Takeover{Policy: TakeoverReject}) {
		t.Fatalf("decided %+v", d)
	}
	want := Takeover{TakeoverResume, 90 * time.Second}
	if got, err := b.SetTakeover(t.Context(), r.ID, want); err != nil || got.Takeover != want {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := other.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*bundle{b, other} {
		if d := s.ask(t, publish("x", query)); !d.Allow || d.Takeover != want {
			t.Errorf("decided %+v", d)
		}
	}
	// A token of ours is under the rule of its stream too.
	lt := b.token(t, b.account(t, "alice", 0), "x")
	if d := b.ask(t, publish("x", "token="+lt.Token)); d.Takeover != want {
		t.Errorf("decided %+v", d)
	}
	_, err := b.SetTakeover(t.Context(), r.ID+100, want)
	wantErr(t, err, errs.NotFound, "rule_not_found")
	playing := b.rule(t, NewRule{Scene: media.Play})
	_, err = b.SetTakeover(t.Context(), playing.ID, want)
	wantErr(t, err, errs.Invalid, "invalid_takeover")
}

// Who needs no credential could be anybody.
func TestTheOpenPolicyTakesOverNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rule(t, NewRule{Scene: media.Publish, Disabled: true, Takeover: Takeover{Policy: TakeoverReplace}})
	if d := b.ask(t, publish("x", "")); !d.Allow || d.Takeover != (Takeover{}) {
		t.Errorf("decided %+v", d)
	}
}

// A cloud API that writes a rule knows nothing of takeovers.
func TestWritingAWholeRuleLeavesItsTakeover(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Domain: "push.example", App: "live", Scene: media.Publish, Takeover: Takeover{Policy: TakeoverReplace}})
	got, err := b.WriteRule(t.Context(), WholeRule{Domain: "push.example", App: "live", Scene: media.Publish, Keys: []WholeKey{{Secret: "another-secret"}}})
	if err != nil || got.ID != r.ID || got.Takeover.Policy != TakeoverReplace {
		t.Errorf("%+v, %v", got, err)
	}
	fresh, err := b.WriteRule(t.Context(), WholeRule{Domain: "new.example", App: "live", Scene: media.Publish, Keys: []WholeKey{{Secret: "another-secret"}}})
	if err != nil || fresh.Takeover.Policy != TakeoverReject {
		t.Errorf("%+v, %v", fresh, err)
	}
}
