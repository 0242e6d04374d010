package config

import (
	"strings"
	"testing"
)

func withKey(c *Config) { c.AliyunAccessKeyID, c.AliyunAccessKeySecret = "id", "a-cloud-secret" }

func TestNothingOfACloudIsUsedUnlessSaid(t *testing.T) {
	t.Parallel()
	if s := resolve(t, withKey); s.Cloud.Used() {
		t.Errorf("%+v", s.Cloud)
	}
}

func TestEndpointsFollowTheRegion(t *testing.T) {
	t.Parallel()
	for region, want := range map[string][2]string{
		"cn-shanghai":    {"https://live.aliyuncs.com", "https://vod.cn-shanghai.aliyuncs.com"},
		"cn-beijing":     {"https://live.aliyuncs.com", "https://vod.cn-beijing.aliyuncs.com"},
		"ap-southeast-1": {"https://live.ap-southeast-1.aliyuncs.com", "https://vod.ap-southeast-1.aliyuncs.com"},
		"eu-central-1":   {"https://live.eu-central-1.aliyuncs.com", "https://vod.eu-central-1.aliyuncs.com"},
	} {
		s := resolve(t, func(c *Config) { c.AliyunRegion = region })
		if s.Cloud.Live.String() != want[0] || s.Cloud.VOD.String() != want[1] {
			t.Errorf("%s: %s and %s", region, s.Cloud.Live, s.Cloud.VOD)
		}
	}
	for given, want := range map[string]string{"127.0.0.1:8080": "https://127.0.0.1:8080", "http://[::1]:80/": "http://[::1]:80", "https://gw.example.com": "https://gw.example.com"} {
		if s := resolve(t, func(c *Config) { c.AliyunLiveEndpoint, c.AliyunVODEndpoint = given, given }); s.Cloud.Live.String() != want || s.Cloud.VOD.String() != want {
			t.Errorf("%s: %s and %s", given, s.Cloud.Live, s.Cloud.VOD)
		}
	}
}

func TestServicesOfTheCloudNeedTheirSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // in the problem, "" for none
	}{
		"recordings":                {func(c *Config) { c.AliyunServices = []string{"vod"} }, ""},
		"all of them":               {func(c *Config) { c.AliyunServices = []string{" im_old", "im_new ", "", "vod"} }, ""},
		"an unknown one":            {func(c *Config) { c.AliyunServices = []string{"oss"} }, `ALIYUN_SERVICES: "oss" is not im_old, im_new or vod`},
		"no key":                    {func(c *Config) { c.AliyunServices, c.AliyunAccessKeyID = []string{"vod"}, "" }, "needs STAGEDOOR_ALIYUN_ACCESS_KEY_ID"},
		"no secret":                 {func(c *Config) { c.AliyunServices, c.AliyunAccessKeySecret = []string{"vod"}, "" }, "STAGEDOOR_ALIYUN_ACCESS_KEY_SECRET"},
		"old groups without an app": {func(c *Config) { c.AliyunServices, c.IMOldAppID = []string{"im_old"}, "" }, "im_old needs STAGEDOOR_IM_OLD_APP_ID"},
		"new groups without an app": {func(c *Config) { c.AliyunServices, c.IMAppID = []string{"im_new"}, "" }, "im_new needs STAGEDOOR_IM_APP_ID"},
		"new groups without a key":  {func(c *Config) { c.AliyunServices, c.IMAppKey = []string{"im_new"}, "" }, "im_new needs STAGEDOOR_IM_APP_KEY"},
		"new groups without a sign": {func(c *Config) { c.AliyunServices, c.IMAppSign = []string{"im_new"}, "" }, "im_new needs STAGEDOOR_IM_APP_SIGN"},
		"a region with a dot":       {func(c *Config) { c.AliyunRegion = "evil.example/" }, "ALIYUN_REGION"},
		"an endpoint with a path":   {func(c *Config) { c.AliyunLiveEndpoint = "https://a/b" }, "ALIYUN_LIVE_ENDPOINT"},
		"an endpoint with a user":   {func(c *Config) { c.AliyunVODEndpoint = "https://u:p@a" }, "ALIYUN_VOD_ENDPOINT"},
		"another scheme":            {func(c *Config) { c.AliyunVODEndpoint = "ftp://a" }, "ALIYUN_VOD_ENDPOINT"},
		"no host":                   {func(c *Config) { c.AliyunVODEndpoint = "https://" }, "ALIYUN_VOD_ENDPOINT"},
		"another signature":         {func(c *Config) { c.AliyunSignature = "v2" }, "ALIYUN_SIGNATURE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := defaults(t)
			withKey(&in)
			in.IMAppID, in.IMAppKey, in.IMAppSign, in.IMOldAppID = "app", "key", "sign", "old"
			c.change(&in)
			_, err := in.Resolve()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "a-cloud-secret") {
				t.Errorf("the secret is in %v", err)
			}
		})
	}
}
