package access

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func TestRuleIsKeptAsItWasGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.rule(t, NewRule{Domain: "Push.Example", App: "live", Scene: media.Publish, Scheme: "aliyun_a", Validity: 30 * time.Minute, Secret: "pushkey0123456789"})
	if made.Domain != "push.example" || made.App != "live" || made.Scene != media.Publish || made.Scheme != "aliyun_a" || made.Strength != "compatibility" ||
		!made.Enabled || made.Validity != 30*time.Minute || !made.CreatedAt.Equal(start) || len(made.Keys) != 1 || made.Keys[0].State != KeyActive {
		t.Errorf("made %+v", made)
	}
	other := b.rule(t, NewRule{Vhost: "v.example", Scene: media.Play, Disabled: true})
	if other.Scheme != DefaultScheme || other.Strength != "strong" || other.Enabled {
		t.Errorf("made %+v", other)
	}
	rules, err := b.Rules(t.Context())
	if err != nil || len(rules) != 2 || rules[0].ID != made.ID || rules[1].ID != other.ID || len(rules[0].Keys) != 1 {
		t.Errorf("listed %+v, error %v", rules, err)
	}
}

func TestRulesAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		n      NewRule
		reason string
	}{
		"no scene":             {NewRule{}, "invalid_scene"},
		"unknown scene":        {NewRule{Scene: "record"}, "invalid_scene"},
		"unknown scheme":       {NewRule{Scene: media.Play, Scheme: "rot13"}, "invalid_scheme"},
		"domain and vhost":     {NewRule{Scene: media.Play, Domain: "d", Vhost: "v"}, "invalid_vhost"},
		"domain with port":     {NewRule{Scene: media.Play, Domain: "d.example:1935"}, "invalid_domain"},
		"domain with path":     {NewRule{Scene: media.Play, Domain: "d.example/live"}, "invalid_domain"},
		"domain with a blank":  {NewRule{Scene: media.Play, Domain: "d example"}, "invalid_domain"},
		"long domain":          {NewRule{Scene: media.Play, Domain: strings.Repeat("d", 257)}, "invalid_domain"},
		"vhost with path":      {NewRule{Scene: media.Play, Vhost: "v/x"}, "invalid_vhost"},
		"app with a query":     {NewRule{Scene: media.Play, App: "live?x"}, "invalid_app"},
		"app with NUL":         {NewRule{Scene: media.Play, App: "live\x00"}, "invalid_app"},
		"negative validity":    {NewRule{Scene: media.Play, Validity: -time.Second}, "invalid_validity"},
		"eleven years":         {NewRule{Scene: media.Play, Validity: 11 * 365 * 24 * time.Hour}, "invalid_validity"},
		"short secret":         {NewRule{Scene: media.Play, Secret: "1234567"}, "invalid_secret"},
		"long secret":          {NewRule{Scene: media.Play, Secret: strings.Repeat("s", 257)}, "invalid_secret"},
		"a secret of a symbol": {NewRule{Scene: media.Play, Secret: "x"}, "invalid_secret"},
	} {
		_, err := b.CreateRule(t.Context(), c.n)
		if e := errs.As(err); e.Kind != errs.Invalid || e.Reason != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
	if rules, err := b.Rules(t.Context()); err != nil || len(rules) != 0 {
		t.Errorf("left behind: %+v, %v", rules, err)
	}
	for _, n := range []NewRule{
		{Scene: media.Play, Domain: "2001:db8::1"}, {Scene: media.Play, App: "live/sub"}, {Scene: media.Play, Secret: "12345678"},
		{Scene: media.Publish, Validity: 10 * 365 * 24 * time.Hour, Secret: strings.Repeat("s", 256)},
	} {
		b.rule(t, n)
	}
}

func TestOneRulePerPlaceAndScene(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rule(t, NewRule{Domain: "d.example", App: "live", Scene: media.Play})
	b.rule(t, NewRule{Domain: "d.example", App: "live", Scene: media.Publish})
	b.rule(t, NewRule{Domain: "d.example", Scene: media.Play})
	b.rule(t, NewRule{Vhost: "d.example", App: "live", Scene: media.Play})
	_, err := b.CreateRule(t.Context(), NewRule{Domain: "D.EXAMPLE", App: "live", Scene: media.Play, Scheme: "aliyun_a"})
	wantErr(t, err, errs.Conflict, "rule_exists")
}

func TestDefaultsSignEverythingAndAreMadeOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	processes := []*bundle{b, b.another(t), b.another(t)}
	var wg sync.WaitGroup
	for _, p := range processes {
		for range 3 {
			wg.Go(func() {
				if err := p.EnsureDefaults(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	rules, err := b.Rules(t.Context())
	if err != nil || len(rules) != 2 {
		t.Fatalf("rules %+v, error %v", rules, err)
	}
	for _, r := range rules {
		if len(r.Keys) != 1 || r.Keys[0].State != KeyActive || !r.Enabled || r.Scheme != DefaultScheme || r.Domain+r.Vhost+r.App != "" {
			t.Errorf("rule %+v", r)
		}
	}
	lone := setup(t)
	if err := lone.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if q := lone.SignQuery(media.Publish, "", stream("x"), "/live/x", start.Add(time.Hour)); q == "" {
		t.Error("the process that made the defaults does not know them")
	}
}

func TestDefaultsLeaveRulesOfAnOperatorAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Domain: "d.example", Scene: media.Play, Disabled: true})
	if err := b.EnsureDefaults(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rules, err := b.Rules(t.Context()); err != nil || len(rules) != 1 || rules[0].ID != r.ID {
		t.Errorf("rules %+v, error %v", rules, err)
	}
}

func TestSwitchingARuleOffAndOnCountsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	b.reason(t, play("x", ""), media.NoCredential)
	if off, err := b.SetRuleEnabled(t.Context(), r.ID, false); err != nil || off.Enabled {
		t.Fatalf("%+v, %v", off, err)
	}
	b.reason(t, play("x", ""), media.OpenPolicy)
	if q := b.SignQuery(media.Play, "", stream("x"), "/live/x", start); q != "" {
		t.Errorf("a rule that is off signs %q", q)
	}
	if on, err := b.SetRuleEnabled(t.Context(), r.ID, true); err != nil || !on.Enabled || len(on.Keys) != 1 {
		t.Fatalf("%+v, %v", on, err)
	}
	b.reason(t, play("x", ""), media.NoCredential)
	_, err := b.SetRuleEnabled(t.Context(), r.ID+100, true)
	wantErr(t, err, errs.NotFound, "rule_not_found")
}

func TestDeletedRuleIsForgottenWithItsKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play})
	b.Policy = OpenByDefault
	b.reason(t, play("x", ""), media.NoCredential)
	if err := b.DeleteRule(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	b.reason(t, play("x", ""), media.OpenPolicy)
	var keys int
	if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM signing_keys").Scan(&keys); err != nil || keys != 0 {
		t.Errorf("%d keys are left, error %v", keys, err)
	}
	wantErr(t, b.DeleteRule(t.Context(), r.ID), errs.NotFound, "rule_not_found")
}

func TestSecretsAreNotInTheDatabaseInClear(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rule(t, NewRule{Scene: media.Play, Secret: "known-key-secret"})
	lt := b.token(t, b.account(t, "alice", 0), "x")
	for _, secret := range []string{"known-key-secret", lt.Token, lt.PlayToken} {
		for _, table := range []string{"auth_rules", "signing_keys", "live_tokens"} {
			var rows []string
			err := b.pool.QueryRow(t.Context(), `SELECT coalesce(array_agg(to_jsonb(r)::text), '{}') FROM `+table+` r`).Scan(&rows)
			if err != nil {
				t.Fatal(err)
			}
			// bytea is written in hex.
			hex := strings.ToLower(strings.Join(rows, "\n"))
			if strings.Contains(strings.Join(rows, "\n"), secret) || strings.Contains(hex, hexOf(secret)) {
				t.Errorf("%s holds %q in clear", table, secret)
			}
		}
	}
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for i := range len(s) {
		out.WriteByte(digits[s[i]>>4])
		out.WriteByte(digits[s[i]&15])
	}
	return out.String()
}

func TestRulesAreListedWithoutSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.rule(t, NewRule{Scene: media.Play, Secret: "known-key-secret"})
	if _, err := b.AddKey(t.Context(), r.ID, "", false); err != nil {
		t.Fatal(err)
	}
	rules, err := b.Rules(t.Context())
	if err != nil || len(rules) != 1 {
		t.Fatalf("%+v, %v", rules, err)
	}
	var states []KeyState
	for _, k := range rules[0].Keys {
		states = append(states, k.State)
		if strings.Contains(k.ID, "secret") {
			t.Errorf("key %+v", k)
		}
	}
	if !slices.Equal(states, []KeyState{KeyActive, KeyNext}) {
		t.Errorf("states %v", states)
	}
}
