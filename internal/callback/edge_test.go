package callback_test

import (
	"net/http"
	"testing"
)

// The usual question is read without the generated code. With a query, which
// changes nothing here, the generated code reads the same one.
func TestAnEdgeIsUnderstoodAlikeOnBothWays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	asks := func(uri string, more ...string) call {
		c := call{method: "GET", target: "/callback/nginx", header: http.Header{}}
		if uri != "" {
			c.header.Set("X-Original-Uri", uri)
		}
		for i := 0; i < len(more); i += 2 {
			c.header.Add(more[i], more[i+1])
		}
		return c
	}
	for name, c := range map[string]call{
		"usual": asks("/live/room1.flv?token=a", "X-Original-Host", "play.example.com:443", "X-Original-Addr", "192.0.2.9", "X-Original-Proto", "https"),
		"least": asks("/live/room1.flv"), "escaped": asks("/live/room%31.flv?a=%20b"), "bearer": asks("/live/room1.flv", "Authorization", "Bearer x"),
		"no URI": asks(""), "URI twice": asks("/live/room1.flv", "X-Original-Uri", "/live/room2.flv"), "no path": asks("live"),
		"empty host": asks("/live/room1.flv", "X-Original-Host", ""), "address twice": asks("/live/room1.flv", "X-Original-Addr", "a", "X-Original-Addr", "b"),
		"unknown caller": asks("/live/room1.flv").at("127.0.0.2").with("X-Forwarded-For", "192.0.2.1"),
	} {
		before := len(b.ledger.Heard())
		short, shortBody := b.do(t, c)
		c.target += "?none=1"
		long, longBody := b.do(t, c)
		if short.StatusCode != long.StatusCode || shortBody != longBody || short.Header.Get("Content-Type") != long.Header.Get("Content-Type") {
			t.Errorf("%s: %d %q, and by the generated code %d %q", name, short.StatusCode, shortBody, long.StatusCode, longBody)
		}
		heard := b.ledger.Heard()[before:]
		if len(heard) == 2 {
			heard[0].Source = heard[1].Source
		}
		if want := 2 * btoi(short.StatusCode == http.StatusOK); len(heard) != want || want == 2 && heard[0] != heard[1] {
			t.Errorf("%s: heard %+v", name, heard)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
