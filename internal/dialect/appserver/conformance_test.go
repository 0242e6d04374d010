package appserver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

func TestEveryWrongRequestIsRefusedInTheEnvelope(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite[*bench]{
		Setup:    func(t *testing.T) *bench { return setup(t) },
		Server:   func(b *bench) dialecttest.Server { return b.server },
		Schema:   func(int) string { return "AppError" },
		Envelope: checkEnvelope,
		Cases:    append(credentialCases(), append(requestCases(), stateCases()...)...),
	})
}

type refusal = dialecttest.Case[*bench]

const getPath = "/api/v1/live/get"

// to is a case that sends one body as alice.
func to(fault dialecttest.Fault, name string, status int, path, body string) refusal {
	return refusal{Fault: fault, Name: name, Status: status, Shared: true, Request: func(_ *testing.T, b *bench) dialecttest.Request {
		return dialecttest.JSON(path, b.alice, body)
	}}
}

// about is a case that sends {"id": …} of a room as the user that who chooses.
func about(fault dialecttest.Fault, name string, status int, path string, prepare func(*testing.T, *bench, wireRoom), who func(*bench) string) refusal {
	return refusal{Fault: fault, Name: name, Status: status, Request: func(t *testing.T, b *bench) dialecttest.Request {
		r := b.create(t, "")
		prepare(t, b, r)
		return dialecttest.JSON(path, who(b), `{"id":"`+r.ID+`"}`)
	}}
}

func alice(b *bench) string { return b.alice }
func bob(b *bench) string   { return b.bob }

func credentialCases() []refusal {
	bearer := map[string]string{"WWW-Authenticate": "Bearer"}
	with := func(fault dialecttest.Fault, name string, header func(*bench) string) refusal {
		return refusal{Fault: fault, Name: name, Status: 401, Header: bearer, Request: func(t *testing.T, b *bench) dialecttest.Request {
			r := dialecttest.JSON(getPath, "", `{"id":"`+b.create(t, "").ID+`"}`)
			r.Header["Authorization"] = header(b)
			return r
		}}
	}
	return []refusal{
		with(dialecttest.NoCredential, "empty header", func(*bench) string { return "" }),
		with(dialecttest.NoCredential, "another scheme", func(*bench) string { return "Basic YWxpY2U6eA==" }),
		with(dialecttest.BadCredential, "garbage", func(*bench) string { return "Bearer live" }),
		with(dialecttest.BadCredential, "one letter changed", func(b *bench) string { return "Bearer " + b.alice[:len(b.alice)-2] + "AA" }),
		with(dialecttest.BadCredential, "no algorithm", func(*bench) string {
			return "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0."
		}),
		with(dialecttest.ExpiredCredential, "after seven days", func(b *bench) string {
			b.clock.advance(DefaultTokenTTL)
			return "Bearer " + b.alice
		}),
		{Fault: dialecttest.BadCredential, Name: "jump token of somebody else", Status: 401, Header: bearer, Request: func(*testing.T, *bench) dialecttest.Request {
			return dialecttest.JSON(verifyPath, "", `{"user_id":"alice","live_id":"x","app_server":"https://live.example.com","token":"a.b.c"}`)
		}},
		{Fault: dialecttest.NoCredential, Name: "nothing to renew", Status: 401, Header: bearer, Request: func(*testing.T, *bench) dialecttest.Request {
			return dialecttest.Request{Method: http.MethodGet, Path: "/auth/refresh_token"}
		}},
		{Fault: dialecttest.ExpiredCredential, Name: "too old to renew", Status: 401, Header: bearer, Request: func(_ *testing.T, b *bench) dialecttest.Request {
			b.clock.advance(maxRenewal + time.Second)
			return dialecttest.JSON(renewPath, b.alice, "")
		}},
		{Fault: dialecttest.OtherOwner, Name: "mute", Status: 403, Request: func(t *testing.T, b *bench) dialecttest.Request {
			return dialecttest.JSON("/api/v1/live/muteChatroom", b.bob, `{"chatroom_id":"`+b.create(t, "").ChatID+`"}`)
		}},
		{Fault: dialecttest.BadCredential, Name: "report without a signature", Status: 403, Request: func(*testing.T, *bench) dialecttest.Request {
			return dialecttest.Request{Method: http.MethodGet, Path: pushPath + "?action=publish"}
		}},
		{Fault: dialecttest.BadCredential, Name: "wrong password", Status: 401, Header: bearer, Request: func(*testing.T, *bench) dialecttest.Request {
			return dialecttest.JSON("/api/v1/live/login", "", `{"username":"alice","password":"alice"}`)
		}},
		{Fault: dialecttest.BadCredential, Name: "bad token before a bad body", Status: 401, Header: bearer, Request: func(*testing.T, *bench) dialecttest.Request {
			return dialecttest.JSON(getPath, "live", `{`)
		}},
	}
}

func requestCases() []refusal {
	long := strings.Repeat("好", 512)
	return []refusal{
		to(dialecttest.UnknownOperation, "v1", 404, "/api/v1/live/nothing", `{}`),
		to(dialecttest.UnknownOperation, "v2", 404, "/api/v2/live/list", `{}`),
		to(dialecttest.UnknownOperation, "not cleaned", 404, "/api/v1/live/../live/get", `{}`),
		{Fault: dialecttest.WrongMethod, Name: "GET", Status: 405, Header: map[string]string{"Allow": "POST"},
			Request: func(_ *testing.T, b *bench) dialecttest.Request {
				r := dialecttest.JSON(getPath, b.alice, "")
				r.Method = http.MethodGet
				return r
			}},
		{Fault: dialecttest.WrongMethod, Name: "DELETE", Status: 405, Request: func(_ *testing.T, b *bench) dialecttest.Request {
			r := dialecttest.JSON("/login", b.alice, "")
			r.Method = http.MethodDelete
			return r
		}},
		to(dialecttest.Malformed, "empty", 400, getPath, ``),
		to(dialecttest.Malformed, "cut off", 400, getPath, `{"id":"`),
		to(dialecttest.Malformed, "password cut off", 400, "/login", `{"username":"alice","password":"correct horse battery"`),
		to(dialecttest.WrongType, "beside a password", 400, "/login", `{"username":["alice"],"password":"correct horse battery"}`),
		to(dialecttest.Malformed, "text behind", 400, getPath, `{"id":"x"} x`),
		to(dialecttest.Malformed, "array", 400, getPath, `[]`),
		to(dialecttest.Malformed, "null", 400, "/api/v1/live/list", `null`),
		to(dialecttest.Malformed, "broken UTF-8", 400, "/api/v2/live/create", "{\"title\":\"a\xff\",\"im_server\":[\"aliyun_new\"]}"),
		to(dialecttest.Malformed, "zero character", 400, "/api/v2/live/create", `{"title":"a\u0000","im_server":["aliyun_new"]}`),
		to(dialecttest.MissingField, "id", 400, getPath, `{"user_id":"alice"}`),
		to(dialecttest.MissingField, "id is null", 400, "/api/v1/live/stop", `{"id":null}`),
		to(dialecttest.MissingField, "title", 400, "/api/v2/live/create", `{"im_server":["aliyun_new"]}`),
		to(dialecttest.MissingField, "title is blank", 400, "/api/v2/live/create", `{"title":"  ","im_server":["aliyun_new"]}`),
		to(dialecttest.MissingField, "im_server", 400, "/api/v2/live/create", `{"title":"a"}`),
		to(dialecttest.MissingField, "members", 400, "/api/v1/live/updateMeetingInfo", `{"id":"x","members":null}`),
		to(dialecttest.MissingField, "chatroom_id", 400, "/api/v1/live/sendLikeMessage", `{"like_count":1}`),
		to(dialecttest.MissingField, "statistics without chatroom_id", 400, "/api/v1/live/getStatistics", `{}`),
		to(dialecttest.MissingField, "mute without chatroom_id", 400, "/api/v1/live/muteChatroom", `{}`),
		to(dialecttest.MissingField, "unmute without chatroom_id", 400, "/api/v1/live/cancelMuteChatroom", `{}`),
		to(dialecttest.MissingField, "is muted without chatroom_id", 400, "/api/v1/live/isMuteChatroom", `{}`),
		to(dialecttest.NotFound, "mute", 404, "/api/v1/live/muteChatroom", `{"chatroom_id":"none"}`),
		to(dialecttest.NotFound, "unmute", 404, "/api/v1/live/cancelMuteChatroom", `{"chatroom_id":"none"}`),
		to(dialecttest.NotFound, "is muted", 404, "/api/v1/live/isMuteChatroom", `{"chatroom_id":"none"}`),
		to(dialecttest.MissingField, "meeting without id", 400, "/api/v1/live/getMeetingInfo", `{}`),
		to(dialecttest.MissingField, "like_count", 400, "/api/v1/live/sendLikeMessage", `{"chatroom_id":"x"}`),
		to(dialecttest.MissingField, "device_id", 400, "/api/v1/live/token", `{"device_type":"ios"}`),
		to(dialecttest.MissingField, "password", 400, "/login", `{"username":"alice"}`),
		to(dialecttest.MissingField, "username", 400, "/login", `{"password":"x"}`),
		to(dialecttest.MissingField, "live_id", 400, jumpPath, `{"user_id":"alice"}`),
		to(dialecttest.MissingField, "room_id", 400, rtcPath, `{"user_id":"alice"}`),
		to(dialecttest.MissingField, "user_id of a link", 400, verifyPath, `{"live_id":"x","app_server":"https://x","token":"x"}`),
		to(dialecttest.MissingField, "live_id of a link", 400, verifyPath, `{"user_id":"x","app_server":"https://x","token":"x"}`),
		to(dialecttest.MissingField, "app_server of a link", 400, verifyPath, `{"user_id":"x","live_id":"x","token":"x"}`),
		to(dialecttest.MissingField, "token of a link", 400, verifyPath, `{"user_id":"x","live_id":"x","app_server":"https://x"}`),
		to(dialecttest.WrongType, "id", 400, getPath, `{"id":1}`),
		to(dialecttest.WrongType, "page_num", 400, "/api/v1/live/list", `{"page_num":"1"}`),
		to(dialecttest.WrongType, "mode", 400, "/api/v2/live/create", `{"title":"a","mode":2,"im_server":["aliyun_new"]}`),
		to(dialecttest.WrongType, "status", 400, "/api/v1/live/list", `{"status":3}`),
		to(dialecttest.WrongType, "number too large", 400, "/api/v1/live/sendLikeMessage", `{"chatroom_id":"x","like_count":2147483648}`),
		to(dialecttest.WrongType, "negative likes", 400, "/api/v1/live/sendLikeMessage", `{"chatroom_id":"x","like_count":-1}`),
		to(dialecttest.WrongType, "device_type", 400, "/api/v1/live/token", `{"device_id":"x","device_type":"fridge"}`),
		to(dialecttest.WrongType, "im_server unknown", 400, "/api/v2/live/token", `{"device_id":"x","device_type":"ios","im_server":["rongyun"]}`),
		to(dialecttest.OverLong, "title", 400, "/api/v2/live/create", `{"title":"`+long[:3*64]+`","im_server":["aliyun_new"]}`),
		to(dialecttest.OverLong, "extends", 400, "/api/v2/live/create", `{"title":"a","extends":"`+long+`","im_server":["aliyun_new"]}`),
		to(dialecttest.OverLong, "id", 400, getPath, `{"id":"`+long[:3*65]+`"}`),
		to(dialecttest.OverLong, "username", 400, "/login", `{"username":"`+long+`","password":"x"}`),
		to(dialecttest.OverLong, "password", 400, "/login", `{"username":"alice","password":"`+long+long+long+`"}`),
		to(dialecttest.OverLong, "user_name of a link", 400, jumpPath, `{"live_id":"x","user_name":"`+long+`"}`),
		to(dialecttest.OverLong, "version of a link", 400, jumpPath, `{"live_id":"x","version":"`+long+`"}`),
		to(dialecttest.OverLong, "token of a link", 400, verifyPath, `{"user_id":"x","live_id":"x","app_server":"https://x","token":"`+strings.Repeat("a", 8193)+`"}`),
		to(dialecttest.OverLong, "device_id", 400, "/api/v1/live/token", `{"device_id":"`+long+`","device_type":"ios"}`),
		to(dialecttest.Oversize, "one long text", 413, "/api/v2/live/create", `{"title":"`+strings.Repeat("a", 1<<20)+`"}`),
		to(dialecttest.Oversize, "blanks behind", 413, "/api/v1/live/list", `{}`+strings.Repeat(" ", 1<<20)),
	}
}

func stateCases() []refusal {
	nothing := func(*testing.T, *bench, wireRoom) {}
	end := func(t *testing.T, b *bench, r wireRoom) { b.act(t, "stop", b.alice, r.ID).want(t, 200) }
	missing := `{"id":"00000000000000000000000000000000"}`
	cases := []refusal{
		to(dialecttest.NotFound, "get", 404, getPath, missing),
		to(dialecttest.NotFound, "an id that no room can have", 404, getPath, `{"id":"../x"}`),
		to(dialecttest.NotFound, "hyphenated id", 404, getPath, `{"id":"66584c06-347f-47c6-8a18-fa2860c563ba"}`),
		to(dialecttest.NotFound, "link to no room", 404, jumpPath, `{"live_id":"none"}`),
		to(dialecttest.NotFound, "channel of no room", 404, rtcPath, `{"room_id":"none"}`),
		to(dialecttest.NotFound, "likes", 404, "/api/v1/live/sendLikeMessage", `{"chatroom_id":"none","like_count":1}`),
		about(dialecttest.Conflict, "start after the end", 409, "/api/v1/live/start", end, alice),
		about(dialecttest.Conflict, "pause after the end", 409, "/api/v1/live/pause", end, alice),
		{Fault: dialecttest.OtherOwner, Name: "create for somebody else", Status: 403, Request: func(_ *testing.T, b *bench) dialecttest.Request {
			return dialecttest.JSON("/api/v2/live/create", b.bob, `{"title":"a","anchor":"alice","im_server":["aliyun_new"]}`)
		}},
		{Fault: dialecttest.Panic, Name: "in a service", Status: 500, Request: func(_ *testing.T, b *bench) dialecttest.Request {
			b.groups.panicing.Store(true)
			return dialecttest.JSON("/api/v2/live/token", b.alice, `{"device_id":"x","device_type":"ios","im_server":["aliyun_new"]}`)
		}},
		{Fault: "provider failure", Name: "a message service that fails", Status: 502, Request: func(_ *testing.T, b *bench) dialecttest.Request {
			b.groups.failing.Store(true)
			return dialecttest.JSON("/api/v2/live/create", b.alice, `{"title":"a","im_server":["aliyun_new"]}`)
		}},
		{Fault: "throttled", Name: "a guess too many", Status: 429, Header: map[string]string{"Retry-After": "30"},
			Request: func(t *testing.T, b *bench) dialecttest.Request {
				guess := dialecttest.JSON("/login", "", `{"username":"alice","password":"guess"}`)
				for range 8 {
					b.do(t, t.Context(), guess).want(t, 401)
				}
				return guess
			}},
	}
	for _, op := range []string{"start", "stop", "pause", "delete", "update"} {
		cases = append(cases,
			about(dialecttest.OtherOwner, op, 403, "/api/v1/live/"+op, nothing, bob),
			to(dialecttest.NotFound, op, 404, "/api/v1/live/"+op, missing))
	}
	return cases
}
