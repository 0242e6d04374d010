package volcengine

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

var room1 = media.Stream{Vhost: media.DefaultVhost, App: "live", Name: "room1"}

// goLive publishes a stream of a vhost with a URL of ours.
func (b *bench) goLive(t *testing.T, vhost, host, app, name string) {
	t.Helper()
	u := b.pushURL(t, version2020, `{"Vhost":"`+host+`","App":"`+app+`","Stream":"`+name+`"}`).PushURLList[0]
	if v := b.publish(t, vhost, u); !v.Allow {
		t.Fatalf("%s: %+v", u, v)
	}
}

func (b *bench) state(t *testing.T, pairs ...string) (state, kind string) {
	t.Helper()
	got := result[gen.DescribeLiveStreamStateResult](t, b.call(t, ask("DescribeLiveStreamState", version2023, pairs...)))
	return string(got.StreamState), string(got.Type)
}

func TestANameFindsItsStreamWhereverItIsFiled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.goLive(t, media.DefaultVhost, pushHost, "live", "room1")
	b.goLive(t, "own.example.com", "own.example.com", "live", "room2")
	for _, tc := range []struct{ field, name, stream, want string }{
		{"Vhost", pushHost, "room1", "online push"}, {"Domain", pushHost, "room1", "online push"}, {"Vhost", media.DefaultVhost, "room1", "online push"},
		{"Vhost", "any.example.com", "room1", "online push"}, {"Vhost", pushHost, "none", "offline "},
		{"Vhost", "own.example.com", "room2", "online push"}, {"Domain", "own.example.com", "room2", "online push"},
		// A vhost of its own has its own streams only.
		{"Vhost", "own.example.com", "room1", "offline "}, {"Vhost", pushHost, "room2", "offline "},
	} {
		state, kind := b.state(t, tc.field, tc.name, "App", "live", "Stream", tc.stream)
		if state+" "+kind != tc.want {
			t.Errorf("%+v: %s %s", tc, state, kind)
		}
	}
	b.unpublish(t, media.Stream{Vhost: "own.example.com", App: "live", Name: "room2"})
	for _, tc := range []struct {
		after time.Duration
		want  string
	}{{23 * time.Hour, "offline"}, {2 * time.Hour, "online"}} { // then the vhost is forgotten
		b.clock.advance(tc.after)
		if state, _ := b.state(t, "Vhost", "own.example.com", "App", "live", "Stream", "room1"); state != tc.want {
			t.Errorf("%s later: %s, want %s", tc.after, state, tc.want)
		}
	}
}

func TestAForbiddenStreamStaysOut(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"Vhost", "Domain"} {
		for _, name := range []string{pushHost, "other.example.com", "own.example.com"} {
			b := setup(t)
			vhost := media.DefaultVhost
			if name == "own.example.com" {
				vhost = name
				b.goLive(t, vhost, name, "live", "something")
			}
			in := `{"` + field + `":"` + name + `","App":"live","Stream":"room1"`
			u := b.pushURL(t, version2020, `{"Vhost":"`+name+`","App":"live","Stream":"room1"}`).PushURLList[0]
			b.call(t, post2023("ForbidStream", in+`,"EndTime":"2030-05-17T13:00:00.000Z","Priority":3}`)).done(t)
			if v := b.publish(t, vhost, u); v.Reason != media.StreamForbidden {
				t.Errorf("%s %s: %+v", field, name, v)
			}
			// Another host name is no way round it.
			if v := b.publish(t, vhost, strings.Replace(u, name, "192.0.2.1", 1)); v.Reason != media.StreamForbidden {
				t.Errorf("%s %s by address: %+v", field, name, v)
			}
			if state, _ := b.state(t, field, name, "App", "live", "Stream", "room1"); state != "forbidden" {
				t.Errorf("%s %s: %s", field, name, state)
			}
			b.call(t, post2020("ResumeStream", in+`}`)).done(t)
			b.call(t, post2020("ResumeStream", in+`}`)).done(t) // it can be repeated
			if v := b.publish(t, vhost, u); !v.Allow {
				t.Errorf("%s %s after it is lifted: %+v", field, name, v)
			}
		}
	}
}

func TestABanEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := b.clock.now()
	forbid := func(end string) reply {
		return b.bad(t, post2020("ForbidStream", `{"Vhost":"push.example.com","App":"live","Stream":"room1","EndTime":"`+end+`"}`))
	}
	for _, end := range []string{now.Format(time.RFC3339), now.Add(longestBan + time.Second).UTC().Format(time.RFC3339), "soon"} {
		forbid(end).fails(t, http.StatusBadRequest, gen.VolcengineErrorCodeInvalidParam)
	}
	forbid(now.Add(time.Hour).UTC().Format(time.RFC3339)).done(t)
	b.clock.advance(time.Hour - time.Second)
	if state, _ := b.state(t, "Vhost", pushHost, "App", "live", "Stream", "room1"); state != "forbidden" {
		t.Errorf("%s", state)
	}
	b.clock.advance(time.Second)
	if state, _ := b.state(t, "Vhost", pushHost, "App", "live", "Stream", "room1"); state != "offline" {
		t.Errorf("%s", state)
	}
	forbid("").done(t)
	got := b.bans(t, version2023, "Vhost", pushHost)
	if b := got.StreamInfoList[0]; b.EndTime != timeText(now.Add(time.Hour+longestBan)) || !b.Status {
		t.Errorf("%+v", b)
	}
}

func (b *bench) bans(t *testing.T, version string, pairs ...string) gen.DescribeForbiddenStreamInfoByPageResult {
	t.Helper()
	return result[gen.DescribeForbiddenStreamInfoByPageResult](t, b.call(t, ask("DescribeForbiddenStreamInfoByPage", version, append(pairs, "PageNum", "1", "PageSize", "10")...)))
}

func TestBansAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, in := range []string{`"Vhost":"push.example.com","App":"live","Stream":"room1"`, `"Domain":"d.example.com","App":"live","Stream":"room2"`,
		`"Vhost":"__defaultVhost__","App":"other","Stream":"room3"`} {
		b.clock.advance(time.Second)
		b.call(t, post2020("ForbidStream", `{`+in+`,"EndTime":"2030-05-17T12:0`+strconv.Itoa(1+i)+`:00Z"}`)).done(t)
	}
	b.clock.advance(time.Minute)
	got := b.bans(t, version2023, "Domain", "d.example.com")
	want := gen.ForbiddenStreamInfo{Domain: "d.example.com", App: "live", Stream: "room2", CreateTime: "2030-05-17T12:00:02.000Z",
		EndTime: "2030-05-17T12:02:00.000Z", Status: true}
	if got.RoughCount != 1 || len(got.StreamInfoList) != 1 || got.StreamInfoList[0] != want {
		t.Errorf("%+v", got)
	}
	if got := b.bans(t, version2020, "Vhost", pushHost); got.RoughCount != 1 || got.StreamInfoList[0].Status { // it is over, and still told
		t.Errorf("%+v", got)
	}
	for _, tc := range []struct {
		pairs []string
		want  []string
	}{
		{nil, []string{"room3", "room2", "room2", "room1", "room1"}}, // by the name and on the default vhost
		{[]string{"Sort", "asc", "Vhost", media.DefaultVhost}, []string{"room1", "room2", "room3"}},
		{[]string{"Vhost", media.DefaultVhost, "App", "live"}, []string{"room2", "room1"}},
		{[]string{"Vhost", media.DefaultVhost, "App", "live", "Stream", "room2"}, []string{"room2"}},
		{[]string{"Vhost", media.DefaultVhost, "App", "live", "Stream", "oom", "QueryType", "fuzzy"}, []string{"room2", "room1"}},
		{[]string{"Vhost", media.DefaultVhost, "App", "live", "Stream", "oom", "QueryType", "strict"}, nil},
	} {
		got := b.bans(t, version2023, tc.pairs...)
		var names []string
		for _, s := range got.StreamInfoList {
			names = append(names, s.Stream)
		}
		if strings.Join(names, " ") != strings.Join(tc.want, " ") || got.RoughCount != int64(len(tc.want)) {
			t.Errorf("%v: %v of %d, want %v", tc.pairs, names, got.RoughCount, tc.want)
		}
	}
}

func (b *bench) lives(t *testing.T, version string, pairs ...string) gen.DescribeLiveStreamInfoByPageResult {
	t.Helper()
	return result[gen.DescribeLiveStreamInfoByPageResult](t, b.call(t, ask("DescribeLiveStreamInfoByPage", version, pairs...)))
}

func TestRunningStreamsAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"room1", "room2", "other"} {
		b.goLive(t, media.DefaultVhost, pushHost, "live", name)
	}
	b.goLive(t, "own.example.com", "own.example.com", "live", "room9")
	for _, tc := range []struct {
		pairs []string
		total int64
		want  string
	}{
		{[]string{"PageNum", "1", "PageSize", "1000"}, 4, "other room1 room2 room9"},
		{[]string{"PageNum", "1", "PageSize", "3", "Vhost", "", "App", ""}, 4, "other room1 room2"},
		{[]string{"PageNum", "2", "PageSize", "3"}, 4, "room9"}, {[]string{"PageNum", "3", "PageSize", "3"}, 4, ""},
		{[]string{"PageNum", "1", "PageSize", "9", "Vhost", pushHost}, 3, "other room1 room2"},
		{[]string{"PageNum", "1", "PageSize", "9", "Domain", "own.example.com"}, 1, "room9"},
		{[]string{"PageNum", "1", "PageSize", "9", "App", "live", "Stream", "room2"}, 1, "room2"},
		{[]string{"PageNum", "1", "PageSize", "9", "App", "live", "Stream", "OOM", "QueryType", "fuzzy"}, 3, "room1 room2 room9"},
		{[]string{"PageNum", "1", "PageSize", "9", "StreamType", "trans"}, 0, ""}, {[]string{"PageNum", "1", "PageSize", "9", "SourceType", "relay"}, 0, ""},
		{[]string{"PageNum", "1", "PageSize", "9", "StreamType", "origin", "SourceType", "push", "App", "none"}, 0, ""},
	} {
		got := b.lives(t, version2023, tc.pairs...)
		var names []string
		for _, s := range got.StreamInfoList {
			names = append(names, s.Stream)
			if s.SourceType != "push" || s.OnlineUser != nil || s.ID == 0 || s.SessionStartTime != timeText(b.clock.now()) {
				t.Errorf("%+v", s)
			}
		}
		if strings.Join(names, " ") != tc.want || got.RoughCount != tc.total || got.StreamInfoList == nil {
			t.Errorf("%v: %v of %d", tc.pairs, names, got.RoughCount)
		}
	}
}

func TestStreamsAreShownByTheNameThatWasAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.goLive(t, media.DefaultVhost, pushHost, "live", "room1")
	for _, tc := range []struct{ field, name, vhost, domain string }{
		{"Vhost", "v.example.com", "v.example.com", "v.example.com"}, {"Domain", "d.example.com", "d.example.com", "d.example.com"},
		{"App", "live", media.DefaultVhost, pushHost},
	} {
		got := b.lives(t, version2023, "PageNum", "1", "PageSize", "9", tc.field, tc.name).StreamInfoList[0]
		if got.Vhost != tc.vhost || got.Domain != tc.domain {
			t.Errorf("%+v: %+v", tc, got)
		}
	}
}

func TestTheOlderVersionShowsTheFiguresThatWereAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.goLive(t, media.DefaultVhost, pushHost, "live", "room1")
	e := b.event(media.Playing, room1, pullHost, strings.SplitN(b.playURLs(t, version2020, `{"Domain":"pull.example.com","App":"live","Stream":"room1"}`).URLList[0].URL, "?", 2)[1])
	e.ClientID = "viewer"
	if v, err := b.ledger.Handle(t.Context(), e); err != nil || !v.Allow {
		t.Fatalf("%+v %v", v, err)
	}
	for info, want := range map[string]int64{"": 1, "all": 1, "bandwidth,onlineuser": 1, "bitrate": 0} {
		s := b.lives(t, version2020, "PageNum", "1", "PageSize", "9", "InfoType", info).StreamInfoList[0]
		if s.OnlineUser == nil || *s.OnlineUser != want || s.PreviewURL == nil || s.Framerate == nil || s.SourceType != "" {
			t.Errorf("%q: %+v", info, s)
		}
	}
}

func TestEndedStreamsAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, name := range []string{"room1", "room2", "room3"} {
		b.goLive(t, media.DefaultVhost, pushHost, "live", name)
		b.clock.advance(time.Duration(i+1) * time.Minute)
		b.unpublish(t, media.Stream{Vhost: media.DefaultVhost, App: "live", Name: name})
	}
	closed := func(pairs ...string) gen.DescribeClosedStreamInfoByPageResult {
		t.Helper()
		return result[gen.DescribeClosedStreamInfoByPageResult](t, b.call(t, ask("DescribeClosedStreamInfoByPage", version2023, append(pairs, "PageNum", "1", "PageSize", "2")...)))
	}
	all := closed("EndTimeFrom", "2030-05-17T12:00:00Z", "EndTimeTo", "2030-05-17T20:30:00+08:00")
	if all.RoughCount != 3 || len(all.StreamInfoList) != 2 {
		t.Fatalf("%+v", all)
	}
	want := gen.ClosedStreamInfo{Vhost: media.DefaultVhost, Domain: pushHost, App: "live", Stream: "room3", StartTime: "2030-05-17T12:03:00.000Z",
		EndTime: "2030-05-17T12:06:00.000Z", SourceType: "push"}
	if all.StreamInfoList[0] != want {
		t.Errorf("got  %+v\nwant %+v", all.StreamInfoList[0], want)
	}
	if got := closed("Sort", "asc", "Domain", pushHost, "EndTimeFrom", "2030-05-17T12:00:00Z", "EndTimeTo", "2030-05-17T12:02:00Z"); got.RoughCount != 1 || got.StreamInfoList[0].Stream != "room1" {
		t.Errorf("%+v", got)
	}
	if got := closed("SourceType", "relay", "EndTimeFrom", "2030-05-17T12:00:00Z", "EndTimeTo", "2030-05-17T13:00:00Z"); got.RoughCount != 0 || got.StreamInfoList == nil {
		t.Errorf("%+v", got)
	}
}

func TestBrokenQueriesAreNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const (
		value = gen.VolcengineErrorCodeInvalidParam
		bind  = gen.VolcengineErrorCodeInvalidParamBindError
	)
	page := []string{"PageNum", "1", "PageSize", "10"}
	times := append([]string{"EndTimeFrom", "2030-05-17T12:00:00Z", "EndTimeTo", "2030-05-18T12:00:00Z"}, page...)
	for _, tc := range []struct {
		action string
		base   []string
		change []string
		code   gen.VolcengineErrorCode
		says   string
	}{
		{"DescribeLiveStreamState", nil, []string{"App", "live", "Stream", "x"}, value, "exactly one"},
		{"DescribeLiveStreamState", nil, []string{"Vhost", "a", "Domain", "b", "App", "live", "Stream", "x"}, value, "exactly one"},
		{"DescribeLiveStreamState", nil, []string{"Vhost", "a", "Stream", "x"}, bind, "App"},
		{"DescribeLiveStreamState", nil, []string{"Vhost", "a", "App", "live"}, bind, "Stream"},
		{"DescribeLiveStreamState", nil, []string{"Vhost", "a", "App", "live", "Stream", "a b"}, value, "Stream"},
		{"DescribeLiveStreamInfoByPage", nil, []string{"PageSize", "1"}, bind, "PageNum"},
		{"DescribeLiveStreamInfoByPage", page, []string{"PageNum", "0"}, value, "PageNum"},
		{"DescribeLiveStreamInfoByPage", page, []string{"PageNum", "1.5"}, bind, "PageNum"},
		{"DescribeLiveStreamInfoByPage", page, []string{"PageNum", "1000001"}, value, "PageNum"},
		{"DescribeLiveStreamInfoByPage", page, []string{"PageNum", "1000000", "PageSize", "1000"}, value, "too far"},
		{"DescribeLiveStreamInfoByPage", page, []string{"PageSize", "1001"}, value, "PageSize"},
		{"DescribeLiveStreamInfoByPage", page, []string{"PageSize", "99999999999999999999"}, value, "PageSize"},
		{"DescribeLiveStreamInfoByPage", page, []string{"Vhost", "a", "Domain", "b"}, value, "exclude"},
		{"DescribeLiveStreamInfoByPage", page, []string{"Stream", "x"}, bind, "App"},
		{"DescribeLiveStreamInfoByPage", page, []string{"StreamType", "all"}, value, "StreamType"},
		{"DescribeLiveStreamInfoByPage", page, []string{"SourceType", "all"}, value, "SourceType"},
		{"DescribeLiveStreamInfoByPage", page, []string{"QueryType", "all"}, value, "QueryType"},
		{"DescribeLiveStreamInfoByPage", page, []string{"InfoType", "none"}, value, "InfoType"},
		{"DescribeClosedStreamInfoByPage", page, nil, bind, "EndTimeFrom"},
		{"DescribeClosedStreamInfoByPage", times, []string{"EndTimeTo", ""}, bind, "EndTimeTo"},
		{"DescribeClosedStreamInfoByPage", times, []string{"EndTimeTo", "now"}, value, "EndTimeTo"},
		{"DescribeClosedStreamInfoByPage", times, []string{"EndTimeTo", "2030-05-16T12:00:00Z"}, value, "EndTimeTo"},
		{"DescribeClosedStreamInfoByPage", times, []string{"Sort", "up"}, value, "Sort"},
		{"DescribeForbiddenStreamInfoByPage", page, []string{"App", "a/b"}, value, "App"},
	} {
		r := ask(tc.action, version2023, append(tc.base[:len(tc.base):len(tc.base)], tc.change...)...)
		e := b.bad(t, r).fails(t, http.StatusBadRequest, tc.code)
		if !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s %v: %q does not mention %q", tc.action, tc.change, e.Message, tc.says)
		}
	}
	for _, action := range []string{"ForbidStream", "ResumeStream", "KillStream"} {
		for body, code := range map[string]gen.VolcengineErrorCode{
			`{"App":"live","Stream":"x"}`: value, `{"Vhost":"a","Domain":"b","App":"live","Stream":"x"}`: value, `{"Vhost":"a","Stream":"x"}`: bind,
			`{"Vhost":"a","App":"live"}`: bind, `{"Vhost":"a","App":"live","Stream":7}`: bind, `{"Vhost":"a","App":"li/ve","Stream":"x"}`: value,
		} {
			b.bad(t, post2020(action, body)).fails(t, http.StatusBadRequest, code)
		}
	}
}
