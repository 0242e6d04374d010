package ipchub

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

type refused = dialecttest.Case[*bench]

var challenge = map[string]string{"WWW-Authenticate": "Bearer"}

func TestConformance(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite[*bench]{
		Setup:    setup,
		Server:   func(b *bench) dialecttest.Server { return b.server },
		Schema:   func(int) string { return "" },
		Envelope: checkRefusal,
		Cases:    slices.Concat(callerCases(), loginCases(), requestCases()),
	})
}

// by is a case that the administrator sends.
func by(fault dialecttest.Fault, name string, status int, method, path, body string) refused {
	return refused{Fault: fault, Name: name, Status: status, Shared: true,
		Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask(method, path, b.admin, body) })}
}

// callerCases are about who calls, at every operation that asks.
func callerCases() (cases []refused) {
	for _, op := range []string{"GET /api/v1/users", "POST /api/v1/users", "GET /api/v1/users/bob", "DELETE /api/v1/users/bob",
		"GET /api/v1/routes", "POST /api/v1/routes", "GET /api/v1/routes/a", "DELETE /api/v1/routes/a",
		"GET /api/v1/streams", "GET /api/v1/streams/live/a", "DELETE /api/v1/streams/live/a", "DELETE /api/v1/streams/live/a:consumer?cid=1"} {
		method, path, _ := strings.Cut(op, " ")
		cases = append(cases,
			refused{Fault: dialecttest.NoCredential, Name: op, Status: 401, Header: challenge, Shared: true,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask(method, path, "", "{") })},
			refused{Fault: dialecttest.BadCredential, Name: op, Status: 401, Header: challenge, Shared: true,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask(method, path, b.admin+"x", "{") })},
			refused{Fault: dialecttest.ExpiredCredential, Name: op, Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
					b.clock.advance(2 * time.Hour)
					return ask(method, path, b.admin, "{")
				})})
		if strings.HasPrefix(op, "GET /api/v1/streams") {
			continue
		}
		cases = append(cases, refused{Fault: dialecttest.OtherOwner, Name: op, Status: 403, Shared: true,
			Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask(method, path, b.bob, "{") })})
	}
	return append(cases,
		refused{Fault: dialecttest.OtherOwner, Name: "a stream that no right covers", Status: 404, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
			b.streams.told = append(b.streams.told, onAir("secret", "door1"))
			return ask("GET", "/api/v1/streams/secret/door1", b.bob, "")
		})},
		refused{Fault: dialecttest.NoCredential, Name: "unknown path", Status: 401, Shared: true,
			Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask("GET", "/api/v1/users/a/b", "", "") })})
}

// loginCases are about the way to a token. A wrong login is 403 here.
func loginCases() []refused {
	login := func(fault dialecttest.Fault, name string, status int, body string) refused {
		return refused{Fault: fault, Name: name, Status: status, Shared: true,
			Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask("POST", loginPath, "", body) })}
	}
	return []refused{
		login(dialecttest.NoCredential, "empty login", 403, `{}`),
		login(dialecttest.BadCredential, "wrong password", 403, `{"username":"admin","password":"a wrong password"}`),
		login(dialecttest.BadCredential, "nobody", 403, `{"username":"nobody","password":"a wrong password"}`),
		login(dialecttest.Malformed, "login", 403, `{"username":"admin","password":"correct horse battery`),
		login(dialecttest.WrongType, "login", 403, `{"username":1,"password":"correct horse battery"}`),
		login(dialecttest.OverLong, "password", 403, `{"username":"admin","password":"`+strings.Repeat("long", 200)+`"}`),
		login(dialecttest.Oversize, "login", 413, `{"username":"admin","password":"`+strings.Repeat("x", httpx.MaxBody)+`"}`),
		{Fault: dialecttest.NoCredential, Name: "refresh", Status: 401, Header: challenge, Shared: true,
			Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask("GET", "/api/v1/refreshtoken", "", "") })},
		{Fault: dialecttest.BadCredential, Name: "refresh with an access token", Status: 401, Header: challenge, Shared: true,
			Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("GET", "/api/v1/refreshtoken", b.admin, "") })},
		{Fault: dialecttest.ExpiredCredential, Name: "refresh", Status: 401, Header: challenge, Request: func(t *testing.T, b *bench) dialecttest.Request {
			token, _ := decode(t, b.good(t, ask("POST", loginPath, "", `{"username":"bob","password":"`+password+`"}`)))["refresh_token"].(string)
			b.clock.advance(7*24*time.Hour + time.Second)
			return ask("GET", "/api/v1/refreshtoken", token, "")
		}},
		{Fault: "throttled", Name: "a guess too many", Status: 429, Header: map[string]string{"Retry-After": "30"},
			Request: func(t *testing.T, b *bench) dialecttest.Request {
				guess := ask("POST", loginPath, "", `{"username":"bob","password":"a guess"}`)
				for range 8 {
					dialecttest.Send(t, b.server, guess)
				}
				return guess
			}},
	}
}

// requestCases are about what is asked for.
func requestCases() []refused {
	long := strings.Repeat("x", 3000)
	return []refused{
		by(dialecttest.UnknownOperation, "below users", 404, "GET", "/api/v1/users/a/b", ""),
		by(dialecttest.UnknownOperation, "another verb", 404, "DELETE", "/api/v1/streams/live/a:producer", ""),
		by(dialecttest.WrongMethod, "PUT of users", 404, "PUT", "/api/v1/users", "{}"),
		by(dialecttest.WrongMethod, "POST of streams", 404, "POST", "/api/v1/streams", "{}"),
		by(dialecttest.WrongMethod, "GET of a login", 404, "GET", loginPath, ""),
		by(dialecttest.Malformed, "user", 400, "POST", "/api/v1/users", `{`),
		by(dialecttest.Malformed, "user with a password", 400, "POST", "/api/v1/users", `{"name":"eve","password":"correct horse battery"`),
		by(dialecttest.Malformed, "an array", 400, "POST", "/api/v1/users", `[]`),
		by(dialecttest.Malformed, "broken UTF-8", 400, "POST", "/api/v1/users", "{\"name\":\"eve\xff\"}"),
		by(dialecttest.MissingField, "user", 400, "POST", "/api/v1/users", `{"push":"*"}`),
		by(dialecttest.MissingField, "null", 400, "POST", "/api/v1/users", `null`),
		by(dialecttest.MissingField, "url", 400, "POST", "/api/v1/routes", `{"pattern":"/a"}`),
		by(dialecttest.MissingField, "cid", 400, "DELETE", "/api/v1/streams/live/a:consumer", ""),
		by(dialecttest.WrongType, "user", 400, "POST", "/api/v1/users", `{"name":[],"password":"correct horse battery"}`),
		by(dialecttest.WrongType, "admin", 400, "POST", "/api/v1/users", `{"name":"eve","password":"correct horse battery","admin":"yes"}`),
		by(dialecttest.WrongType, "page_size", 400, "GET", "/api/v1/users?page_size=many", ""),
		by(dialecttest.WrongType, "cid", 400, "DELETE", "/api/v1/streams/live/a:consumer?cid=one", ""),
		by(dialecttest.WrongType, "admin beside a password", 400, "POST", "/api/v1/users", `{"name":"eve","password":"correct horse battery","admin":[]}`),
		by(dialecttest.OverLong, "user", 400, "POST", "/api/v1/users", `{"name":"`+strings.Repeat("x", 65)+`"}`),
		by(dialecttest.OverLong, "url", 400, "POST", "/api/v1/routes", `{"pattern":"/a","url":"rtsp://admin:a-camera-secret@192.0.2.1/`+long+`"}`),
		by(dialecttest.OverLong, "stream", 404, "GET", "/api/v1/streams/"+long, ""),
		by(dialecttest.NotFound, "user", 404, "GET", "/api/v1/users/none", ""),
		by(dialecttest.NotFound, "route", 404, "GET", "/api/v1/routes/none", ""),
		by(dialecttest.NotFound, "stream", 404, "GET", "/api/v1/streams/live/none", ""),
		by(dialecttest.Conflict, "last administrator", 409, "DELETE", "/api/v1/users/admin", ""),
		by(dialecttest.Conflict, "last administrator demoted", 409, "POST", "/api/v1/users", `{"name":"admin"}`),
		{Fault: dialecttest.Conflict, Name: "a server that cannot be told", Status: 409, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
			b.streams.told, b.streams.err = append(b.streams.told, onAir("live", "door1")), errCannot
			return ask("DELETE", "/api/v1/streams/live/door1", b.admin, "")
		})},
		by(dialecttest.Oversize, "user", 413, "POST", "/api/v1/users", `{"name":"`+strings.Repeat("x", httpx.MaxBody)+`"}`),
		{Fault: dialecttest.Panic, Name: "streams", Status: 500, Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
			b.streams.panic = "nil pointer in /srv/stagedoor"
			return ask("GET", "/api/v1/streams", b.admin, "")
		})},
	}
}
