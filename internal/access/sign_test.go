package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// formats are the paths under which live/x is handed out, with the protocol
// that its media server reports for each.
var formats = []struct{ path, protocol string }{{"/live/x", "rtmp"}, {"/live/x", "srt"}, {"/live/x", "webrtc"}, {"/live/x", ""},
	{"/live/x.flv", "http-flv"}, {"/live/x.flv", ""}, {"/live/x.m3u8", "hls"}, {"/live/x.m3u8", ""}}

// optionsOf are options with which a scheme covers the whole stream.
func optionsOf(scheme string) (o urlsign.Options) {
	switch scheme {
	case "nginx_secure_link_secret":
		o.PathPrefix = "/p"
	case "volcengine_custom":
		o = urlsign.Options{SignatureParam: "sign", TimeParam: "expire", TimeBase: 16, Fields: []string{"key", "Domain", "AppName", "StreamName", "volcTime"}}
	}
	return o
}

// Some schemes never end, and some do not cover the application: that is how
// those who verify them do it.
var (
	endless = map[string]bool{"lal_simple_auth": true, "nginx_secure_link_secret": true}
	anyApp  = map[string]bool{"lal_simple_auth": true, "tencent_css": true, "tencent_css_sha256": true, "huawei_b": true, "huawei_d": true}
)

// secretSchemes are those whose rules have secrets.
func secretSchemes() []string {
	return slices.DeleteFunc(urlsign.Names(), func(name string) bool { return urlsign.KeysOf(name) != urlsign.SecretKeys || name == "antmedia_jwt" })
}

func serves(scheme string, scene media.Scene) bool {
	s, err := urlsign.New(scheme, optionsOf(scheme))
	return err == nil && urlsign.ServesScene(s, signScene(scene))
}

// asSigned returns the event with the signature where its URL has it. An edge
// tells the path where the signature is a part of it.
func (b *bundle) asSigned(e media.Event, host, path string, expires time.Time) media.Event {
	url := strings.TrimPrefix(b.SignURL(link(e.Scene(), host, stream(e.Stream.Name), path), expires), "rtmp://"+host)
	asked, query, _ := strings.Cut(url, "?")
	if e.Query = query; asked != path || strings.Contains(query, "policy=") {
		e.Path, e.Origin = asked, "rtmp://"+host
	}
	return e
}

func TestWhatIsSignedIsAdmittedUntilItExpires(t *testing.T) {
	t.Parallel()
	for _, scheme := range secretSchemes() {
		for _, validity := range []time.Duration{0, 30 * time.Minute} {
			t.Run(fmt.Sprintf("%s with %s", scheme, validity), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				for _, scene := range []media.Scene{media.Publish, media.Play} {
					if serves(scheme, scene) {
						b.rule(t, NewRule{Scene: scene, Scheme: scheme, Options: optionsOf(scheme), Validity: validity})
					}
				}
				expires := start.Add(time.Hour).Truncate(time.Minute) // a stamp has whole minutes
				for _, f := range formats {
					for scene, action := range map[media.Scene]media.Action{media.Publish: media.Publishing, media.Play: media.Playing} {
						bareOnly := scheme == "qiniu_pili_publish" || scheme == "baidu_lss_publish"
						if !serves(scheme, scene) || bareOnly && f.path != "/live/x" {
							continue
						}
						e := b.asSigned(event(action, "x", ""), "pull.example", f.path, expires)
						e.Protocol, e.Host = f.protocol, "pull.example"
						if !b.Decide(t.Context(), start, e).Allow {
							t.Errorf("%s %s as %q is refused: %s", scene, f.path, f.protocol, b.Decide(t.Context(), start, e).Reason)
						}
						if !b.Decide(t.Context(), expires, e).Allow {
							t.Errorf("%s %s is refused in its last second", scene, f.path)
						}
						if d := b.Decide(t.Context(), start.AddDate(0, 0, -1), e); !d.Allow {
							t.Errorf("%s %s is %s once the clock is set back", scene, f.path, d.Reason)
						}
						want := media.SignatureExpired
						if endless[scheme] {
							want = media.Allowed
						}
						if d := b.Decide(t.Context(), expires.Add(time.Second), e); d.Reason != want {
							t.Errorf("%s %s is %s after it expired", scene, f.path, d.Reason)
						}
						if e.Path != "" {
							continue // an edge reads the stream from it
						}
						e.Stream.Name = "y"
						if d := b.Decide(t.Context(), start, e); d.Reason != media.SignatureMismatch {
							t.Errorf("%s %s opens another stream: %s", scene, f.path, d.Reason)
						}
						e.Stream = media.Stream{App: "vod", Name: "x"}
						if d := b.Decide(t.Context(), start, e); !anyApp[scheme] && d.Reason != media.SignatureMismatch {
							t.Errorf("%s %s opens another app: %s", scene, f.path, d.Reason)
						}
					}
				}
			})
		}
	}
}

func TestSignatureOfOneSceneDoesNotOpenTheOther(t *testing.T) {
	t.Parallel()
	for _, scheme := range secretSchemes() {
		if !serves(scheme, media.Publish) || !serves(scheme, media.Play) {
			continue
		}
		b := setup(t)
		b.rule(t, NewRule{Scene: media.Publish, Scheme: scheme, Options: optionsOf(scheme)})
		b.rule(t, NewRule{Scene: media.Play, Scheme: scheme, Options: optionsOf(scheme)})
		b.reason(t, publish("x", b.SignQuery(media.Play, "", stream("x"), "/live/x", start)), media.SignatureMismatch)
		b.reason(t, play("x", b.SignQuery(media.Publish, "", stream("x"), "/live/x", start)), media.SignatureMismatch)
	}
}

// Published examples of the vendor and of the AppServer's clients.
func TestTypeASignsAsTheVendorDoes(t *testing.T) {
	t.Parallel()
	const name = "c8d619e2e7ec445db8a1e1ebf967d6c3"
	at := time.Unix(1700000000, 0)
	b := setup(t)
	b.rule(t, NewRule{Scene: media.Publish, Scheme: "aliyun_a", Secret: "pushkey0123456789"})
	b.rule(t, NewRule{Scene: media.Play, Scheme: "aliyun_a", Secret: "pullkey9876543210"})
	b.rule(t, NewRule{Scene: media.Play, Domain: "cdn.example.com", Scheme: "aliyun_a", Secret: "aliyuncdnexp1234", Validity: 30 * time.Minute})
	for _, c := range []struct {
		scene   media.Scene
		host    string
		st      media.Stream
		path    string
		expires time.Time
		want    string
	}{
		{media.Publish, "push.example.com", stream(name), "/live/" + name, at, "1700000000-0-0-523b274c6a48b65036d6228ff206d4d7"},
		{media.Play, "pull.example.com", stream(name), "/live/" + name, at, "1700000000-0-0-6dc962cc8fd24977820e8ee16e236fa1"},
		{media.Play, "pull.example.com", stream(name), "/live/" + name + ".flv", at, "1700000000-0-0-9a183c726ff0e7d83bc61a2485e6bfda"},
		{media.Play, "pull.example.com", stream(name), "/live/" + name + ".m3u8", at, "1700000000-0-0-347e44fa7db75408f2ac688d12f2c765"},
		// The time in the URL is the wanted end less the validity of the rule.
		{media.Play, "CDN.example.com", media.Stream{App: "video/standard", Name: "1K"}, "/video/standard/1K.html", time.Unix(1444437000, 0),
			"1444435200-0-0-80cd3862d699b7118eed99103f2a3a4f"},
	} {
		if got := b.SignQuery(c.scene, c.host, c.st, c.path, c.expires); got != "auth_key="+c.want {
			t.Errorf("%s: %s, want auth_key=%s", c.path, got, c.want)
		}
	}
}

func TestSigningFollowsTheRuleThatWillVerify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules []NewRule
		host  string       // of the URL
		told  media.Stream // by the media server
	}{
		"any":                               {[]NewRule{{}}, "pull.example", media.Stream{}},
		"the app's before any":              {[]NewRule{{}, {App: "live"}}, "pull.example", media.Stream{}},
		"the domain's before the app's":     {[]NewRule{{}, {App: "live"}, {Domain: "pull.example"}}, "pull.example", media.Stream{}},
		"the domain's app before it":        {[]NewRule{{Domain: "pull.example"}, {Domain: "pull.example", App: "live"}}, "pull.example", media.Stream{}},
		"the domain in capitals":            {[]NewRule{{}, {Domain: "pull.example"}}, "Pull.Example", media.Stream{}},
		"the default vhost's":               {[]NewRule{{}, {Vhost: media.DefaultVhost}}, "pull.example", media.Stream{}},
		"the default vhost's app":           {[]NewRule{{App: "live"}, {Vhost: media.DefaultVhost}, {Vhost: media.DefaultVhost, App: "live"}}, "pull.example", media.Stream{}},
		"the vhost's of the host's name":    {[]NewRule{{}, {Vhost: "pull.example"}}, "pull.example", media.Stream{Vhost: "pull.example"}},
		"that before the default vhost's":   {[]NewRule{{Vhost: media.DefaultVhost}, {Vhost: "pull.example"}}, "pull.example", media.Stream{Vhost: "pull.example"}},
		"the domain's before the vhost's":   {[]NewRule{{Vhost: "pull.example"}, {Domain: "pull.example"}}, "pull.example", media.Stream{Vhost: "pull.example"}},
		"a host's that is not configured":   {[]NewRule{{}, {Domain: "edge.example"}}, "edge.example", media.Stream{}},
		"an address' is the configured one": {[]NewRule{{}, {Domain: "pull.example"}}, "pull.example", media.Stream{Vhost: "127.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for _, r := range c.rules {
				r.Scene = media.Play
				b.rule(t, r)
			}
			e := play("x", b.SignQuery(media.Play, c.host, stream("x"), "/live/x", start))
			if c.told.Vhost != "" {
				e.Stream.Vhost = c.told.Vhost
			}
			e.Host = strings.ToLower(c.host)
			b.reason(t, e, media.Allowed)
			last := c.rules[len(c.rules)-1]
			if got, ok := b.ruleToSign(media.Play, strings.ToLower(c.host), stream("x")); !ok || got.domain() != last.Domain || got.vhost() != last.Vhost {
				t.Errorf("signed under %+v, want %+v", got, last)
			}
		})
	}
}

func TestNothingIsSignedWhereNoSignatureIsAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if q := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start); q != "" {
		t.Errorf("without a rule: %q", q)
	}
	r := b.rule(t, NewRule{Scene: media.Play, Disabled: true})
	if q := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start); q != "" {
		t.Errorf("under a rule that is off: %q", q)
	}
	if _, err := b.SetRuleEnabled(t.Context(), r.ID, true); err != nil {
		t.Fatal(err)
	}
	if q := b.SignQuery(media.Publish, "pull.example", stream("x"), "/live/x", start); q != "" {
		t.Errorf("for a scene without rule: %q", q)
	}
	if q := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start); q == "" {
		t.Error("under a rule that is on: nothing")
	}
}
