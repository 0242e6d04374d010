package access

import (
	"crypto/md5"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// ofRequirement is the order of fields in the vendor's document of DescribeAuth.
var ofRequirement = []string{"key", "volcTime", "Domain"}

// The worked examples: one of the vendor, and those that two implementations
// agree on.
func TestVolcengineURLsAreTheVendors(t *testing.T) {
	t.Parallel()
	const streamName = "livestream"
	for name, c := range map[string]struct {
		key     WholeKey
		base    int
		scene   media.Scene
		host    string
		name    string
		expires int64
		want    string
	}{
		"the vendor's example": {typeB("A1B2C3d4e5f6"), 0, media.Publish, "push.example.com", streamName, 1653632422,
			"volcTime=1653632422&volcSecret=e5bb77201cbaa2f9ccdd316fcda4c212"},
		"a transcoded stream": {typeB("A1B2C3d4e5f6"), 0, media.Play, "pull.example.com", streamName + "_hd", 1893456000,
			"volcTime=1893456000&volcSecret=96b74d3bcf6519a343e3604efaf6666f"},
		"the fields of the requirement": {WholeKey{Secret: "1asd111", Scheme: "volcengine_custom", Options: urlsign.Options{Fields: ofRequirement}}, 10,
			media.Publish, "Push.Example.com", streamName, 1893456000, "volcTime=1893456000&volcSecret=271acbdc70520b8a9ce74ca2bb9e6dac"},
		"renamed parameters": {WholeKey{Secret: "1asd111", Scheme: "volcengine_custom",
			Options: urlsign.Options{Fields: []string{"SecretKey", "volcTime", "Domain"}, SignatureParam: "sign", TimeParam: "expire"}}, 10,
			media.Play, "pull.example.com", streamName, 1893456000, "expire=1893456000&sign=7318a61e5c5ada5ee4cf2269cad72409"},
		"hexadecimal time": {WholeKey{Secret: "1asd111", Scheme: "volcengine_custom", Options: urlsign.Options{Fields: customFields}}, 16,
			media.Play, "pull.example.com", streamName, 1893456000, "volcTime=70dbd880&volcSecret=53a478412838c72091a4e0948c4e5902"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, err := b.WriteRule(t.Context(), WholeRule{Scene: c.scene, Enabled: on(true), TimeBase: c.base, Validity: 7 * 24 * time.Hour,
				Keys: []WholeKey{c.key, typeB("another")}})
			if err != nil {
				t.Fatal(err)
			}
			end := time.Unix(c.expires, 0)
			got := b.SignWith(link(c.scene, c.host, stream(c.name), "/live/"+c.name+".flv"), end, true)
			if got.URL != "rtmp://"+c.host+"/live/"+c.name+".flv?"+c.want || got.Scheme != c.key.Scheme || got.Validity != 7*24*time.Hour || got.KeyID == "" || got.RuleID == 0 {
				t.Errorf("signed %+v, want %s", got, c.want)
			}
			e := event(map[media.Scene]media.Action{media.Publish: media.Publishing, media.Play: media.Playing}[c.scene], c.name, c.want)
			e.Host = strings.ToLower(c.host)
			for at, want := range map[time.Time]media.Reason{
				end: media.Allowed, end.Add(7 * 24 * time.Hour): media.Allowed, end.Add(7*24*time.Hour + time.Second): media.SignatureExpired,
			} {
				if d := b.Decide(t.Context(), at, e); d.Reason != want {
					t.Errorf("at %v: %s, want %s", at, d.Reason, want)
				}
			}
		})
	}
}

func TestAURLEndsWhenAskedToOrTheValidityLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.WriteRule(t.Context(), WholeRule{Scene: media.Play, Enabled: on(true), Validity: time.Hour, Keys: []WholeKey{typeB("aaaaaaaa")}}); err != nil {
		t.Fatal(err)
	}
	end := start.Add(2 * time.Hour)
	for verbatim, last := range map[bool]time.Time{false: end, true: end.Add(time.Hour)} {
		_, query, _ := strings.Cut(b.SignWith(link(media.Play, "", stream("x"), "/live/x"), end, verbatim).URL, "?")
		e := play("x", query)
		if d := b.Decide(t.Context(), last, e); !d.Allow {
			t.Errorf("verbatim %v: %s in its last second", verbatim, d.Reason)
		}
		if d := b.Decide(t.Context(), last.Add(time.Second), e); d.Reason != media.SignatureExpired {
			t.Errorf("verbatim %v: %s a second later", verbatim, d.Reason)
		}
	}
	if s := b.SignWith(link(media.Publish, "", stream("x"), "/live/x"), end, true); s != (Signed{URL: "rtmp:///live/x"}) {
		t.Errorf("without a rule: %+v", s)
	}
}

func TestTheDomainOfASignatureIsTheRulesOrTheHost(t *testing.T) {
	t.Parallel()
	row := func(domain, vhost string) db.AuthRule {
		return db.AuthRule{ID: 1, Domain: domain, Vhost: vhost, Scene: "play", Scheme: "volcengine_custom", Enabled: true,
			Options: optionsToRow(urlsign.Options{Fields: []string{"key", "Domain", "StreamName", "volcTime"}})}
	}
	signedFor := func(domain, name string) string {
		at := fmt.Sprint(start.Add(time.Hour).Unix())
		return fmt.Sprintf("volcTime=%s&volcSecret=%x", at, md5.Sum([]byte("the-secret"+domain+name+at)))
	}
	for name, c := range map[string]struct {
		rule            db.AuthRule
		vhost, host     string
		signed, streams string
		want            media.Reason
	}{
		"the host as reported":              {row("", ""), "", "cdn.example", "cdn.example", "x", media.Allowed},
		"the host in another case":          {row("", ""), "", "CDN.Example", "cdn.example", "x", media.Allowed},
		"another host":                      {row("", ""), "", "evil.example", "cdn.example", "x", media.SignatureMismatch},
		"no host: the configured one":       {row("", ""), "", "", "pull.example", "x", media.Allowed},
		"no host, made for another":         {row("", ""), "", "", "cdn.example", "x", media.SignatureMismatch},
		"an address: the configured one":    {row("", ""), "", "192.0.2.1", "pull.example", "x", media.Allowed},
		"an address is no domain":           {row("", ""), "", "192.0.2.1", "192.0.2.1", "x", media.SignatureMismatch},
		"the rule's domain":                 {row("cdn.example", ""), "", "cdn.example", "cdn.example", "x", media.Allowed},
		"the rule's domain, by its vhost":   {row("cdn.example", ""), "cdn.example", "", "cdn.example", "x", media.Allowed},
		"that, whatever host the client is": {row("cdn.example", ""), "cdn.example", "evil.example", "cdn.example", "x", media.Allowed},
		"that, made for another":            {row("cdn.example", ""), "cdn.example", "evil.example", "evil.example", "x", media.SignatureMismatch},
		"the vhost is not the domain":       {row("", "v.example"), "v.example", "cdn.example", "cdn.example", "x", media.Allowed},
		"nor is its name":                   {row("", "v.example"), "v.example", "cdn.example", "v.example", "x", media.SignatureMismatch},
		// Fields that touch run together. Under a rule of a domain a client
		// cannot choose the text of the neighbour.
		"a longer host, a shorter name": {row("cdn.example", ""), "cdn.example", "cdn.exampleab", "cdn.example", "c", media.SignatureMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := pure(t)
			b.putRule(t, c.rule, key(1, "k1", "the-secret", KeyActive))
			made := c.streams
			if made == "c" {
				made = "abc"
			}
			e := play(c.streams, signedFor(c.signed, made))
			e.Host = c.host
			if c.vhost != "" {
				e.Stream.Vhost = c.vhost
			}
			b.reason(t, e, c.want)
		})
	}
}

func TestARuleOfAVhostThatWeHandOutIsOneOfTheDefaultVhost(t *testing.T) {
	t.Parallel()
	const push, pull = "push.example", "pull.example"
	for name, c := range map[string]struct {
		rules       []string // vhosts
		vhost, host string
		want        int // index of the rule, -1 for none
	}{
		"the push domain":                     {[]string{push}, media.DefaultVhost, "", 0},
		"the pull domain":                     {[]string{pull}, media.DefaultVhost, "", 0},
		"not whatever the client claims":      {[]string{pull, push}, media.DefaultVhost, "other.example", -1},
		"the scene's own before the other":    {[]string{push, pull}, media.DefaultVhost, "", 1},
		"before the default vhost by name":    {[]string{media.DefaultVhost, push}, media.DefaultVhost, "", 1},
		"the default vhost by name":           {[]string{media.DefaultVhost}, media.DefaultVhost, "", 0},
		"not of another vhost":                {[]string{push, pull}, "other.example", "", -1},
		"the name that the client used":       {[]string{push, "tenant.example"}, media.DefaultVhost, "tenant.example", 1},
		"a vhost of that name is itself":      {[]string{media.DefaultVhost, pull}, pull, "", 1},
		"a vhost that is not the default one": {[]string{media.DefaultVhost}, pull, "", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := pure(t)
			for i, vhost := range c.rules {
				b.putRule(t, db.AuthRule{ID: int64(i + 1), Vhost: vhost, Scene: "play", Enabled: true}, key(1, "k1", fmt.Sprintf("secret-of-%d", i), KeyActive))
			}
			st := media.Stream{Vhost: c.vhost, App: "live", Name: "x"}
			r, ok := b.ruleFor(media.Play, b.clientHost(media.Play, c.host), st)
			if ok != (c.want >= 0) || ok && r.id != int64(c.want+1) {
				t.Errorf("rule %+v, %v; want that of %d", r, ok, c.want)
			}
		})
	}
}

// What a room hands out must open on the servers that there are, whichever of
// the ways to name them a cloud-minded operator took for the rule.
func TestRoomURLsOpenUnderEveryWayToNameARule(t *testing.T) {
	t.Parallel()
	for _, at := range []struct{ domain, vhost string }{{}, {domain: "pull.example"}, {vhost: "pull.example"}, {vhost: "push.example"}, {vhost: media.DefaultVhost}} {
		for _, vhost := range []string{media.DefaultVhost, "pull.example"} {
			for _, host := range []string{"pull.example", "", "192.0.2.1"} {
				b := pure(t)
				b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Enabled: true}, key(1, "k1", "default-secret", KeyActive))
				if at.domain+at.vhost != "" {
					b.putRule(t, db.AuthRule{ID: 2, Domain: at.domain, Vhost: at.vhost, Scene: "play", Scheme: "volcengine_custom", Enabled: true,
						Options: optionsToRow(urlsign.Options{Fields: ofRequirement})}, key(2, "k1", "cloud-secret", KeyActive))
				}
				e := play("x", b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour)))
				e.Stream.Vhost, e.Host = vhost, host
				// Only a rule of the default vhost says nothing about a server with others.
				if at.vhost == media.DefaultVhost && vhost != media.DefaultVhost || at.vhost == "push.example" && vhost == "pull.example" {
					continue
				}
				if d := b.ask(t, e); !d.Allow {
					t.Errorf("rule of %+v, server with %q, host %q: %s", at, vhost, host, d.Reason)
				}
			}
		}
	}
}

func TestAKeyOfAnUnknownSchemeStopsNoOther(t *testing.T) {
	t.Parallel()
	b := pure(t)
	future, odd := key(2, "k2", "future-secret", KeyNext), key(3, "k3", "odd-secret", KeyNext)
	future.Scheme = "of-a-newer-release"
	odd.Scheme, odd.Options = "volcengine_b", []byte(`{"time_base": "sixteen"}`)
	b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Scheme: "volcengine_b", Enabled: false}, key(1, "k1", "known-secret", KeyActive), future, odd)
	b.reason(t, play("x", queryOf(t, typeB("known-secret"))), media.Allowed)
	b.reason(t, play("x", queryOf(t, typeB("odd-secret"))), media.SignatureMismatch)
	// It cannot be told whether a request has a signature of the other ones.
	b.reason(t, play("x", ""), media.NoCredential)
}

// Options that this release cannot read must not be read by halves.
func TestARuleOfUnknownOptionsAdmitsNobody(t *testing.T) {
	t.Parallel()
	for _, options := range []string{`{"time_param": "volcTime", "salt": "x"}`, `{"time_base": "10"}`, `[]`, `{"time_base": 10, "time_base": []}`} {
		b := pure(t)
		b.putRule(t, db.AuthRule{ID: 1, Scene: "play", Scheme: "volcengine_b", Enabled: false, Options: []byte(options)}, key(1, "k1", "known-secret", KeyActive))
		b.reason(t, play("x", queryOf(t, typeB("known-secret"))), media.NoCredential)
		if q := b.SignQuery(media.Play, "", stream("x"), "/live/x", start); q != "" {
			t.Errorf("%s signs %s", options, q)
		}
	}
}

// What a client sends under rules of a cloud vendor's kind is admitted only
// with a hash that one of the secrets made for the names that it is asked for.
func FuzzDecideUnderVolcengineRules(f *testing.F) {
	b := pure(f)
	fields := []string{"key", "Domain", "AppName", "StreamName", "volcTime"}
	b.putRule(f, db.AuthRule{ID: 1, Scene: "play", Scheme: "volcengine_custom", Enabled: true, Options: optionsToRow(urlsign.Options{Fields: fields, TimeBase: 16})},
		key(1, "k1", "custom-secret", KeyActive), db.SigningKey{ID: 2, Kid: "k2", SecretSealed: []byte("b-secret"), State: "next", Scheme: "volcengine_b"},
		key(3, "k3", "gone-secret", KeyRevoked))
	b.putRule(f, db.AuthRule{ID: 2, Domain: "cdn.example", Scene: "play", Scheme: "volcengine_b", Enabled: true}, key(4, "k1", "b-secret", KeyActive))
	b.view.bans.put(db.Ban{ID: 1, Vhost: media.DefaultVhost, App: "live", Stream: "banned", Until: start.Add(time.Hour)})
	good := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour))
	for _, query := range []string{"", good, good + "&volcTime=1", "?" + good + "?" + good, strings.ToUpper(good), "volcTime=1700003600&volcSecret=" + strings.Repeat("0", 32)} {
		f.Add(query, "x", "live", media.DefaultVhost, "pull.example")
		f.Add(query, "banned", "live", "", "cdn.example")
	}
	f.Fuzz(func(t *testing.T, query, name, app, vhost, host string) {
		e := media.Event{Action: media.Playing, Stream: media.Stream{Vhost: vhost, App: app, Name: name}, Host: host, Query: query}
		d := b.decide(start, &e, false, nobody{}.Holder)
		if !d.Allow {
			return
		}
		digits, _, _ := urlsign.Param(query, "volcTime")
		sum, _, _ := urlsign.Param(query, "volcSecret")
		domain := b.clientHost(media.Play, host)
		for _, text := range []string{"custom-secret" + domain + app + name + digits, "/" + app + "/" + name + "b-secret" + digits} {
			if fmt.Sprintf("%x", md5.Sum([]byte(text))) == sum && (name != "banned" || app != "live" || (vhost != "" && vhost != media.DefaultVhost)) {
				return
			}
		}
		t.Fatalf("%+v is admitted", e)
	})
}
