package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Cloud is what is used of Alibaba Cloud, and where it is.
type Cloud struct {
	OldGroups, NewGroups, Recordings bool
	Live, VOD                        *url.URL // scheme and host
}

// Used says whether anything is.
func (c Cloud) Used() bool { return c.OldGroups || c.NewGroups || c.Recordings }

var regionPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (r *resolver) cloud(s *Settings) {
	r.choice("ALIYUN_SIGNATURE", s.AliyunSignature, "v1", "v3")
	if !regionPattern.MatchString(s.AliyunRegion) {
		r.problem("ALIYUN_REGION", "%q is not a region such as cn-shanghai", s.AliyunRegion)
		return
	}
	s.Cloud.Live = r.endpoint("ALIYUN_LIVE_ENDPOINT", s.AliyunLiveEndpoint, liveEndpoint(s.AliyunRegion))
	s.Cloud.VOD = r.endpoint("ALIYUN_VOD_ENDPOINT", s.AliyunVODEndpoint, "vod."+s.AliyunRegion+".aliyuncs.com")
	s.AliyunServices = items(s.AliyunServices)
	for _, service := range s.AliyunServices {
		switch service {
		case "im_old":
			s.Cloud.OldGroups = true
			r.needed("ALIYUN_SERVICES", service, "IM_OLD_APP_ID", s.IMOldAppID)
		case "im_new":
			s.Cloud.NewGroups = true
			r.needed("ALIYUN_SERVICES", service, "IM_APP_ID", s.IMAppID)
			r.needed("ALIYUN_SERVICES", service, "IM_APP_KEY", s.IMAppKey.Reveal())
			r.needed("ALIYUN_SERVICES", service, "IM_APP_SIGN", s.IMAppSign.Reveal())
		case "vod":
			s.Cloud.Recordings = true
		default:
			r.problem("ALIYUN_SERVICES", "%q is not im_old, im_new or vod", service)
		}
	}
	if s.Cloud.Used() && (s.AliyunAccessKeyID == "" || s.AliyunAccessKeySecret == "") {
		r.problem("ALIYUN_SERVICES", "needs STAGEDOOR_ALIYUN_ACCESS_KEY_ID and STAGEDOOR_ALIYUN_ACCESS_KEY_SECRET")
	}
}

// needed reports a setting without which another makes no sense: what is
// generated here is unknown to a cloud.
func (r *resolver) needed(variable, what, other, value string) {
	if value == "" {
		r.problem(variable, "%s needs STAGEDOOR_%s", what, other)
	}
}

// liveEndpoint is the one of a region. Two have their own.
func liveEndpoint(region string) string {
	switch region {
	case "ap-southeast-1", "eu-central-1":
		return "live." + region + ".aliyuncs.com"
	}
	return "live.aliyuncs.com"
}

func (r *resolver) endpoint(variable, given, otherwise string) *url.URL {
	if given == "" {
		given = otherwise
	}
	u, err := parseEndpoint(given)
	if err != nil {
		r.problem(variable, "%w", err)
	}
	return u
}

// parseEndpoint reads a host, for HTTPS, or a URL without anything behind the
// host.
func parseEndpoint(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isDomain(u.Host) || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is neither a host nor http://host or https://host", text)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}
