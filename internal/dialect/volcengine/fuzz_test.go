package volcengine

import (
	"net/url"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// said fails the test unless an error is one that the caller may be told.
func said(t *testing.T, err error) {
	t.Helper()
	if err != nil && errs.KindOf(err) != errs.Invalid {
		t.Errorf("%v is of kind %s", err, errs.KindOf(err))
	}
}

// FuzzBody reads any body as each action does. What is accepted as a rule has
// bounds and keys that sign.
func FuzzBody(f *testing.F) {
	f.Add([]byte(twoKeys))
	f.Add([]byte(`{"Domain":"d","SceneType":"pull","TimeStampBase":2,"ValidDuration":0,"AuthDetailList":[{"SecretKey":"k","EncryptionAlgorithm":"md5_custom",` +
		`"AuthType":"TypeCustom","AuthField":{"volcSecret":"s","volcTime":"t"},"EncryptField":["key","volcTime",null,"Domain"]}]}`))
	f.Add([]byte(`{"Vhost":"v","App":"a","Stream":"s","ValidDuration":1,"ExpiredTime":"2031-01-01T00:00:00.5+08:00","EndTime":"2030-06-01T00:00:00Z"}`))
	f.Add([]byte(` {"AuthDetailList":[null,{}],"PushPullEnable":null}`))
	f.Add([]byte("{\"Vhost\":\"\xff\"}"))
	now := time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, newer := range []bool{false, true} {
			in, err := decode[gen.UpdateAuthKeyRequest](body)
			said(t, err)
			rule, err := toRule(in, newer)
			said(t, err)
			if err == nil && (rule.Validity < 0 || rule.Validity > maxValidity*time.Second || len(rule.Keys) == 0 || len(rule.Keys) > maxDetails) {
				t.Errorf("%+v", rule)
			}
			for _, k := range rule.Keys {
				if _, schemeErr := urlsign.New(k.Scheme, k.Options); err == nil && (schemeErr != nil || k.Secret == "") {
					t.Errorf("%+v: %v", k, schemeErr)
				}
			}
			_, err = ruleFilter(&call{newer: newer}, gen.DescribeAuthRequest{Vhost: in.Vhost, Domain: in.Domain, App: in.App, SceneType: string(in.SceneType)})
			said(t, err)
		}
		stream, err := decode[gen.ForbidStreamRequest](body)
		said(t, err)
		if until, err := banEnd(now, stream.EndTime); err == nil && (!until.After(now) || until.After(now.Add(longestBan))) {
			t.Errorf("a ban until %v", until)
		}
		_, err = streamAt(stream.Vhost, stream.Domain, stream.App, stream.Stream)
		said(t, err)
		urls, err := decode[gen.GeneratePushURLRequest](body)
		said(t, err)
		if until, err := expiry(now, urls.ValidDuration, urls.ExpiredTime); err == nil && !until.After(now) {
			t.Errorf("a URL until %v", until)
		}
	})
}

// FuzzQuery reads any query as the lists do.
func FuzzQuery(f *testing.F) {
	f.Add("PageNum=1&PageSize=10&Vhost=a&App=b&Stream=c&QueryType=fuzzy&Sort=asc&SourceType=relay&StreamType=trans&InfoType=all,bitrate")
	f.Add("PageNum=+1&PageSize=0x1&Vhost=a&Domain=b")
	f.Add("PageNum=99999999999999999999&PageSize=-1&InfoType=,")
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		in := &values{query: query}
		p, err := readPage(in)
		said(t, err)
		if err == nil && (p.limit < 1 || p.limit > maxPageSize || p.offset < 0 || p.asked.vhost != "" && p.asked.domain != "") {
			t.Errorf("%+v", p)
		}
		_, err = infoTypes(query.Get("InfoType"))
		said(t, err)
	})
}
