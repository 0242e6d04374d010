package stagedoor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

func (b *bench) made(t *testing.T, path, body string) reply {
	t.Helper()
	r := b.send(t, dialecttest.JSON(path, b.admin, body)).want(t, http.StatusCreated, "")
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("a secret may be cached")
	}
	r.Status = http.StatusOK
	return r
}

func patchRule(id, token, body string) dialecttest.Request {
	r := dialecttest.JSON("/api/v1/rules/"+id, token, body)
	r.Method = http.MethodPatch
	return r
}

// states shows the keys of a rule: "id state", without secrets.
func states(t *testing.T, r gen.Rule) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, k := range r.Keys {
		if out[k.ID] = string(k.State); k.Secret != "" || k.Why == "" {
			t.Errorf("a key is shown as %+v", k)
		}
	}
	return out
}

func TestAKeyIsRotated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := decode[gen.Rule](t, b.made(t, "/api/v1/rules", `{"scene":"publish","domain":"Push.example.com"}`))
	if len(r.Keys) != 1 || len(r.Keys[0].Secret) != 48 || r.Keys[0].State != "active" || r.Domain != "push.example.com" || r.Scheme != "stagedoor" || !r.Enabled {
		t.Fatalf("created %+v", r)
	}
	first, path := r.Keys[0].ID, "/api/v1/rules/"+r.ID
	given := decode[gen.RuleKey](t, b.made(t, path+"/keys", `{"secret":"KeyOfTheCDN2024"}`))
	random := decode[gen.RuleKey](t, b.made(t, path+"/keys", `{}`))
	if given.Secret != "" || given.State != "next" || !given.SafeToRetire || len(random.Secret) != 48 {
		t.Errorf("added %+v and %+v", given, random)
	}
	do := func(key, verb string) map[string]string {
		t.Helper()
		return states(t, decode[gen.Rule](t, b.send(t, ask("POST", path+"/keys/"+key+"/"+verb, b.admin))))
	}
	if got := do(given.ID, "activate"); got[first] != "retiring" || got[given.ID] != "active" || got[random.ID] != "next" {
		t.Errorf("activated: %v", got)
	}
	if got := do(given.ID, "retire"); got[given.ID] != "retiring" {
		t.Errorf("retired: %v", got)
	}
	if got := do(first, "revoke"); got[first] != "revoked" {
		t.Errorf("revoked: %v", got)
	}
	for _, verb := range []string{"activate", "retire", "revoke"} {
		b.send(t, ask("POST", path+"/keys/"+first+"/"+verb, b.admin)).want(t, http.StatusNotFound, "key_not_found")
		b.send(t, ask("POST", path+"/keys/none/"+verb, b.admin)).want(t, http.StatusNotFound, "key_not_found")
	}
	b.send(t, ask("POST", "/api/v1/rules/4711/keys/none/activate", b.admin)).want(t, http.StatusNotFound, "rule_not_found")
	if k := decode[gen.RuleKey](t, b.made(t, path+"/keys", `{"activate":true}`)); k.State != "active" || k.SafeToRetire {
		t.Errorf("added %+v", k)
	}
	b.clock.advance(25 * time.Hour)
	b.admin, _ = b.login(t, "admin", password)
	for _, k := range decode[gen.Rule](t, b.send(t, ask("GET", path, b.admin))).Keys {
		if want := k.State != "active"; k.SafeToRetire != want {
			t.Errorf("a day later: %+v", k)
		}
	}
}

func TestRulesAreListedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := decode[gen.Rule](t, b.made(t, "/api/v1/rules", `{"scene":"publish","domain":"push.example.com"}`))
	two := decode[gen.Rule](t, b.made(t, "/api/v1/rules", `{"scene":"play","domain":"pull.example.com","app":"live","scheme":"aliyun_a","secret":"KeyOfTheCDN2023","validity_seconds":1800,"disabled":true}`))
	if two.Keys[0].Secret != "" || two.ValiditySeconds != 1800 || two.Enabled || two.Strength != "compatibility" {
		t.Errorf("created %+v", two)
	}
	b.send(t, dialecttest.JSON("/api/v1/rules", b.admin, `{"scene":"play","domain":"pull.example.com","app":"live"}`)).want(t, http.StatusConflict, "rule_exists")
	for query, want := range map[string]int{"": 2, "?scene=play": 1, "?text=PULL": 1, "?text=zzz": 0} {
		r := b.send(t, ask("GET", "/api/v1/rules"+query, b.admin))
		if p := decode[gen.RulePage](t, r); len(p.Rules) != want || p.NextCursor != "" || strings.Contains(string(r.Body), "secret") {
			t.Errorf("%s: %s", query, r.Body)
		}
	}
	p := decode[gen.RulePage](t, b.send(t, ask("GET", "/api/v1/rules?limit=1", b.admin)))
	if next := decode[gen.RulePage](t, b.send(t, ask("GET", "/api/v1/rules?limit=1&cursor="+p.NextCursor, b.admin))); p.Rules[0].ID != one.ID || next.Rules[0].ID != two.ID || next.NextCursor != "" {
		t.Errorf("pages %+v, %+v", p, next)
	}
	for _, step := range []struct {
		body string
		is   func(gen.Rule) bool
	}{
		{`{"enabled":false}`, func(r gen.Rule) bool { return !r.Enabled && r.Takeover == "reject" }},
		{`{"takeover":"resume"}`, func(r gen.Rule) bool { return r.TakeoverWindowSeconds == 86400 && !r.Enabled }},
		{`{"takeover":"resume","takeover_window_seconds":60,"validity_seconds":5}`, func(r gen.Rule) bool { return r.TakeoverWindowSeconds == 60 && r.ValiditySeconds == 5 }},
		{`{"takeover":"replace","enabled":true}`, func(r gen.Rule) bool {
			return r.Takeover == "replace" && r.TakeoverWindowSeconds == 0 && r.Enabled && r.ValiditySeconds == 5
		}},
		{`{}`, func(r gen.Rule) bool { return r.Takeover == "replace" }},
	} {
		if r := decode[gen.Rule](t, b.send(t, patchRule(one.ID, b.admin, step.body))); !step.is(r) {
			t.Errorf("%s: %+v", step.body, r)
		}
	}
	for body, code := range map[string]string{`{"takeover":"steal"}`: "invalid_takeover", `{"takeover_window_seconds":5}`: "invalid_takeover_window_seconds",
		`{"validity_seconds":-1}`: "invalid_validity", `{"validity_seconds":9223372036854775807}`: "invalid_validity", `{"enabled":1}`: "invalid_enabled", `[]`: "malformed_request",
		`{"takeover":"resume","takeover_window_seconds":9999999}`: "invalid_takeover_window"} {
		b.bad(t, patchRule(one.ID, b.admin, body)).want(t, http.StatusBadRequest, code)
	}
	b.send(t, patchRule(two.ID, b.admin, `{"takeover":"replace"}`)).want(t, http.StatusBadRequest, "invalid_takeover")
	for body, code := range map[string]string{`{}`: "invalid_scene", `{"scene":"play","secret":"a"}`: "invalid_secret", `{"scene":"play","scheme":"none"}`: "invalid_scheme",
		`{"scene":"play","domain":"a","vhost":"b"}`: "invalid_vhost", `{"scene":7}`: "invalid_scene"} {
		b.bad(t, dialecttest.JSON("/api/v1/rules", b.admin, body)).want(t, http.StatusBadRequest, code)
	}
	b.send(t, ask("DELETE", "/api/v1/rules/"+one.ID, b.admin)).want(t, http.StatusNoContent, "")
	for _, r := range []dialecttest.Request{ask("DELETE", "/api/v1/rules/"+one.ID, b.admin), ask("GET", "/api/v1/rules/"+one.ID, b.admin),
		patchRule(one.ID, b.admin, `{}`), dialecttest.JSON("/api/v1/rules/"+one.ID+"/keys", b.admin, `{}`)} {
		b.send(t, r).want(t, http.StatusNotFound, "rule_not_found")
	}
	b.bad(t, ask("GET", "/api/v1/rules/x", b.admin)).want(t, http.StatusNotFound, "rule_not_found")
	for query, code := range map[string]string{"cursor=x!": "invalid_cursor", "cursor=YQ": "invalid_cursor", "scene=x": "invalid_scene", "text=%FF": "invalid_text"} {
		b.bad(t, ask("GET", "/api/v1/rules?"+query, b.admin)).want(t, http.StatusBadRequest, code)
	}
}

func TestBansAreMadeListedAndLifted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ban := func(body string) {
		t.Helper()
		b.send(t, dialecttest.JSON("/api/v1/bans", b.admin, body)).want(t, http.StatusNoContent, "")
		b.clock.advance(time.Second)
	}
	ban(`{"app":"live","stream":"Show"}`)
	ban(`{"domain":"push.example.com","app":"live","stream":"other","until":"2030-05-18T12:00:00Z"}`)
	p := decode[gen.BanPage](t, b.send(t, ask("GET", "/api/v1/bans?limit=1", b.admin)))
	next := decode[gen.BanPage](t, b.send(t, ask("GET", "/api/v1/bans?limit=1&cursor="+p.NextCursor, b.admin)))
	if len(p.Bans) != 1 || p.Bans[0].Domain != "push.example.com" || len(next.Bans) != 1 || next.Bans[0].Vhost != "__defaultVhost__" || !next.Bans[0].Active || next.NextCursor != "" {
		t.Errorf("pages %+v, %+v", p, next)
	}
	for range 2 {
		b.send(t, ask("DELETE", "/api/v1/bans?app=live&stream=Show", b.admin)).want(t, http.StatusNoContent, "")
	}
	if p := decode[gen.BanPage](t, b.send(t, ask("GET", "/api/v1/bans?stream=SHOW", b.admin))); len(p.Bans) != 0 {
		t.Errorf("left %+v", p)
	}
	if p := decode[gen.BanPage](t, b.send(t, ask("GET", "/api/v1/bans?stream=OTH", b.admin))); len(p.Bans) != 1 {
		t.Errorf("listed %+v", p)
	}
	for body, code := range map[string]string{`{"app":"live","stream":""}`: "invalid_stream", `{"app":"live","stream":"a","vhost":"v","domain":"d"}`: "invalid_vhost",
		`{"app":"live","stream":"a","until":"2000-01-01T00:00:00Z"}`: "invalid_until", `{"app":"live","stream":"a","until":"soon"}`: "malformed_request"} {
		b.bad(t, dialecttest.JSON("/api/v1/bans", b.admin, body)).want(t, http.StatusBadRequest, code)
	}
	b.bad(t, ask("GET", "/api/v1/bans?cursor=x", b.admin)).want(t, http.StatusBadRequest, "invalid_cursor")
}

func TestARuleIsMadeWithWhatItsSchemeLeavesToChoose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := decode[gen.Rule](t, b.made(t, "/api/v1/rules", `{"scene":"publish","domain":"volc.example.com","scheme":"volcengine_b","options":["time-base=16","param-signature=sig"],
		"takeover":"resume","takeover_window_seconds":1800}`))
	if strings.Join(r.Options, " ") != "param-signature=sig time-base=16" || r.TakeoverWindowSeconds != 1800 {
		t.Errorf("made %+v", r)
	}
	for _, body := range []string{`{"scene":"publish","options":["x"]}`, `{"scene":"publish","options":["colour=red"]}`, `{"scene":"publish","options":["hash=sha1"]}`,
		`{"scene":"publish","scheme":"volcengine_b","options":["time-base=7"]}`} {
		b.send(t, dialecttest.JSON("/api/v1/rules", b.admin, body)).want(t, http.StatusBadRequest, "invalid_options")
	}
}
