package liveauth

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func createWith(old, new string) func(*testing.T, *bench) dialecttest.Request {
	return dialecttest.Fixed(func(b *bench) dialecttest.Request {
		return dialecttest.JSON("/users/create", b.admin, strings.Replace(dave, old, new, 1))
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	challenge := map[string]string{"WWW-Authenticate": "Bearer"}
	var cases []dialecttest.Case[*bench]
	for _, op := range []string{"GET /users/me", "POST /live/create_token?stream=a", "DELETE /live/destroy_token?token=a", "GET /live/list_tokens", "GET /streams/list"} {
		method, path, _ := strings.Cut(op, " ")
		cases = append(cases,
			dialecttest.Case[*bench]{Fault: dialecttest.NoCredential, Name: op, Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask(method, path, "") })},
			dialecttest.Case[*bench]{Fault: dialecttest.BadCredential, Name: op, Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask(method, path, b.bob+"x") })},
			dialecttest.Case[*bench]{Fault: dialecttest.ExpiredCredential, Name: op, Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
					b.clock.advance(25 * time.Hour)
					return ask(method, path, b.alice)
				})})
	}
	dialecttest.Run(t, dialecttest.Suite[*bench]{
		Setup:    setup,
		Server:   func(b *bench) dialecttest.Server { return b.server },
		Schema:   schemaOf,
		Envelope: checkEnvelope,
		Cases: append(cases, []dialecttest.Case[*bench]{
			{Fault: dialecttest.BadCredential, Name: "login", Status: 401, Header: challenge,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return grant("alice", "a wrong password") })},
			{Fault: dialecttest.UnknownOperation, Name: "under users", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("GET", "/users/none", b.alice) })},
			{Fault: dialecttest.UnknownOperation, Name: "under callback", Status: 404,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask("POST", "/callback/none?secret=x", "") })},
			{Fault: dialecttest.WrongMethod, Name: "get of a login", Status: 405, Header: map[string]string{"Allow": "POST"},
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return ask("GET", "/auth/token", "") })},
			{Fault: dialecttest.Malformed, Name: "JSON", Status: 422, Request: createWith(`}`, ``)},
			{Fault: dialecttest.Malformed, Name: "form", Status: 422,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return dialecttest.Form("/auth/token", "", "%") })},
			{Fault: dialecttest.MissingField, Name: "JSON", Status: 422, Request: createWith(`"email"`, `"mail"`)},
			{Fault: dialecttest.MissingField, Name: "query", Status: 422,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("POST", "/live/create_token", b.alice) })},
			{Fault: dialecttest.WrongType, Name: "JSON", Status: 422, Request: createWith(`"Dave"`, `{}`)},
			{Fault: dialecttest.WrongType, Name: "query", Status: 422,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
					return ask("POST", "/live/create_token?stream=a&level=high", b.alice)
				})},
			{Fault: dialecttest.OverLong, Name: "full name", Status: 422, Request: createWith("Dave Example", strings.Repeat("名", 257))},
			{Fault: dialecttest.OverLong, Name: "stream", Status: 422,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
					return ask("POST", "/live/create_token?stream="+strings.Repeat("s", 300), b.alice)
				})},
			{Fault: dialecttest.NotFound, Name: "live token", Status: 404,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request { return ask("DELETE", "/live/destroy_token?token=none", b.alice) })},
			{Fault: dialecttest.Conflict, Name: "username", Status: 400, Request: createWith("Dave", "ALICE")},
			{Fault: dialecttest.OtherOwner, Name: "create", Status: 403,
				Request: func(t *testing.T, b *bench) dialecttest.Request {
					b.createToken(t, b.alice, "room1")
					return ask("POST", "/live/create_token?stream=room1", b.bob)
				}},
			{Fault: dialecttest.OtherOwner, Name: "destroy", Status: 404,
				Request: func(t *testing.T, b *bench) dialecttest.Request {
					return ask("DELETE", "/live/destroy_token?token="+b.createToken(t, b.alice, "room1").Token, b.bob)
				}},
			{Fault: dialecttest.Oversize, Name: "JSON", Status: 413, Request: createWith("Dave", strings.Repeat("x", httpx.MaxBody))},
			{Fault: dialecttest.Oversize, Name: "form", Status: http.StatusRequestEntityTooLarge,
				Request: dialecttest.Fixed(func(*bench) dialecttest.Request { return grant("alice", strings.Repeat("x", httpx.MaxBody)) })},
			{Fault: dialecttest.Panic, Name: "list of streams", Status: 500,
				Request: dialecttest.Fixed(func(b *bench) dialecttest.Request {
					b.streams.panic = "nil pointer in /srv/stagedoor"
					return ask("GET", "/streams/list", b.alice)
				})},
		}...),
	})
}
