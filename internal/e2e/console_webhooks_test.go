package e2e

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// webhooks adds an endpoint, sends a test to it, and removes it.
func (c console) webhooks(t *testing.T) {
	p := c.tab(t, desk)
	p.outlives("/api/v1/webhooks/")
	p.move("/webhooks")
	p.click("Add a webhook")
	p.opens()
	p.audit("add a webhook")
	p.fill("URL", "https://hooks.invalid/stagedoor")
	p.tick(`input[value="recording.ready"]`)
	p.press(kb.Enter)
	p.sees("whsec_")
	p.click("I have kept it")
	p.until(`document.querySelector('h1')?.textContent.includes('hooks.invalid')`)
	p.settled()
	p.sees("recording.*")
	p.click("Send a test")
	p.sees("webhook.test")
	p.settled()
	p.look("webhook")
	p.dress("en", "light")
	p.click("Look")
	p.opens()
	p.sees("Event id")
	p.audit("a delivery")
	p.shot("webhook-delivery")
	p.press(kb.Escape)

	p.click("Replay")
	p.opens()
	p.audit("replay")
	p.click("Replay")
	p.hears("0 events are on the way.")
	p.settled()
	p.click("New secret")
	p.opens()
	p.choose("The old secret signs too for", "a week")
	p.click("New secret")
	p.sees("whsec_")
	p.click("I have kept it")
	p.sees("Old secret signs until")
	p.settled()
	p.click("Disable")
	p.opens()
	p.click("Disable")
	p.sees("Nothing is sent while it is disabled.")
	p.settled()
	p.click("Enable")
	p.until(`['Enabled', 'Failing'].includes(document.querySelector('.heading .badge')?.textContent)`) // it is tried at once
	p.settled()
	p.click("Delete")
	p.fill("Type to confirm: hooks.invalid", "hooks.invalid")
	p.click("Delete")
	p.arrives("/webhooks")
}
