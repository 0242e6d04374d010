package mediaurl

import (
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/finding"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var options = Options{PublishHost: "push.example", PlayHost: "pull.example", App: "live", Address: "192.0.2.7"}

func TestURLsOfEveryProtocolAreReadAsTheirServersReadThem(t *testing.T) {
	t.Parallel()
	const pub, play = media.Publish, media.Play
	for text, want := range map[string]struct {
		scene              media.Scene
		protocol, host     string
		app, stream, query string
		notes              string
	}{
		"rtmp://push.example/live/x?sd=p2-1":                                       {pub, "rtmp", "push.example", "live", "x", "sd=p2-1", ""},
		"rtmp://pull.example/live/x?sd=p2-1":                                       {pub, "rtmp", "pull.example", "live", "x", "sd=p2-1", ""},
		"rtmp://push.example/live/x?a=b&sd=v2-1":                                   {play, "rtmp", "push.example", "live", "x", "a=b&sd=v2-1", ""},
		"rtmps://Other.Example:443/live/sub/x":                                     {pub, "rtmp", "other.example", "live/sub", "x", "", ""},
		"rtmp://pull.example/live/x":                                               {play, "rtmp", "pull.example", "live", "x", "", ""},
		"rtmp://h/live/x?play_token=t":                                             {play, "rtmp", "h", "live", "x", "play_token=t", ""},
		"rtmp://[2001:db8::1]:1935/live/x":                                         {pub, "rtmp", "2001:db8::1", "live", "x", "", ""},
		"rtmp://h/live/x.flv?a=b":                                                  {pub, "rtmp", "h", "live", "x", "a=b", "extension_dropped"},
		"rtmp://h/live?token=abc/x":                                                {pub, "rtmp", "h", "live", "x", "token=abc", "query_on_server_url"},
		"rtmp://h/live?token=abc/x?c=d":                                            {pub, "rtmp", "h", "live", "x", "c=d&token=abc", "query_on_server_url"},
		"rtmp://h/x?a=b":                                                           {pub, "rtmp", "h", "live", "x", "a=b", "application_missing"},
		"rtmp://h/live/x?a=b?c=d":                                                  {pub, "rtmp", "h", "live", "x", "a=b?c=d", ""},
		"rtmp://h/live/x%3Fsd=1":                                                   {pub, "rtmp", "h", "live", "x%3Fsd=1", "", ""},
		" \"rtmp://h/live/x\"\n":                                                   {pub, "rtmp", "h", "live", "x", "", "surroundings_removed"},
		"rtmp://h/live/x#part":                                                     {pub, "rtmp", "h", "live", "x", "", "fragment_removed"},
		"https://h/live/x.flv?auth_key=1-0-0-a":                                    {play, "http-flv", "h", "live", "x", "auth_key=1-0-0-a", ""},
		"http://h:8080/live/x.m3u8?a=b":                                            {play, "hls", "h", "live", "x", "a=b", ""},
		"http://h/live/x/index.m3u8?a=b":                                           {play, "hls", "h", "live", "x", "a=b", ""},
		"http://h/live/x/llhls.m3u8":                                               {play, "hls", "h", "live", "x", "", ""},
		"http://h/live/index.m3u8":                                                 {play, "hls", "h", "live", "index", "", ""},
		"http://h/live/x-12.ts":                                                    {play, "hls", "h", "live", "x-12", "", "segment"},
		"http://h/live/a%20b.flv":                                                  {play, "http-flv", "h", "live", "a b", "", ""},
		"http://h:8889/live/x/whip?a=b":                                            {pub, "webrtc", "h", "live", "x", "a=b", ""},
		"http://h:8889/live/x/whep":                                                {play, "webrtc", "h", "live", "x", "", ""},
		"http://h:1985/rtc/v1/whip/?app=live&stream=x&sd=p2-1":                     {pub, "webrtc", "h", "live", "x", "app=live&stream=x&sd=p2-1", ""},
		"http://h:1985/rtc/v1/whep/?app=live&stream=x":                             {play, "webrtc", "h", "live", "x", "app=live&stream=x", ""},
		"https://h/index/api/webrtc?app=live&stream=x&type=push":                   {pub, "webrtc", "h", "live", "x", "app=live&stream=x&type=push", ""},
		"https://h/index/api/webrtc?app=live&stream=x&type=play":                   {play, "webrtc", "h", "live", "x", "app=live&stream=x&type=play", ""},
		"http://h:8888/live/x":                                                     {play, "", "h", "live", "x", "", "protocol_unknown"},
		"webrtc://h/live/x?a=b":                                                    {play, "webrtc", "h", "live", "x", "a=b", ""},
		"artc://push.example/live/x":                                               {pub, "webrtc", "push.example", "live", "x", "", ""},
		"rtsp://h:554/live/x?a=b":                                                  {play, "rtsp", "h", "live", "x", "a=b", ""},
		"srt://push.example:10080/live/x?sd=p2-1":                                  {pub, "srt", "push.example", "live", "x", "sd=p2-1", ""},
		"srt://h:10080?streamid=#!::r=live/x,m=publish,token=abc":                  {pub, "srt", "h", "live", "x", "token=abc", ""},
		"srt://h:10080?streamid=#!::h=live/x?token=abc,m=publish":                  {pub, "srt", "h", "live", "x", "token=abc", ""},
		"srt://h:10080?streamid=#!::h=vh.example,r=live/x,m=request,a=b,c=d":       {play, "srt", "vh.example", "live", "x", "a=b&c=d", ""},
		"srt://h:10080?streamid=%23!::r=live/x%2Cm=publish%2Ctoken=abc&latency=20": {pub, "srt", "h", "live", "x", "token=abc&latency=20", ""},
		"srt://h:10080?streamid=#!::r=live/x?token=abc,m=publish":                  {pub, "srt", "h", "live", "x", "token=abc", ""},
		"srt://h:10080?streamid=#!::h=V.example/live/x,m=publish":                  {pub, "srt", "v.example", "live", "x", "", ""},
		"srt://h:10080?streamid=#!::r=live/x":                                      {play, "srt", "h", "live", "x", "", ""},
		"srt://h:10080?streamid=#!::r=live/x,m=both":                               {play, "srt", "h", "live", "x", "", "srt_mode_unknown"},
		"srt://h:10080?streamid=live/x?token=abc":                                  {play, "srt", "h", "live", "x", "token=abc", ""},
		"srt://h:8890?streamid=publish:live/x":                                     {pub, "srt", "h", "live", "x", "", ""},
		"srt://h:8890?streamid=publish:live/x:token=abc&pkt_size=1316":             {pub, "srt", "h", "live", "x", "token=abc&pkt_size=1316", ""},
		"srt://h:8890?streamid=read:live/x:alice:pw:a=b":                           {play, "srt", "h", "live", "x", "a=b", ""},
		"srt://h:8890?pkt_size=1316&streamid=publish:live/x:alice:pw":              {pub, "srt", "h", "live", "x", "pkt_size=1316", ""},
	} {
		got, err := Parse(text, options)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		e := got.Event
		if e.Scene() != want.scene || e.Protocol != want.protocol || e.Host != want.host || e.Query != want.query {
			t.Errorf("%s: %s by %s at %s with ?%s, want %+v", text, e.Scene(), e.Protocol, e.Host, e.Query, want)
		}
		if e.Stream != (media.Stream{Vhost: media.DefaultVhost, App: want.app, Name: want.stream}) || e.Address != "192.0.2.7" {
			t.Errorf("%s: stream %+v of %s", text, e.Stream, e.Address)
		}
		if notes := codes(got.Notes); notes != want.notes {
			t.Errorf("%s: noted %q, want %q", text, notes, want.notes)
		}
		if got.Guess == "" {
			t.Errorf("%s: no word about the scene", text)
		}
	}
}

func codes(notes []finding.Finding) string {
	var out []string
	for _, n := range notes {
		out = append(out, n.Code)
	}
	return strings.Join(out, " ")
}

func TestCredentialsOfTheProtocolAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"rtsp://alice:p%40ss@h/live/x":                {"alice", "p@ss"},
		"rtmp://alice@h/live/x":                       {"alice", ""},
		"srt://h?streamid=publish:live/x:alice:pw":    {"alice", "pw"},
		"srt://h?streamid=#!::r=live/x,u=alice,s=pw":  {"alice", "pw"},
		"http://h/live/x.flv":                         {"", ""},
		"rtmp://a:b@c:d@h/live/x":                     {"a", "b@c:d"},
		"srt://h?streamid=read:live/x:alice:pw:a=b:c": {"alice", "pw"},
	} {
		got, err := Parse(text, options)
		if err != nil || got.Event.Username != want[0] || got.Event.Password != want[1] || got.Event.Host != "h" {
			t.Errorf("%s: %+v, %v", text, got.Event, err)
		}
	}
}

func TestTheSceneThatSomebodySaidIsTaken(t *testing.T) {
	t.Parallel()
	o := options
	o.Scene = media.Publish
	got, err := Parse("https://pull.example/live/x.flv", o)
	if err != nil || got.Event.Action != media.Publishing || got.Guess != "" || codes(got.Notes) != "url_says_otherwise" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatIsNoURLOfAStreamIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "x", "rtmp:/h/live/x", "ftp://h/live/x", "rtmp://", "rtmp:///live/x", "rtmp://h", "rtmp://h/", "rtmp://h/live/",
		"http://h/live/%zz.flv", "http://h/rtc/v1/whip/?app=live", "rtmp://%zz@h/live/x", "srt://h?streamid=#!::m=publish", "://h/live/x",
		"rtmp://h/live/" + strings.Repeat("x", MaxURL)} {
		if got, err := Parse(text, options); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%.60s: %+v, %v", text, got, err)
		}
	}
	if _, err := Parse("rtmp://h/live/x", Options{Scene: "watch"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"rtmp://push.example/live/x?sd=p2-1", "srt://h?streamid=#!::r=live/x?token=abc,m=publish,u=a,s=b", "rtmp://h/live?a=b/x?c=d",
		"srt://h?streamid=publish:live/x:a:b:c=d", "http://h/0123456789abcdef0123456789abcdef/6553f100/live/x.flv", "https://u:p@h:1/a/b/index.m3u8#x",
		"http://h/rtc/v1/whip/?app=live&stream=x?y=z", "artc://[::1]/live/x", "rtmp://h/%00/\xff?\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text, options)
		if err != nil {
			if errs.KindOf(err) != errs.Invalid {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		e := got.Event
		if e.Stream.Name == "" || e.Stream.App == "" || e.Host == "" || e.Scene() == "" || e.Stream.Vhost != media.DefaultVhost {
			t.Errorf("%q is read as %+v", text, e)
		}
		if len(e.Query)+len(e.Stream.Name)+len(e.Stream.App)+len(e.Password) > len(text)+len(options.App)+8 {
			t.Errorf("%q grew: %+v", text, e)
		}
		if slices.ContainsFunc(got.Notes, func(n finding.Finding) bool { return n.Code == "" || n.Text == "" }) {
			t.Errorf("%q: %+v", text, got.Notes)
		}
	})
}
