package volcengine

import (
	"context"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// maxURLSeconds is the longest that a URL may be good for, ten years.
const maxURLSeconds = 315360000

// generatePushURL signs a push URL. The time in it is the one that was asked
// for; a rule that adds a ValidDuration to it does so, as the vendor's does.
func (s *Server) generatePushURL(ctx context.Context, c *call, in gen.GeneratePushURLRequest) (any, error) {
	if in.Vhost == "" {
		return nil, bindError("Vhost is required")
	}
	for field, name := range map[string]string{"Vhost": in.Vhost, "Domain": in.Domain} {
		if err := validHost(field, name); err != nil {
			return nil, err
		}
	}
	if err := streamOf(in.App, in.Stream); err != nil {
		return nil, err
	}
	expires, err := expiry(c.now, in.ValidDuration, in.ExpiredTime)
	if err != nil {
		return nil, err
	}
	domain := s.pushDomain(in.Vhost, in.Domain)
	st := media.Stream{App: in.App, Name: in.Stream}
	if in.Vhost == media.DefaultVhost {
		st.Vhost = in.Vhost
	}
	signed := s.Rules.SignWith(media.Link{Scene: media.Publish, Stream: st, Base: "rtmp://" + domain}, expires, true)
	server := "rtmp://" + domain + "/" + in.App + "/"
	detail := gen.PushURLDetail{URL: signed.URL, DomainApp: server, StreamSign: strings.TrimPrefix(signed.URL, server)}
	out := gen.GeneratePushURLResult{PushURLList: []string{signed.URL}, PushURLListDetail: []gen.PushURLDetail{detail},
		TSOverSRTURLList: []string{}, RTMPOverSRTURLList: []string{}, RtmURLList: []string{}, WebTransportURLList: []string{}}
	if c.newer {
		out.AuthType = authTypeOf(signed.Scheme)
	}
	return out, nil
}

// pushDomain is where a stream of a vhost is pushed to: where the request says,
// else to the vhost's own name. The default vhost has none and is reached under
// the configured domain.
func (s *Server) pushDomain(vhost, domain string) string {
	if domain == "" && vhost == media.DefaultVhost {
		return s.Links.PushDomain
	}
	return withPort(or(domain, vhost), s.Links.PushDomain)
}

// withPort completes a configured host name with its port.
func withPort(name, configured string) string {
	if strings.EqualFold(name, media.HostOf(configured)) {
		return configured
	}
	return name
}

// generatePlayURL signs one pull URL for each protocol.
func (s *Server) generatePlayURL(ctx context.Context, c *call, in gen.GeneratePlayURLRequest) (any, error) {
	if in.Domain == "" {
		return nil, bindError("Domain is required")
	}
	if err := validHost("Domain", in.Domain); err != nil {
		return nil, err
	}
	if err := streamOf(in.App, in.Stream); err != nil {
		return nil, err
	}
	if err := validKind(in, c.newer); err != nil {
		return nil, err
	}
	expires, err := expiry(c.now, in.ValidDuration, in.ExpiredTime)
	if err != nil {
		return nil, err
	}
	out := gen.GeneratePlayURLResult{URLList: []gen.PlayURL{}}
	if in.Type == "3rd" { // there are no other networks
		return out, nil
	}
	st := media.Stream{App: in.App, Name: in.Stream}
	if in.Suffix != "" {
		st.Name += "_" + in.Suffix
	}
	scheme := ""
	for _, f := range s.formats(in.Domain) {
		signed := s.Rules.SignWith(media.Link{Scene: media.Play, Stream: st, Base: f.base, Host: in.Domain, Ext: f.ext}, expires, true)
		scheme = signed.Scheme
		u := gen.PlayURL{URL: signed.URL, CDN: gen.PlayURLCDNFcdn, Protocol: f.protocol, Type: gen.PlayURLTypePull}
		if c.newer {
			u.SubStreamURL = &[]gen.SubStreamURL{}
		}
		out.URLList = append(out.URLList, u)
	}
	if c.newer {
		out.AuthType = authTypeOf(scheme)
	}
	return out, nil
}

func validKind(in gen.GeneratePlayURLRequest, newer bool) error {
	if in.Type != "" && in.Type != "fcdn" && in.Type != "3rd" {
		return errs.InvalidField("type", "Type is fcdn or 3rd")
	}
	if err := appAndStream(in.Suffix, ""); err != nil {
		return errs.InvalidField("suffix", "Suffix has 1 to 30 letters, digits, _, - and .")
	}
	if !newer {
		return nil
	}
	switch in.StreamType {
	case "":
		return bindError("StreamType is required")
	case "source", "abr":
		return nil
	case "transcode":
		if in.Suffix == "" {
			return bindError("Suffix is required for transcode")
		}
		return nil
	}
	return errs.InvalidField("stream_type", "StreamType is source, transcode or abr")
}

// format is one way to play a stream.
type format struct {
	protocol  gen.PlayURLProtocol
	base, ext string // what stands before and behind the path
}

func (s *Server) formats(domain string) []format {
	web := domain
	if strings.EqualFold(domain, media.HostOf(s.Links.PullDomain)) || strings.EqualFold(domain, media.HostOf(s.Links.HTTPPullDomain)) {
		web = s.Links.HTTPPullDomain
	}
	web = or(s.Links.HTTPScheme, "http") + "://" + web
	return []format{
		{gen.PlayURLProtocolRTMP, "rtmp://" + withPort(domain, s.Links.PullDomain), ""},
		{gen.PlayURLProtocolFLV, web, ".flv"},
		{gen.PlayURLProtocolHLS, web, ".m3u8"},
	}
}

// expiry is the time that goes into a URL. A point in time wins over a duration.
func expiry(now time.Time, seconds *int32, until string) (time.Time, error) {
	t, err := parseTime("ExpiredTime", until)
	switch {
	case err != nil:
		return t, err
	case !t.IsZero() && !t.After(now):
		return t, errs.InvalidField("expired_time", "ExpiredTime has passed")
	case t.After(now.Add(maxURLSeconds * time.Second)):
		return t, errs.InvalidField("expired_time", "ExpiredTime is at most ten years ahead")
	case !t.IsZero():
		return t, nil
	case seconds == nil:
		return now.Add(usualValidity * time.Second), nil
	case *seconds < 1 || *seconds > maxURLSeconds:
		return t, errs.InvalidField("valid_duration", "ValidDuration is between 1 and 315360000 seconds")
	}
	return now.Add(time.Duration(*seconds) * time.Second), nil
}
