package e2e

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// nodes adds a media server, changes it, and removes it.
func (c console) nodes(t *testing.T) {
	p := c.tab(t, desk)
	p.outlives("/api/v1/nodes/")
	p.move("/nodes")
	p.click("Add a node")
	p.opens()
	p.audit("add a node")
	p.fill("Name", "Edge 1")
	p.press(kb.Enter)
	p.sees("This is not in the right form.")
	p.fill("Name", "edge-console")
	p.fill("Calls come from", "192.0.2.7, 198.51.100.0/24")
	p.press(kb.Tab)
	p.click("Add a node")
	p.sees("edge-console is added")
	p.sees("?secret=")
	p.audit("a secret")
	p.shot("node-secret")
	p.click("Close")
	p.until(`document.querySelector('h1')?.textContent.includes('edge-console')`)
	p.settled()
	p.sees("198.51.100.0/24")
	if value[bool](p, `document.body.innerText.includes('secret=')`) {
		t.Error("the secret is shown without being asked for")
	}
	p.click("Show the lines")
	p.sees("on_publish")
	p.look("node")
	p.dress("en", "light")

	p.click("Edit URLs")
	p.fill("HLS", "https://edge.example.com/live.m3u8")
	p.press(kb.Enter)
	p.sees("{stream} has to be in it")
	p.fill("HLS", "https://edge.example.com/{app}/{stream}.m3u8")
	p.press(kb.Enter)
	p.sees("https://edge.example.com/{app}/{stream}.m3u8")
	p.click("New secret")
	p.sees("nobody can publish or play there until the new lines")
	p.click("New secret")
	p.sees("The new secret of edge-console")
	p.click("Close")
	p.settled()
	p.click("Delete")
	p.fill("Type to confirm: edge-console", "edge-console")
	p.click("Delete")
	p.arrives("/nodes")
	if value[bool](p, `document.querySelector('table').innerText.includes('edge-console')`) {
		t.Error("the node is still listed")
	}
}
