package e2e

import (
	"testing"
	"time"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// visitors puts something on the pages of streams, sessions, refusals and tokens:
// a stream with its viewer, on a media server that cannot be told to cut anybody
// off, and somebody who was refused.
func (c console) visitors(t *testing.T) {
	t.Helper()
	pair := good[*api.CreateLiveTokenResponse](t)(c.admin.CreateLiveTokenWithResponse(t.Context(), &api.CreateLiveTokenParams{Stream: "matinee"})).JSON200
	publisher := guest{stream: "matinee", id: "pub1", param: "?token=" + pair.Token}
	viewer := guest{stream: "matinee", id: "view1", param: "?token=" + pair.PlayToken}
	if !c.hook(t, "on_publish", publisher) || !c.hook(t, "on_play", viewer) {
		t.Fatal("the visitors are refused")
	}
	if c.hook(t, "on_publish", guest{stream: "stranger", id: "pub2"}) {
		t.Fatal("a stranger is admitted")
	}
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // written beside the answers
		if list := good[*api.ListRefusalsResponse](t)(c.admin.ListRefusalsWithResponse(t.Context(), &api.ListRefusalsParams{})).JSON200; len(list.Refusals) > 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatal("the refusal is not listed")
		}
	}
}

// onAir looks at a stream and its sessions, and cuts them off.
func (c console) onAir(t *testing.T) {
	p := c.tab(t, desk)
	p.move("/streams")
	p.click("live/matinee")
	p.until(`document.querySelector('h1')?.textContent.includes('live/matinee')`)
	p.settled()
	p.sees("On air")
	p.look("stream")
	p.dress("en", "light")
	p.click("Cut off")
	p.opens()
	p.sees("its one viewer are cut off")
	p.click("Cut off")
	p.sees("This media server has no way to cut a client off.")
	p.audit("cut off")
	p.shot("stream-cut")
	p.click("Close")

	p.move("/sessions?scene=play&stream=matinee")
	p.sees("192.0.2.17")
	p.until(`document.querySelectorAll('tbody tr').length === 1`)
	p.choose("State", "Ended")
	p.sees("No session is like that.")
}

// refused goes from a refusal to what to do about it.
func (c console) refused(t *testing.T) {
	p := c.tab(t, desk)
	p.move("/decisions")
	p.fill("Stream", "live/stranger")
	p.until(`document.querySelectorAll('tbody tr').length === 1`)
	p.sees("The client brought no credential")
	p.click("Explain the refusal of live/stranger")
	p.until(`document.querySelector('.verdict')`)
	p.settled()
	p.sees("Put a signed query or a token behind the stream name")
	p.fill("URL", "rtmp://127.0.0.1/live/stranger?sd=p2-1699395200-k7m2q9-AAAAAAAAAAAAAAAAAAAAAA")
	p.run(`document.querySelector('form.explain').requestSubmit()`)
	p.sees("What had to be signed")
	p.settled()
	p.look("explained")
}

// tokens makes a pair and revokes it.
func (c console) tokens(t *testing.T) {
	p := c.tab(t, desk)
	p.move("/tokens")
	p.click("New token")
	p.opens()
	p.fill("Stream", "no such/name at all")
	p.click("Create")
	p.sees("This is not in the right form.")
	p.fill("Stream", "encore")
	p.click("Create")
	p.sees("Tokens of encore")
	p.audit("new tokens")
	p.shot("tokens-new")
	p.click("Close")
	p.sees("encore")
	p.click("Revoke the tokens of encore")
	p.opens()
	p.click("Revoke")
	p.hears("The tokens of encore are revoked.")
}
