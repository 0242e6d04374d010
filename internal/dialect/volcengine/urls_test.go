package volcengine

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

func (b *bench) pushURL(t *testing.T, version, body string) gen.GeneratePushURLResult {
	t.Helper()
	return result[gen.GeneratePushURLResult](t, b.call(t, request{action: "GeneratePushURL", version: version, body: body}))
}

func (b *bench) playURLs(t *testing.T, version, body string) gen.GeneratePlayURLResult {
	t.Helper()
	return result[gen.GeneratePlayURLResult](t, b.call(t, request{action: "GeneratePlayURL", version: version, body: body}))
}

func TestAPushURLHasTheTimeThatWasAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2020, twoKeys)
	now := b.clock.now()
	until := now.Add(36 * time.Hour).UTC()
	for body, want := range map[string]time.Time{
		``:                                    now.Add(7 * 24 * time.Hour),
		`,"ValidDuration":null`:               now.Add(7 * 24 * time.Hour),
		`,"ValidDuration":3600`:               now.Add(time.Hour),
		`,"ValidDuration":1,"ExpiredTime":""`: now.Add(time.Second),
		`,"ValidDuration":60,"ExpiredTime":"` + until.Format(time.RFC3339) + `"`:                                until,
		`,"ExpiredTime":"` + until.In(time.FixedZone("", 8*3600)).Format("2006-01-02T15:04:05.000Z07:00") + `"`: until,
	} {
		got := b.pushURL(t, version2020, `{"Vhost":"push.example.com","Domain":"","App":"live","Stream":"x"`+body+`}`)
		if want := fmt.Sprintf("rtmp://push.example.com:1936/live/x?volcTime=%d&volcSecret=", want.Unix()); !strings.HasPrefix(got.PushURLList[0], want) {
			t.Errorf("%s: got %s, want %s", body, got.PushURLList[0], want)
		}
	}
}

func TestAPushURLComesInTwoPartsToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2020, twoKeys)
	got := b.pushURL(t, version2023, `{"Vhost":"push.example.com","App":"live","Stream":"x"}`)
	d := got.PushURLListDetail[0]
	if d.DomainApp != "rtmp://push.example.com:1936/live/" || d.DomainApp+d.StreamSign != d.URL || d.URL != got.PushURLList[0] || got.AuthType != "TypeB" {
		t.Errorf("%+v", got)
	}
	r := b.call(t, post2020("GeneratePushURL", `{"Vhost":"push.example.com","App":"live","Stream":"x"}`))
	for _, want := range []string{`"TsOverSrtURLList":[]`, `"RtmpOverSrtURLList":[]`, `"RtmURLList":[]`, `"WebTransportURLList":[]`} {
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("no %s in %s", want, r.Body)
		}
	}
	if strings.Contains(string(r.Body), "AuthType") {
		t.Errorf("AuthType in %s", r.Body)
	}
}

func TestPushURLsOpenTheDoorOfTheServerThatTheyLeadTo(t *testing.T) {
	t.Parallel()
	custom := `"AuthDetailList":[{"SecretKey":"A1B2C3d4e5f6","EncryptionAlgorithm":"md5_custom","AuthField":{"volcSecret":"sign","volcTime":"expire"},` +
		`"EncryptField":["key","volcTime","Domain","AppName","StreamName"]}]}`
	for name, tc := range map[string]struct {
		rule, in string
		vhosts   []string // that the server may report
	}{
		"no rule but the default":    {"", `"Vhost":"push.example.com"`, []string{media.DefaultVhost, pushHost}},
		"the default vhost":          {`{"Vhost":"__defaultVhost__",` + custom, `"Vhost":"__defaultVhost__"`, []string{media.DefaultVhost}},
		"a vhost of our own":         {`{"Vhost":"push.example.com",` + custom, `"Vhost":"push.example.com"`, []string{media.DefaultVhost, pushHost}},
		"a vhost of another name":    {`{"Vhost":"other.example.com",` + custom, `"Vhost":"other.example.com"`, []string{media.DefaultVhost, "other.example.com"}},
		"a domain":                   {`{"Domain":"d.example.com",` + custom, `"Vhost":"v.example.com","Domain":"d.example.com"`, []string{media.DefaultVhost, "v.example.com"}},
		"our own domain":             {`{"Domain":"push.example.com",` + custom, `"Vhost":"v.example.com","Domain":"PUSH.example.com"`, []string{media.DefaultVhost, "v.example.com"}},
		"a domain without a rule":    {"", `"Vhost":"v.example.com","Domain":"d.example.com"`, []string{media.DefaultVhost, "v.example.com"}},
		"a vhost of one application": {`{"Vhost":"v.example.com","App":"live",` + custom, `"Vhost":"v.example.com"`, []string{media.DefaultVhost, "v.example.com"}},
	} {
		for _, vhost := range tc.vhosts {
			t.Run(name+" on "+vhost, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				if tc.rule != "" {
					b.update(t, version2020, strings.Replace(tc.rule, "{", `{"SceneType":"push","PushPullEnable":true,`, 1))
				}
				got := b.pushURL(t, version2020, `{`+tc.in+`,"App":"live","Stream":"x","ValidDuration":60}`)
				if v := b.publish(t, vhost, strings.Replace(got.PushURLList[0], "/live/x", "/live/y", 1)); v.Allow {
					t.Errorf("it opens another stream: %+v", v)
				}
				if v := b.publish(t, vhost, got.PushURLList[0]); !v.Allow || v.Reason != media.Allowed {
					t.Errorf("%s: %+v", got.PushURLList[0], v)
				}
			})
		}
	}
}

func TestPullURLsAreOneForEachProtocol(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2023, `{"Domain":"pull.example.com","SceneType":"pull","PushPullEnable":true,"AuthDetailList":[{"SecretKey":"A1B2C3d4e5f6","EncryptionAlgorithm":"md5","AuthType":"TypeB"}]}`)
	got := b.playURLs(t, version2023, `{"Domain":"pull.example.com","App":"live","Stream":"x","StreamType":"source","ValidDuration":60}`)
	var bases []string
	for _, u := range got.URLList {
		base, _, _ := strings.Cut(u.URL, "?")
		bases = append(bases, string(u.Protocol)+" "+base)
		if u.Type != "pull" || u.CDN != "fcdn" || u.SubStreamURL == nil || len(*u.SubStreamURL) != 0 {
			t.Errorf("%+v", u)
		}
		parsed, err := url.Parse(u.URL)
		if err != nil {
			t.Fatal(err)
		}
		protocol := map[gen.PlayURLProtocol]string{"rtmp": "rtmp", "flv": "http-flv", "hls": "hls"}[u.Protocol]
		e := b.event(media.Playing, media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "x"}, parsed.Hostname(), parsed.RawQuery)
		e.Protocol, e.ClientID = protocol, protocol
		if d := b.access.Decide(t.Context(), b.clock.now(), e); !d.Allow {
			t.Errorf("%s: %s", u.URL, d.Reason)
		}
	}
	if want := "[rtmp rtmp://pull.example.com/live/x flv https://pull.example.com:8443/live/x.flv hls https://pull.example.com:8443/live/x.m3u8]"; fmt.Sprint(bases) != want {
		t.Errorf("got  %v\nwant %s", bases, want)
	}
	if got.AuthType != "TypeB" {
		t.Errorf("AuthType %q", got.AuthType)
	}
	older := b.playURLs(t, version2020, `{"Vhost":"v","Domain":"d.example.com","App":"live","Stream":"x","Suffix":"hd","Type":"fcdn"}`)
	if u := older.URLList[1]; !strings.HasPrefix(u.URL, "https://d.example.com/live/x_hd.flv?") || u.SubStreamURL != nil || older.AuthType != "" {
		t.Errorf("%+v", older)
	}
}

func TestThirdPartiesHaveNoURLs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.call(t, post2020("GeneratePlayURL", `{"Domain":"pull.example.com","App":"live","Stream":"x","Type":"3rd"}`))
	if !strings.Contains(string(r.Body), `"Result":{"URLList":[]}`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestNoSignatureIsMadeWhereNoneIsAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2020, strings.Replace(twoKeys, `"PushPullEnable":true`, `"PushPullEnable":false`, 1))
	got := b.pushURL(t, version2023, `{"Vhost":"push.example.com","App":"live","Stream":"x"}`)
	if got.PushURLList[0] != "rtmp://push.example.com:1936/live/x" || got.PushURLListDetail[0].StreamSign != "x" || got.AuthType != "" {
		t.Errorf("%+v", got)
	}
	if v := b.publish(t, media.DefaultVhost, got.PushURLList[0]); v.Reason != media.OpenPolicy {
		t.Errorf("%+v", v)
	}
}

func TestAChangedKeyCountsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.update(t, version2020, twoKeys)
	push := func() string {
		return b.pushURL(t, version2020, `{"Vhost":"push.example.com","App":"live","Stream":"x"}`).PushURLList[0]
	}
	old := push()
	swapped := strings.NewReplacer("A1B2C3d4e5f6", "9z8y7x6w5v4u", "9z8y7x6w5v4u", "A1B2C3d4e5f6").Replace(twoKeys)
	b.update(t, version2020, swapped)
	if now := push(); now == old {
		t.Error("the first key does not sign")
	}
	st := media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "x"}
	for _, u := range []string{old, push()} { // both verify
		if v := b.publish(t, st.Vhost, u); !v.Allow {
			t.Errorf("%s: %+v", u, v)
		}
		b.unpublish(t, st)
	}
	b.update(t, version2020, strings.ReplaceAll(strings.ReplaceAll(twoKeys, "A1B2C3d4e5f6", "fresh1"), "9z8y7x6w5v4u", "fresh2"))
	if v := b.publish(t, st.Vhost, old); v.Reason != media.KeyRevoked {
		t.Errorf("%+v", v)
	}
}

func TestBrokenURLRequestsAreNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const (
		value = gen.VolcengineErrorCodeInvalidParam
		bind  = gen.VolcengineErrorCodeInvalidParamBindError
	)
	push := func(more string) string { return `{"Vhost":"v","App":"live","Stream":"x",` + more + `}` }
	play := func(more string) string { return `{"Domain":"d","App":"live","Stream":"x",` + more + `}` }
	for _, tc := range []struct {
		action, version, body string
		code                  gen.VolcengineErrorCode
		says                  string
	}{
		{"GeneratePushURL", version2020, `{"Domain":"d","App":"live","Stream":"x"}`, bind, "Vhost"},
		{"GeneratePushURL", version2020, `{"Vhost":"v","Stream":"x"}`, bind, "App"},
		{"GeneratePushURL", version2020, `{"Vhost":"v","App":"live","Stream":""}`, bind, "Stream"},
		{"GeneratePushURL", version2020, `{"Vhost":"v","App":"live","Stream":"` + strings.Repeat("a", 101) + `"}`, value, "Stream"},
		{"GeneratePushURL", version2020, `{"Vhost":"v","App":"live","Stream":"a/b"}`, value, "Stream"},
		{"GeneratePushURL", version2020, push(`"Domain":"a/b"`), value, "Domain"},
		{"GeneratePushURL", version2020, push(`"ValidDuration":0`), value, "ValidDuration"},
		{"GeneratePushURL", version2020, push(`"ValidDuration":-1`), value, "ValidDuration"},
		{"GeneratePushURL", version2020, push(`"ValidDuration":1.5`), bind, "ValidDuration"},
		{"GeneratePushURL", version2020, push(`"ExpiredTime":"tomorrow"`), value, "ExpiredTime"},
		{"GeneratePushURL", version2020, push(`"ExpiredTime":"2030-05-17T12:00:00Z"`), value, "passed"},
		{"GeneratePushURL", version2020, push(`"ExpiredTime":"2041-05-17T12:00:00Z"`), value, "ten years"},
		{"GeneratePushURL", version2020, push(`"ExpiredTime":"1969-05-17T12:00:00Z"`), value, "ExpiredTime"},
		{"GeneratePlayURL", version2020, `{"Vhost":"v","App":"live","Stream":"x"}`, bind, "Domain"},
		{"GeneratePlayURL", version2020, play(`"Type":"4th"`), value, "Type"},
		{"GeneratePlayURL", version2020, play(`"Suffix":"a/b"`), value, "Suffix"},
		{"GeneratePlayURL", version2023, play(`"Type":""`), bind, "StreamType"},
		{"GeneratePlayURL", version2023, play(`"StreamType":"none"`), value, "StreamType"},
		{"GeneratePlayURL", version2023, play(`"StreamType":"transcode"`), bind, "Suffix"},
		{"GeneratePlayURL", version2023, play(`"StreamType":"source","ValidDuration":0`), value, "ValidDuration"},
	} {
		e := b.bad(t, request{action: tc.action, version: tc.version, body: tc.body}).fails(t, http.StatusBadRequest, tc.code)
		if !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s %s: %q does not mention %q", tc.action, tc.body, e.Message, tc.says)
		}
	}
}
