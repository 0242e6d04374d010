package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// customFields cover the whole stream.
var customFields = []string{"SecretKey", "AppName", "StreamName", "volcTime"}

func typeB(secret string) WholeKey { return WholeKey{Secret: secret, Scheme: "volcengine_b"} }

func typeCustom(secret string) WholeKey {
	return WholeKey{Secret: secret, Scheme: "volcengine_custom", Options: urlsign.Options{SignatureParam: "sign", TimeParam: "expire", Fields: customFields}}
}

func on(b bool) *bool { return &b }

func (b *bundle) write(t testing.TB, keys ...WholeKey) Rule {
	t.Helper()
	r, err := b.WriteRule(t.Context(), WholeRule{Scene: media.Play, Enabled: on(true), Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reveal returns the one rule there is.
func (b *bundle) reveal(t testing.TB) RevealedRule {
	t.Helper()
	rules, err := b.RevealRules(t.Context(), RuleFilter{})
	if err != nil || len(rules) != 1 {
		t.Fatalf("%d rules, %v", len(rules), err)
	}
	return rules[0]
}

// queryOf signs a playing URL of live/x as a customer would, without the service.
func queryOf(t testing.TB, k WholeKey) string {
	t.Helper()
	s, err := urlsign.New(k.Scheme, k.Options)
	if err != nil {
		t.Fatal(err)
	}
	q := s.AppendQuery(nil, urlsign.Target{Scene: urlsign.Play, App: "live", Stream: "x", Host: "pull.example"}, urlsign.Key{Secret: []byte(k.Secret)},
		urlsign.SignOptions{Expires: start.Add(time.Hour)})
	return string(q)
}

func sameKeys(a, b []WholeKey) bool {
	return slices.EqualFunc(a, b, func(x, y WholeKey) bool { return x.Secret == y.Secret && x.like(y) })
}

// alive are the keys that are not revoked.
func alive(keys []Key) []Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.State == KeyRevoked })
}

func statesOf(keys []Key) string {
	var out []string
	for _, k := range keys {
		out = append(out, string(k.State))
	}
	return strings.Join(out, " ")
}

func TestWritingARuleReplacesAllItsKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.write(t, typeB("primary1"), typeCustom("backup22"), typeB("third333"))
	if got := statesOf(first.Keys); got != "active next next" || first.Scheme != "volcengine_b" || first.Strength != "compatibility" {
		t.Errorf("written: %s, %+v", got, first)
	}
	if q := b.signed(t); q != queryOf(t, typeB("primary1")) {
		t.Errorf("signed by another than the first key: %s", q)
	}
	for _, k := range []WholeKey{typeB("primary1"), typeCustom("backup22"), typeB("third333")} {
		b.reason(t, play("x", queryOf(t, k)), media.Allowed)
		b.reason(t, play("y", queryOf(t, k)), media.SignatureMismatch)
	}

	second := b.write(t, typeCustom("backup22"), typeCustom("fresh444"))
	if live := alive(second.Keys); second.ID != first.ID || len(live) != 2 || live[0].ID != first.Keys[1].ID || !second.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("written again: %+v, was %+v", second, first)
	}
	if q := b.signed(t); q != queryOf(t, typeCustom("backup22")) {
		t.Errorf("signed by another than the first key: %s", q)
	}
	b.reason(t, play("x", queryOf(t, typeB("primary1"))), media.KeyRevoked)
	b.reason(t, play("x", queryOf(t, typeB("third333"))), media.KeyRevoked)
	b.reason(t, play("x", queryOf(t, typeCustom("backup22"))), media.Allowed)
	b.reason(t, play("x", queryOf(t, typeCustom("fresh444"))), media.Allowed)
	b.reason(t, play("x", queryOf(t, typeB("backup22"))), media.SignatureMismatch) // the right secret, another scheme
	if shown := b.reveal(t); !sameKeys(shown.Keys, []WholeKey{typeCustom("backup22"), typeCustom("fresh444")}) || len(shown.Rule.Keys) != 2 {
		t.Errorf("shown: %+v", shown)
	}
}

func TestAKeyThatIsWrittenAgainKeepsItsIDAndState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.write(t, typeB("aaaaaaaa"), typeB("bbbbbbbb"), typeB("cccccccc"))
	ids := []string{r.Keys[0].ID, r.Keys[1].ID, r.Keys[2].ID}
	b.setState(t, r.ID, ids[2], KeyRetiring)
	r = b.write(t, typeB("aaaaaaaa"), typeB("bbbbbbbb"), typeB("cccccccc"))
	if got := statesOf(r.Keys); got != "active next retiring" || r.Keys[0].ID != ids[0] || r.Keys[1].ID != ids[1] || r.Keys[2].ID != ids[2] {
		t.Errorf("the same again: %s, %+v", got, r.Keys)
	}
	// In another order and by another scheme they are the same keys still.
	r = b.write(t, typeB("cccccccc"), typeCustom("aaaaaaaa"), typeB("bbbbbbbb"))
	if got := statesOf(r.Keys); got != "active retiring next" || r.Keys[0].ID != ids[2] || r.Keys[1].ID != ids[0] || r.Keys[2].ID != ids[1] {
		t.Errorf("turned round: %s, %+v", got, r.Keys)
	}
	b.reason(t, play("x", queryOf(t, typeCustom("aaaaaaaa"))), media.Allowed)
	b.reason(t, play("x", queryOf(t, typeB("aaaaaaaa"))), media.SignatureMismatch)
}

func TestOneSecretMaySignInTwoWays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.write(t, typeB("sharedsecret"), typeCustom("sharedsecret"), typeB("sharedsecret"))
	ids := map[string]bool{}
	for _, k := range r.Keys {
		ids[k.ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("keys %+v", r.Keys)
	}
	b.reason(t, play("x", queryOf(t, typeB("sharedsecret"))), media.Allowed)
	b.reason(t, play("x", queryOf(t, typeCustom("sharedsecret"))), media.Allowed)
	again := b.write(t, typeCustom("sharedsecret"), typeB("sharedsecret"))
	if again.Keys[0].ID != r.Keys[1].ID || again.Keys[1].ID != r.Keys[0].ID {
		t.Errorf("keys %+v, were %+v", again.Keys, r.Keys)
	}
}

func TestARevokedSecretThatIsWrittenAgainIsANewKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.write(t, typeB("aaaaaaaa"))
	b.setState(t, r.ID, r.Keys[0].ID, KeyRevoked)
	b.reason(t, play("x", queryOf(t, typeB("aaaaaaaa"))), media.KeyRevoked)
	if shown := b.reveal(t); len(shown.Keys) != 0 {
		t.Errorf("revoked keys are shown: %+v", shown.Keys)
	}
	again := b.write(t, typeB("aaaaaaaa"))
	if live := alive(again.Keys); len(live) != 1 || live[0].ID == r.Keys[0].ID {
		t.Errorf("a revoked key came back: %+v", again.Keys)
	}
	b.reason(t, play("x", queryOf(t, typeB("aaaaaaaa"))), media.Allowed)
}

func TestOnlyTheLastRevokedKeysAreRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var r Rule
	for round := range 3 {
		keys := make([]WholeKey, maxKeys)
		for i := range keys {
			keys[i] = typeB(fmt.Sprintf("round%dkey%d", round, i))
		}
		b.clock.advance(time.Second)
		r = b.write(t, keys...)
	}
	if len(r.Keys) != 2*maxKeys {
		t.Errorf("%d keys, want %d", len(r.Keys), 2*maxKeys)
	}
	b.reason(t, play("x", queryOf(t, typeB("round0key7"))), media.SignatureMismatch)
	b.reason(t, play("x", queryOf(t, typeB("round1key7"))), media.KeyRevoked)
	b.reason(t, play("x", queryOf(t, typeB("round2key99"))), media.Allowed)
	_, err := b.AddKey(t.Context(), r.ID, "", false)
	wantErr(t, err, errs.Conflict, "too_many_keys")
}

func TestWhatAWriteDoesNotSayAboutSwitchingStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		enabled *bool
		want    bool
	}{{nil, false}, {on(true), true}, {nil, true}, {on(false), false}, {nil, false}} {
		r, err := b.WriteRule(t.Context(), WholeRule{Domain: "Pull.Example", Scene: media.Play, Enabled: c.enabled, Validity: time.Hour, Keys: []WholeKey{typeB("aaaaaaaa")}})
		if err != nil || r.Enabled != c.want || r.Domain != "pull.example" || r.Validity != time.Hour {
			t.Errorf("%+v, %v; want enabled %v", r, err, c.want)
		}
	}
	r, err := b.EnableRule(t.Context(), "PULL.example", "", "", media.Play, true)
	if err != nil || !r.Enabled || len(r.Keys) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if b.signed(t) == "" {
		t.Error("a rule that is on signs nothing")
	}
	for _, scene := range []media.Scene{media.Publish, ""} {
		_, err = b.EnableRule(t.Context(), "pull.example", "", "", scene, true)
		wantErr(t, err, errs.NotFound, "rule_not_found")
	}
	_, err = b.EnableRule(t.Context(), "\xff", "", "", media.Play, true)
	wantErr(t, err, errs.NotFound, "rule_not_found")
	_, err = b.EnableRule(t.Context(), "", "pull.example", "", media.Play, true)
	wantErr(t, err, errs.NotFound, "rule_not_found")
}

func TestABadWriteChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write(t, typeB("aaaaaaaa"), typeB("bbbbbbbb"))
	before := b.reveal(t)
	many := slices.Repeat([]WholeKey{typeB("aaaaaaaa")}, maxKeys+1)
	for name, c := range map[string]struct {
		change func(*WholeRule)
		reason string
	}{
		"no keys":            {func(r *WholeRule) { r.Keys = nil }, "invalid_keys"},
		"too many keys":      {func(r *WholeRule) { r.Keys = many }, "invalid_keys"},
		"no secret":          {func(r *WholeRule) { r.Keys[1].Secret = "" }, "invalid_secret"},
		"a long secret":      {func(r *WholeRule) { r.Keys[1].Secret = strings.Repeat("s", 257) }, "invalid_secret"},
		"a short strong one": {func(r *WholeRule) { r.Keys[1] = WholeKey{Secret: "1234567"} }, "invalid_secret"},
		"unknown scheme":     {func(r *WholeRule) { r.Keys[1].Scheme = "rot13" }, "invalid_scheme"},
		"unconfirmed scheme": {func(r *WholeRule) { r.Keys[1].Scheme = "volcengine_c" }, "invalid_scheme"},
		"no fields":          {func(r *WholeRule) { r.Keys[1].Scheme = "volcengine_custom" }, "invalid_options"},
		"base 7":             {func(r *WholeRule) { r.TimeBase = 7 }, "invalid_options"},
		"no scene":           {func(r *WholeRule) { r.Scene = "" }, "invalid_scene"},
		"type A for pushing": {func(r *WholeRule) { r.Scene, r.Keys[0].Scheme = media.Publish, "volcengine_a" }, "invalid_scheme"},
		"domain and vhost":   {func(r *WholeRule) { r.Domain, r.Vhost = "d", "v" }, "invalid_vhost"},
		"domain with a port": {func(r *WholeRule) { r.Domain = "d:1" }, "invalid_domain"},
		"app of no text":     {func(r *WholeRule) { r.App = "\xff" }, "invalid_app"},
		"app with a blank":   {func(r *WholeRule) { r.App = "a b" }, "invalid_app"},
		"negative validity":  {func(r *WholeRule) { r.Validity = -1 }, "invalid_validity"},
	} {
		in := WholeRule{Scene: media.Play, Enabled: on(false), Keys: []WholeKey{typeB("cccccccc"), typeB("dddddddd")}}
		c.change(&in)
		_, err := b.WriteRule(t.Context(), in)
		if e := errs.As(err); err == nil || e.Kind != errs.Invalid || e.Reason != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
	if after := b.reveal(t); !sameKeys(before.Keys, after.Keys) || !after.Enabled {
		t.Errorf("%+v, was %+v", after, before)
	}
}

func TestAWriteIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.write(t, typeB("aaaaaaaa"))
	b.exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
		CREATE TRIGGER refuse BEFORE INSERT ON signing_keys FOR EACH ROW WHEN (NEW.position = 1) EXECUTE FUNCTION refuse()`)
	_, err := b.WriteRule(t.Context(), WholeRule{Scene: media.Play, Enabled: on(false), Keys: []WholeKey{typeB("cccccccc"), typeB("dddddddd")}})
	if errs.KindOf(err) != errs.Internal {
		t.Errorf("error %v", err)
	}
	if after := b.reveal(t); !sameKeys(after.Keys, []WholeKey{typeB("aaaaaaaa")}) || !after.Enabled {
		t.Errorf("half applied: %+v", after)
	}
	b.reason(t, play("x", queryOf(t, typeB("aaaaaaaa"))), media.Allowed)
}

func TestTheBaseOfARuleIsThatOfItsKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own := typeCustom("bbbbbbbb")
	own.Options.TimeBase = 8
	_, err := b.WriteRule(t.Context(), WholeRule{Scene: media.Play, Enabled: on(true), TimeBase: 16, Keys: []WholeKey{typeCustom("aaaaaaaa"), own}})
	if err != nil {
		t.Fatal(err)
	}
	shown := b.reveal(t)
	if shown.TimeBase != 16 || shown.Keys[0].Options.TimeBase != 16 || shown.Keys[1].Options.TimeBase != 8 || shown.Strength != "unconfirmed" {
		t.Errorf("shown: %+v", shown)
	}
	if q := b.signed(t); !strings.HasPrefix(q, fmt.Sprintf("expire=%x&sign=", start.Add(time.Hour).Unix())) {
		t.Errorf("signed %s", q)
	}
	b.reason(t, play("x", b.signed(t)), media.Allowed)
	b.reason(t, play("x", queryOf(t, own)), media.Allowed)
	b.reason(t, play("x", queryOf(t, typeCustom("aaaaaaaa"))), media.SignatureMalformed)
	if _, err := b.WriteRule(t.Context(), WholeRule{Scene: media.Play, TimeBase: 10, Keys: []WholeKey{{Secret: "strongsecret"}}}); err != nil {
		t.Errorf("base 10 is what every scheme has: %v", err)
	}
	if shown := b.reveal(t); shown.TimeBase != 10 || shown.Keys[0].Scheme != DefaultScheme {
		t.Errorf("shown: %+v", shown)
	}
}

func TestKeysOfDifferentKindsAreToldApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	strong := WholeKey{Secret: "strong-secret", Scheme: "stagedoor"}
	typeA := WholeKey{Secret: "aliyunsecret", Scheme: "aliyun_a"}
	b.write(t, strong, typeA, typeB("volcsecret"), typeCustom("customsecret"))
	for _, k := range []WholeKey{typeA, typeB("volcsecret"), typeCustom("customsecret")} {
		q := queryOf(t, k)
		b.reason(t, play("x", q), media.Allowed)
		b.reason(t, play("x", q[:len(q)-1]), media.SignatureMalformed)
		d := b.Recheck(start.Add(1000*time.Hour), play("x", q))
		if !d.Allow {
			t.Errorf("%s ends a running session as it expires: %s", k.Scheme, d.Reason)
		}
	}
	b.reason(t, play("x", b.signed(t)), media.Allowed)
	// A request may carry several signatures: the good one counts.
	b.reason(t, play("x", queryOf(t, typeB("nobodyssecret"))+"&"+queryOf(t, typeCustom("customsecret"))), media.Allowed)
	b.reason(t, play("x", queryOf(t, typeB("volcsecret"))+"&auth_key=1-2-3-4"), media.Allowed)
	// The one that knows most is told of those that do not.
	b.clock.advance(2 * time.Hour)
	b.reason(t, play("x", queryOf(t, typeB("volcsecret"))+"&auth_key=1-2-3-4"), media.SignatureExpired)
	b.reason(t, play("x", queryOf(t, typeB("nobodyssecret"))+"&"+queryOf(t, typeCustom("customsecret"))), media.SignatureExpired)
}

func TestTheKeyThatWasUsedIsNoted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.write(t, typeB("aaaaaaaa"), typeCustom("bbbbbbbb"))
	d := b.ask(t, play("x", queryOf(t, typeCustom("bbbbbbbb"))))
	if want := fmt.Sprintf("%d/%s", r.ID, r.Keys[1].ID); d.Credential.ID != want {
		t.Errorf("admitted by %q, want %q", d.Credential.ID, want)
	}
	if err := b.FlushKeyUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	shown := b.reveal(t)
	if shown.Rule.Keys[0].LastUsed != nil || shown.Rule.Keys[1].LastUsed == nil || !shown.Rule.Keys[1].LastUsed.Equal(start) {
		t.Errorf("keys %+v", shown.Rule.Keys)
	}
}

func TestRulesAreRevealedByTheirPlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, in := range []WholeRule{
		{Scene: media.Play}, {Scene: media.Publish}, {Domain: "d.example", Scene: media.Play}, {Domain: "d.example", App: "live", Scene: media.Play},
		{Domain: "d.example", App: "live", Scene: media.Publish}, {Vhost: "v.example", Scene: media.Play},
	} {
		in.Keys = []WholeKey{typeB("aaaaaaaa")}
		if _, err := b.WriteRule(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		f    RuleFilter
		want int
	}{
		"all":                    {RuleFilter{}, 6},
		"of playing":             {RuleFilter{Scene: media.Play}, 4},
		"of a domain":            {RuleFilter{Domain: text("D.Example")}, 3},
		"of a domain and app":    {RuleFilter{Domain: text("d.example"), App: text("live")}, 2},
		"of a domain and no app": {RuleFilter{Domain: text("d.example"), App: text("")}, 1},
		"of one":                 {RuleFilter{Domain: text("d.example"), App: text("live"), Scene: media.Publish}, 1},
		"of any domain":          {RuleFilter{Domain: text("")}, 3},
		"of a vhost":             {RuleFilter{Vhost: text("v.example")}, 1},
		"of no text":             {RuleFilter{App: text("\xff")}, 0},
		"with NUL":               {RuleFilter{Domain: text("d\x00")}, 0},
		"of another":             {RuleFilter{Vhost: text("d.example")}, 0},
	} {
		rules, err := b.RevealRules(t.Context(), c.f)
		if err != nil || len(rules) != c.want {
			t.Errorf("%s: %d rules, %v; want %d", name, len(rules), err, c.want)
		}
		for _, r := range rules {
			if !sameKeys(r.Keys, []WholeKey{typeB("aaaaaaaa")}) || r.TimeBase != 10 {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

func TestWriteCallersKeepTheirKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := []WholeKey{{Secret: "strong-secret"}}
	b.write(t, keys...)
	if keys[0].Scheme != "" || keys[0].Options.TimeBase != 0 {
		t.Errorf("the caller's keys became %+v", keys)
	}
}

func TestOptionsOfARuleAreThoseOfLaterKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := urlsign.Options{SignatureParam: "sign", TimeParam: "expire", TimeBase: 16, Fields: []string{"key", "volcTime", "Domain"}}
	r := b.rule(t, NewRule{Scene: media.Play, Scheme: "volcengine_custom", Options: o, Secret: "7chars7"})
	if !r.Options.Equal(o) || r.Keys[0].Scheme != "" {
		t.Errorf("made %+v", r)
	}
	if _, err := b.AddKey(t.Context(), r.ID, "k", true); err != nil {
		t.Fatal(err)
	}
	b.reason(t, play("x", b.signed(t)), media.Allowed)
	if q := b.signed(t); q != queryOf(t, WholeKey{Secret: "k", Scheme: "volcengine_custom", Options: o}) {
		t.Errorf("signed %s", q)
	}
	if shown := b.reveal(t); shown.Keys[0].Secret != "k" || shown.Keys[1].Secret != "7chars7" || !shown.Keys[1].Options.Equal(o) || shown.TimeBase != 16 {
		t.Errorf("shown: %+v", shown)
	}
	_, err := b.CreateRule(t.Context(), NewRule{Scene: media.Publish, Scheme: "volcengine_custom"})
	wantErr(t, err, errs.Invalid, "invalid_options")
	_, err = b.CreateRule(t.Context(), NewRule{Scene: media.Publish, Scheme: "volcengine_a"})
	wantErr(t, err, errs.Invalid, "invalid_scheme")
}
