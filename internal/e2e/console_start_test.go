package e2e

import "testing"

// start goes from what is told at a glance to where more is told of it, and
// watches it change.
func (c console) start(t *testing.T) {
	p := c.tab(t, desk)
	p.sees("All is well")
	p.sees("is disabled; nothing is sent to it.")
	p.sees("An administrator disabled it.")
	p.until(`[...document.querySelectorAll('.figure')].find((f) => f.innerText.startsWith('Viewers')).querySelector('strong').textContent === '1'`)
	room := c.admin.createRoom(t, "Premiere")
	p.sees("Premiere") // by itself
	p.click("Premiere")
	p.until(`location.hash.startsWith('#/rooms/')`)
	p.settled()
	c.admin.stopRoom(t, room.ID)

	p.move("/")
	p.click("The client brought no credential")
	p.settled()
	p.until(`document.querySelectorAll('tbody tr').length === 1`)
	p.sees("live/stranger")
}
