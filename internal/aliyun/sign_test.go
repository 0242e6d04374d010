package aliyun

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/config"
)

func TestPublishedVectorOfVersion1(t *testing.T) {
	t.Parallel()
	query := Params{"Action": "DescribeRegions", "Version": "2014-05-26", "Format": "XML", "AccessKeyId": "testid", "SignatureMethod": "HMAC-SHA1",
		"SignatureVersion": "1.0", "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "Timestamp": "2016-02-23T12:46:24Z"}.canonical()
	if got := signatureV1("GET", query, "testsecret"); got != "OLeaidS1JvxuMvnyHOwuJ+uX5qY=" {
		t.Errorf("signature %s", got)
	}
}

func TestVectorsOfVersion1(t *testing.T) {
	t.Parallel()
	c := &Client{Config: Config{Version: "2016-11-01", Key: Key{ID: "testid", Secret: "testsecret"}, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}}
	for _, v := range []struct {
		action string
		params Params
		want   string // escaped
	}{
		{"GetMessageToken", Params{"AppId": "demoim", "DeviceId": "dev-1", "DeviceType": "web", "UserId": "user1"}, "dLBudnDCKc6rptJw7eqAJ4iakoU%3D"},
		{"ListMessageGroupUserById", Params{"AppId": "demoim", "GroupId": "g1", "UserIdList": `["user1"]`}, "xo2XyVTMh%2BeX%2B66LDgwNkjl9aas%3D"},
	} {
		query := c.signV1(v.action, v.params, "0123456789abcdef")
		if !strings.HasSuffix(query, "&Signature="+v.want) {
			t.Errorf("%s: %s", v.action, query)
		}
		if strings.Contains(query, "SecurityToken") {
			t.Errorf("an empty token in %s", query)
		}
	}
}

func TestPublishedVectorOfVersion3(t *testing.T) {
	t.Parallel()
	query := Params{"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}.canonical()
	names, got := signatureV3("POST", query, Params{"host": "ecs.cn-shanghai.aliyuncs.com", "x-acs-action": "RunInstances", "x-acs-version": "2014-05-26",
		"x-acs-date": "2023-10-26T10:22:32Z", "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-content-sha256": hexHash("")},
		"YourAccessKeySecret")
	if got != "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0" {
		t.Errorf("signature %s", got)
	}
	if names != "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version" {
		t.Errorf("signed %s", names)
	}
}

func TestATokenIsSignedToo(t *testing.T) {
	t.Parallel()
	c := &Client{Config: Config{Key: Key{ID: "id", Secret: "secret", Token: config.Secret("temporary")}, Now: time.Now}}
	if q := c.signV1("A", nil, "n"); !strings.Contains(q, "&SecurityToken=temporary&") {
		t.Errorf("query %s", q)
	}
	if _, h := c.signV3("h", "A", nil, "n"); h.Get("x-acs-security-token") != "temporary" || !strings.Contains(h.Get("Authorization"), ";x-acs-security-token;") {
		t.Errorf("headers %v", h)
	}
}

func TestParametersCannotReplaceOneAnother(t *testing.T) {
	t.Parallel()
	a := Params{"A": "1&B=2"}.canonical()
	b := Params{"A": "1", "B": "2"}.canonical()
	if a == b || a != "A=1%26B%3D2" {
		t.Errorf("%s and %s", a, b)
	}
}
