package e2e

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// routes keeps a password that it does not know.
func (c console) routes(t *testing.T) {
	p := c.tab(t, desk)
	p.move("/routes")
	p.click("Add a route")
	p.opens()
	p.audit("add a route")
	p.fill("Path here", "/cameras/")
	p.fill("URL", "rtsp://viewer:hidden-word@192.0.2.10:554/")
	p.press(kb.Enter)
	p.hears("/cameras/ is saved.")
	p.sees("viewer:***@192.0.2.10")
	p.look("routes-one")
	p.dress("en", "light")
	p.click("Edit /cameras/")
	p.opens()
	p.tick("input[type=checkbox]")
	p.click("Save")
	p.sees("always, also without viewers")
	p.click("Delete /cameras/")
	p.click("Delete")
	p.sees("There are no routes.")
	if value[bool](p, `document.documentElement.innerHTML.includes('hidden-word')`) {
		t.Error("the password is in the page")
	}
}
