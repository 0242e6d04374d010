package e2e

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// accounts gives somebody rights and a key, and takes all away again.
func (c console) accounts(t *testing.T) {
	p := c.tab(t, desk)
	p.expect("404 (Not Found)") // looking whether there is such an account
	p.move("/accounts")
	p.click("Add an account")
	p.opens()
	p.audit("add an account")
	p.fill("User name", "admin")
	p.fill("Password", "correct horse battery")
	p.press(kb.Enter)
	p.sees("There is an account admin already.")
	p.fill("User name", "console-carol")
	p.fill("May publish", "/live/carol-*")
	p.insist(func() { p.click("Add an account") }, `document.querySelector('h1')?.textContent.includes('console-carol')`)
	p.settled()
	p.sees("/live/carol-*")

	p.click("Edit rights")
	p.fill("May play", "/live/+")
	p.press(kb.Enter)
	p.sees("/live/+")
	p.settled()
	p.click("Create a key")
	p.fill("What for", "Studio 2")
	p.press(kb.Enter)
	p.sees("The access key is created")
	p.audit("a key")
	p.click("I have kept it")
	p.sees("Studio 2")
	p.settled()
	p.look("account")
	p.dress("en", "light")
	p.click("Revoke")
	p.sees("refused at once, and for good")
	p.click("Revoke")
	p.sees("Revoked")
	p.closes()

	p.click("Disable")
	p.opens()
	p.click("Disable")
	p.until(`document.querySelector('.heading .badge')?.textContent === 'Disabled'`)
	p.settled()
	p.click("Delete")
	p.fill("Type to confirm: console-carol", "console-carol")
	p.click("Delete")
	p.arrives("/accounts")

	p.move("/accounts/admin")
	if value[bool](p, `[...document.querySelectorAll('.heading button')].some((b) => ['Disable', 'Delete'].includes(b.textContent))`) {
		t.Error("somebody can lock himself out")
	}
}
