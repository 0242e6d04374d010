package volcengine

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

const twoKeys = `{"Vhost":"push.example.com","App":"live","SceneType":"push","PushPullEnable":true,"ValidDuration":3600,"AuthDetailList":[` +
	`{"SecretKey":"A1B2C3d4e5f6","EncryptionAlgorithm":"md5"},{"SecretKey":"9z8y7x6w5v4u","EncryptionAlgorithm":"md5","AuthField":{},"EncryptField":[]}]}`

// list returns what DescribeAuth shows.
func (b *bench) list(t *testing.T, version, body string) []gen.AuthEntry {
	t.Helper()
	b.clock.advance(time.Second) // a new second, a new allowance
	return result[gen.DescribeAuthResult](t, b.call(t, request{action: "DescribeAuth", version: version, body: body})).AuthList
}

func (b *bench) one(t *testing.T, version, body string) gen.AuthEntry {
	t.Helper()
	all := b.list(t, version, body)
	if len(all) != 1 {
		t.Fatalf("%d entries: %+v", len(all), all)
	}
	return all[0]
}

func (b *bench) update(t *testing.T, version, body string) {
	t.Helper()
	b.clock.advance(time.Second)
	b.call(t, request{action: "UpdateAuthKey", version: version, body: body}).done(t)
}

func TestNothingConfiguredIsAnEmptyList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.call(t, post2020("DescribeAuth", `{"Vhost":"push.example.com"}`))
	if r.Status != http.StatusOK || !strings.Contains(string(r.Body), `"Result":{"AuthList":[]}`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestWhatIsWrittenIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2020, twoKeys)
	r := b.call(t, post2020("DescribeAuth", `{"Vhost":"push.example.com","Domain":"","App":null,"SceneType":"push"}`))
	want := `"Result":{"AuthList":[{"App":"live","AuthDetailList":[{"AuthField":{},"EncryptField":[],"EncryptionAlgorithm":"md5","SecretKey":"A1B2C3d4e5f6"},` +
		`{"AuthField":{},"EncryptField":[],"EncryptionAlgorithm":"md5","SecretKey":"9z8y7x6w5v4u"}],` +
		`"AuthStatus":true,"Domain":"","SceneType":"push","ValidDuration":3600,"Vhost":"push.example.com"}]}`
	if !strings.Contains(string(r.Body), want) {
		t.Errorf("got  %s\nwant %s", r.Body, want)
	}
	newer := b.one(t, version2023, `{"Vhost":"push.example.com","SceneType":"push"}`)
	if newer.TimeStampBase != 10 || newer.AuthDetailList[0].AuthType != "TypeB" {
		t.Errorf("%+v", newer)
	}
}

func TestDescribeAuthShowsExactlyTheNameAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := `"SceneType":"%s","AuthDetailList":[{"SecretKey":"A1B2C3d4e5f6","EncryptionAlgorithm":"md5"}]}`
	for _, where := range []string{
		`{"Vhost":"v.example.com",` + fmt.Sprintf(key, "push"), `{"Vhost":"v.example.com",` + fmt.Sprintf(key, "pull"),
		`{"Vhost":"v.example.com","App":"live",` + fmt.Sprintf(key, "push"), `{"Domain":"V.example.com",` + fmt.Sprintf(key, "push"),
		`{"Vhost":"other.example.com",` + fmt.Sprintf(key, "push"),
	} {
		b.update(t, version2020, where)
	}
	for body, want := range map[string]int{
		`{"Vhost":"v.example.com"}`: 3, `{"Vhost":"v.example.com","SceneType":"push"}`: 2, `{"Vhost":"v.example.com","SceneType":"pull"}`: 1,
		`{"Vhost":"v.example.com","App":"live"}`: 1, `{"Vhost":"v.example.com","App":"none"}`: 0, `{"Domain":"v.example.com"}`: 1,
		`{"Domain":"v.EXAMPLE.com","SceneType":"pull"}`: 0, `{"Vhost":"none.example.com"}`: 0, `{"Vhost":"__defaultVhost__"}`: 0,
	} {
		if got := b.list(t, version2020, body); len(got) != want {
			t.Errorf("%s: %d entries, want %d: %+v", body, len(got), want, got)
		}
	}
}

func TestRulesOfOtherSchemesAreShownUnderTheirName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, n := range []access.NewRule{
		{Domain: "a.example.com", Scene: media.Play, Scheme: "aliyun_a", Secret: "another-secret-1"},
		{Domain: "s.example.com", App: "a/b", Scene: media.Publish, Secret: "another-secret-2"},
	} {
		if _, err := b.access.CreateRule(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	got := b.one(t, version2023, `{"Domain":"a.example.com","SceneType":"pull"}`)
	if d := got.AuthDetailList[0]; d.EncryptionAlgorithm != "aliyun_a" || d.AuthType != "aliyun_a" || d.SecretKey != "another-secret-1" {
		t.Errorf("%+v", got)
	}
	got = b.one(t, version2020, `{"Domain":"s.example.com"}`)
	if d := got.AuthDetailList[0]; d.EncryptionAlgorithm != "stagedoor" || d.AuthType != "" || got.App != "a/b" {
		t.Errorf("%+v", got)
	}
}

func TestAnUpdateOverwritesEverythingButWhatItDoesNotSay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := func(extra string) string {
		return `{"Vhost":"push.example.com","App":"live","SceneType":"push",` + extra + `"AuthDetailList":[{"SecretKey":"onlyone","EncryptionAlgorithm":"md5"}]}`
	}
	b.update(t, version2020, twoKeys)
	b.update(t, version2020, one(""))
	got := b.one(t, version2020, `{"Vhost":"push.example.com"}`)
	if len(got.AuthDetailList) != 1 || got.AuthDetailList[0].SecretKey != "onlyone" || got.ValidDuration != 604800 || !got.AuthStatus {
		t.Errorf("%+v", got)
	}
	b.update(t, version2023, one(""))
	if got := b.one(t, version2020, `{"Vhost":"push.example.com"}`); got.AuthStatus || got.ValidDuration != 604800 {
		t.Errorf("the newer version leaves it on: %+v", got)
	}
	b.update(t, version2020, one(`"PushPullEnable":true,`))
	b.update(t, version2020, one(`"PushPullEnable":null,`))
	if got := b.one(t, version2020, `{"Vhost":"push.example.com"}`); !got.AuthStatus {
		t.Errorf("%+v", got)
	}
}

func TestANewRuleIsOffUnlessItSaysOtherwise(t *testing.T) {
	t.Parallel()
	for _, version := range []string{version2020, version2023} {
		b := setup(t)
		b.update(t, version, `{"Domain":"x.example.com","SceneType":"pull","AuthDetailList":[{"SecretKey":"k","EncryptionAlgorithm":"md5"}]}`)
		if got := b.one(t, version2020, `{"Domain":"x.example.com"}`); got.AuthStatus || got.ValidDuration != 604800 || got.App != "" || got.SceneType != "pull" {
			t.Errorf("%s: %+v", version, got)
		}
	}
}

func TestTheEditionsOfTheNewerVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	with := func(detail, extra string) string {
		return `{"Domain":"x.example.com","SceneType":"pull",` + extra + `"AuthDetailList":[` + detail + `]}`
	}
	for _, tc := range []struct {
		detail, extra string
		want          gen.AuthEntry
	}{
		{`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeB"}`, "",
			gen.AuthEntry{ValidDuration: 0, TimeStampBase: 10, AuthDetailList: []gen.AuthDetail{{AuthType: "TypeB", EncryptionAlgorithm: "md5"}}}},
		{`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeA"}`, `"ValidDuration":60,`,
			gen.AuthEntry{ValidDuration: 60, TimeStampBase: 10, AuthDetailList: []gen.AuthDetail{{AuthType: "TypeA", EncryptionAlgorithm: "md5"}}}},
		{`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeB","AuthField":{"volcSecret":"sign","volcTime":null},"EncryptField":["AppName","StreamName","SecretKey","volcTime"]}`, `"TimeStampBase":16,`,
			gen.AuthEntry{TimeStampBase: 16, AuthDetailList: []gen.AuthDetail{{AuthType: "TypeB", EncryptionAlgorithm: "md5", AuthField: gen.AuthField{VolcSecret: "sign", VolcTime: "volcTime"}}}}},
		{`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom","AuthType":"TypeCustom","EncryptField":["key","volcTime","Domain"]}`, `"TimeStampBase":2,`,
			gen.AuthEntry{TimeStampBase: 2, AuthDetailList: []gen.AuthDetail{{AuthType: "TypeCustom", EncryptionAlgorithm: "md5_custom",
				AuthField: gen.AuthField{VolcSecret: "volcSecret", VolcTime: "volcTime"}, EncryptField: []string{"SecretKey", "volcTime", "Domain"}}}}},
		{`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom","EncryptField":["AppName",null,"SecretKey","expireTime",""]}`, "",
			gen.AuthEntry{ValidDuration: 604800, TimeStampBase: 10, AuthDetailList: []gen.AuthDetail{{AuthType: "TypeCustom", EncryptionAlgorithm: "md5_custom",
				AuthField: gen.AuthField{VolcSecret: "volcSecret", VolcTime: "volcTime"}, EncryptField: []string{"AppName", "SecretKey", "volcTime"}}}}},
	} {
		b.clock.advance(time.Second)
		b.bad(t, post2023("UpdateAuthKey", with(tc.detail, tc.extra))).done(t)
		got := b.one(t, version2023, `{"Domain":"x.example.com","SceneType":"pull"}`)
		tc.want.Domain, tc.want.SceneType, tc.want.AuthDetailList[0].SecretKey = "x.example.com", "pull", "k"
		if tc.want.AuthDetailList[0].EncryptField == nil {
			tc.want.AuthDetailList[0].EncryptField = []string{}
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", tc.want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", tc.detail, got, tc.want)
		}
	}
}

func TestTheOlderVersionCallsTheKeyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2020, `{"Domain":"x.example.com","SceneType":"push","TimeStampBase":16,"AuthDetailList":[{"SecretKey":"k","EncryptionAlgorithm":"md5_custom",`+
		`"AuthType":"TypeB","AuthField":{"volcSecret":"sign","volcTime":"expire"},"EncryptField":["SecretKey","volcTime"]}]}`)
	r := b.call(t, post2020("DescribeAuth", `{"Domain":"x.example.com"}`))
	for _, want := range []string{`"EncryptField":["key","volcTime"]`, `"AuthField":{"volcSecret":"sign","volcTime":"expire"}`} {
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("no %s in %s", want, r.Body)
		}
	}
	for _, newer := range []string{"AuthType", "TimeStampBase"} {
		if strings.Contains(string(r.Body), newer) {
			t.Errorf("%s in %s", newer, r.Body)
		}
	}
}

func TestRulesAreSwitchedInTheOlderVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const entry = `{"Vhost":"push.example.com","App":"live","SceneType":"push"}`
	b.update(t, version2020, twoKeys)
	b.call(t, post2020("DisableAuth", entry)).done(t)
	if got := b.one(t, version2020, `{"Vhost":"push.example.com"}`); got.AuthStatus || len(got.AuthDetailList) != 2 {
		t.Errorf("%+v", got)
	}
	b.call(t, post2020("EnableAuth", entry)).done(t)
	if got := b.one(t, version2020, `{"Vhost":"push.example.com"}`); !got.AuthStatus {
		t.Errorf("%+v", got)
	}
	for _, action := range []string{"EnableAuth", "DisableAuth"} {
		b.bad(t, post2023(action, entry)).fails(t, http.StatusNotFound, gen.VolcengineErrorCodeInvalidActionOrVersion)
		for _, none := range []string{`{"Vhost":"push.example.com","SceneType":"push"}`, `{"Domain":"push.example.com","App":"live","SceneType":"push"}`,
			`{"Vhost":"push.example.com","App":"live","SceneType":"pull"}`} {
			b.bad(t, post2020(action, none)).fails(t, http.StatusForbidden, gen.VolcengineErrorCodeRequestForbidden)
		}
	}
}

// broken are bodies that break a rule of a request with a place, an
// application and a scene.
func TestBrokenRulesAreNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const (
		value = gen.VolcengineErrorCodeInvalidParam
		bind  = gen.VolcengineErrorCodeInvalidParamBindError
	)
	detail := func(d string) string { return `{"Vhost":"v","SceneType":"push","AuthDetailList":[` + d + `]}` }
	pull := func(d string) string { return `{"Vhost":"v","SceneType":"pull","AuthDetailList":[` + d + `]}` }
	rest := `"SceneType":"push","AuthDetailList":[{"SecretKey":"k","EncryptionAlgorithm":"md5"}]}`
	for _, tc := range []struct {
		action, version, body string
		code                  gen.VolcengineErrorCode
		says                  string
	}{
		{"DescribeAuth", version2020, `{}`, value, "exactly one"},
		{"DescribeAuth", version2020, ``, value, "exactly one"},
		{"DescribeAuth", version2020, `{"Vhost":"a","Domain":"b"}`, value, "exactly one"},
		{"DescribeAuth", version2020, `{"Vhost":"","Domain":null}`, value, "exactly one"},
		{"DescribeAuth", version2020, `{"Vhost":"a b"}`, value, "Vhost"},
		{"DescribeAuth", version2020, `{"Domain":"` + strings.Repeat("a", 254) + `"}`, value, "Domain"},
		{"DescribeAuth", version2020, `{"Vhost":"v","App":"a/b"}`, value, "App"},
		{"DescribeAuth", version2020, `{"Vhost":"v","App":"` + strings.Repeat("a", 31) + `"}`, value, "App"},
		{"DescribeAuth", version2020, `{"Vhost":"v","SceneType":"both"}`, value, "SceneType"},
		{"DescribeAuth", version2023, `{"Vhost":"v"}`, bind, "SceneType"},
		{"DescribeAuth", version2020, `{"Vhost":7}`, bind, "Vhost"},
		{"DescribeAuth", version2020, `[]`, bind, "JSON"},
		{"DescribeAuth", version2020, `null`, bind, "JSON"},
		{"DescribeAuth", version2020, `{"Vhost":"v"}{}`, bind, "JSON"},
		{"DescribeAuth", version2020, "{\"Vhost\":\"\xff\"}", bind, "JSON"},
		{"EnableAuth", version2020, `{"Vhost":"v"}`, bind, "SceneType"},
		{"EnableAuth", version2020, `{"SceneType":"push"}`, value, "exactly one"},
		{"DisableAuth", version2020, `{"Vhost":"v","SceneType":"push","App":"?"}`, value, "App"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","AuthDetailList":[]}`, bind, "SceneType"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","SceneType":"push"}`, bind, "AuthDetailList"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","SceneType":"push","AuthDetailList":{}}`, bind, "AuthDetailList"},
		{"UpdateAuthKey", version2020, detail(strings.Repeat(`{},`, 100) + `{}`), value, "100"},
		{"UpdateAuthKey", version2020, `{"Domain":"v:1935",` + rest, value, "domain"},
		{"UpdateAuthKey", version2020, `{"Domain":"a..b",` + rest, value, "domain"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","App":"a..b",` + rest, value, "application"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","ValidDuration":59,` + rest, value, "60"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","ValidDuration":0,` + rest, value, "60"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","ValidDuration":2592001,` + rest, value, "2592000"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","ValidDuration":"60",` + rest, bind, "ValidDuration"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","ValidDuration":99999999999,` + rest, bind, "ValidDuration"},
		{"UpdateAuthKey", version2023, `{"Vhost":"v","ValidDuration":-1,` + rest, value, "2592000"},
		{"UpdateAuthKey", version2023, `{"Vhost":"v","TimeStampBase":3,` + rest, value, "TimeStampBase"},
		{"UpdateAuthKey", version2023, `{"Vhost":"v","TimeStampBase":16,` + rest, value, "push URLs"},
		{"UpdateAuthKey", version2020, `{"Vhost":"v","PushPullEnable":1,` + rest, bind, "PushPullEnable"},
		{"UpdateAuthKey", version2020, detail(`{"EncryptionAlgorithm":"md5"}`), bind, "SecretKey"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"a-b","EncryptionAlgorithm":"md5"}`), value, "SecretKey"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"` + strings.Repeat("a", 101) + `","EncryptionAlgorithm":"md5"}`), value, "SecretKey"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k"}`), bind, "EncryptionAlgorithm"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"sha256"}`), value, "EncryptionAlgorithm"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5","EncryptField":["key"]}`), value, "EncryptField"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom"}`), value, "key"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom","EncryptField":["key"]}`), value, "volcTime"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom","EncryptField":["key","volcTime","Path"]}`), value, "field"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom","EncryptField":["key","SecretKey","volcTime"]}`), value, "twice"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom","EncryptField":["` + strings.Repeat(`key","`, 16) + `"]}`), value, "16"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthField":{"volcSecret":"a b"}}`), value, "parameter"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthField":{"volcSecret":"x","volcTime":"x"}}`), value, "parameters"},
		{"UpdateAuthKey", version2020, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthField":[]}`), bind, "AuthField"},
		{"UpdateAuthKey", version2023, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeD"}`), value, "AuthType"},
		{"UpdateAuthKey", version2023, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeCustom"}`), value, "TypeCustom"},
		{"UpdateAuthKey", version2023, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5_custom","AuthType":"TypeB"}`), value, "TypeCustom"},
		{"UpdateAuthKey", version2023, detail(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeA"}`), value, "push URLs"},
		{"UpdateAuthKey", version2023, pull(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeC"}`), value, "not supported"},
		{"UpdateAuthKey", version2023, pull(`{"SecretKey":"k","EncryptionAlgorithm":"md5","AuthType":"TypeA","EncryptField":["key"]}`), value, "EncryptField"},
	} {
		b.clock.advance(time.Second)
		e := b.bad(t, request{action: tc.action, version: tc.version, body: tc.body}).fails(t, http.StatusBadRequest, tc.code)
		if !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s %s: %q does not mention %q", tc.action, tc.body, e.Message, tc.says)
		}
	}
	if rules, err := b.access.Rules(t.Context()); err != nil || len(rules) != 2 {
		t.Errorf("a refused request made a rule: %+v %v", rules, err)
	}
}
