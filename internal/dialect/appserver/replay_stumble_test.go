package appserver

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

// stumble is a test that notes its failure in place of failing.
type stumble struct {
	testing.TB
	failed bool
}

func (s *stumble) Helper()               {}
func (s *stumble) Error(...any)          { s.failed = true }
func (s *stumble) Errorf(string, ...any) { s.failed = true }
func (s *stumble) Fatalf(string, ...any) { s.failed = true; runtime.Goexit() }

// stumbles says whether a client cannot bear a reply.
func stumbles(parse parser, call string, status int, body string) bool {
	s, done := &stumble{}, make(chan struct{})
	go func() {
		defer close(done)
		parse(s, exchange{call, dialecttest.Answer{Status: status, Body: []byte(body)}})
	}()
	<-done
	return s.failed
}

// The parsers of the sessions find what their clients cannot bear, or the
// sessions would show nothing.
func TestParsersStumbleWhereTheirClientsDo(t *testing.T) {
	t.Parallel()
	const urls = `{"rtmp_url":"rtmp://x/a","rts_url":"","flv_url":"https://x/a.flv","hls_url":"https://x/a.m3u8"}`
	const room = `{"status":1,"mode":0,"created_at":"2023-11-08T06:13:20+08:00","metrics":{"like_count":0,"online_count":0,"pv":0,"uv":0},` +
		`"user_status":{"mute":false,"mute_source":[]},"pull_url_info":` + urls + `}`
	const linked = `{"status":1,"mode":1,"created_at":"2023-11-08T06:13:20+08:00","metrics":{"like_count":0,"online_count":0,"pv":0,"uv":0},` +
		`"link_info":{"rtc_push_url":"artc://x","rtc_pull_url":"artc://x","cdn_pull_info":` + urls + `},"user_status":{"mute":false,"mute_source":[]}}`
	swap := func(text, old, with string) string { return strings.Replace(text, old, with, 1) }
	for name, c := range map[string]struct {
		parse  parser
		call   string
		status int
		good   string
		bad    []string
	}{
		"android metrics": {parseAsAndroid, "get", 200, room, []string{
			swap(room, `"uv":0`, `"uv":0,"total_count":1`), swap(room, `"pv":0`, `"pv":2147483648`), swap(room, `"pv":0`, `"pv":"0"`)}},
		"android list": {parseAsAndroid, "list", 200, `[` + room + `]`, []string{`{"live_list":[]}`, `[null]`, `null`, `[` + swap(room, `"metrics":`, `"m":`) + `]`}},
		"android link": {parseAsAndroid, "get", 200, linked, []string{
			swap(room, `"mode":0`, `"mode":0,"link_info":{"rtc_push_url":"a","rtc_pull_url":"a"}`), swap(linked, `artc://x`, ``), swap(linked, `"link_info"`, `"link"`)}},
		"android time":  {parseAsAndroid, "get", 200, room, []string{swap(room, `+08:00`, `Z`), swap(room, `:20+`, `:20.5+`)}},
		"android token": {parseAsAndroid, "token", 200, androidToken, []string{swap(androidToken, `"app_id"`, `"appid":"a","app_id"`), swap(androidToken, `"role"`, `"roles":1,"role"`), swap(androidToken, `1}`, `"1"}`)}},
		"ios status":    {parseAsIOS, "start", 200, room, []string{swap(room, `"status":1`, `"status":0`), swap(room, `"status":1`, `"status":"1"`)}},
		"ios types":     {parseAsIOS, "get", 200, room, []string{swap(room, `"status"`, `"title":1,"status"`), swap(room, `"status"`, `"vod_info":[],"status"`), `[]`, ``}},
		"ios failures":  {parseAsIOS, "get", 404, `{"code":404,"message":"x"}`, []string{`[]`, `{}`, ``, `null`}},
		"ios likes":     {parseAsIOS, "sendLikeMessage", 200, `{"count":1}`, []string{`{}`, `{"count":"1"}`}},
		"web login":     {parseAsWeb, "login", 200, `{"code":200,"expire":"2023-11-15T06:13:20+08:00"}`, []string{`{"code":"200","expire":"2023-11-15T06:13:20+08:00"}`, `{"code":200,"expire":"2023-11-15T06:13:20"}`, `{"code":401}`}},
		"web members":   {parseAsWeb, "getMeetingInfo", 200, `{"members":[]}`, []string{`{"members":null}`, `{}`}},
		"web player":    {parseAsWeb, "get", 200, room, []string{swap(room, `https://x/a.flv`, ``), swap(room, `"flv_url"`, `"flv_oriaac_url":"x","flv_url"`), swap(room, `"mute_source":[]`, `"mute_source":"group"`)}},
		"web recording": {parseAsWeb, "get", 200, swap(room, `"status"`, `"vod_info":{"status":1,"playlist":[{"play_url":"x"}]},"status"`), []string{
			swap(room, `"status"`, `"vod_info":{"status":1,"playlist":[{}]},"status"`)}},
		"uni-app link":  {parseAsUniApp, "get", 200, linked, []string{swap(linked, `"cdn_pull_info"`, `"cdn"`), swap(linked, `"link_info"`, `"link"`), swap(linked, `rtmp://x/a`, ``)}},
		"uni-app login": {parseAsUniApp, "login", 401, `{"code":401,"message":"x"}`, []string{`{"token":"x"}`}},
	} {
		if stumbles(c.parse, c.call, c.status, c.good) {
			t.Errorf("%s: stumbles over %s", name, c.good)
		}
		for _, bad := range c.bad {
			if !stumbles(c.parse, c.call, c.status, bad) {
				t.Errorf("%s: bears %s", name, bad)
			}
		}
	}
	if !stumbles(parseAsIOS, "get", 204, ``) || !stumbles(parseAsIOS, "get", 302, `{}`) {
		t.Error("the iOS client never hears of the end of its call")
	}
}

const androidToken = `{"aliyun_new_im":{"app_id":"a","app_sign":"b","app_token":"c","auth":{"user_id":"d","nonce":"","role":"","timestamp":1}}}`
