package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// rooms lives through the life of one.
func (c console) rooms(t *testing.T) {
	p := c.tab(t, desk)
	p.outlives("/api/v1/rooms/")
	p.move("/rooms")
	p.click("Create room")
	p.opens()
	p.audit("create a room")
	p.shot("rooms-create")
	p.press(kb.Enter)
	p.sees("Fill in this field.")
	p.fill("Title", "Morning show")
	p.press(kb.Enter)
	p.hears("Morning show is there.")
	p.until(`document.querySelector('h1')?.textContent.includes('Morning show')`)
	p.sees("Prepared")
	p.settled()
	p.look("room")
	p.dress("en", "light")

	p.click("QR code of the RTMP URL")
	p.until(`document.querySelector('dialog svg.qr')`)
	p.audit("a code")
	p.shot("room-qr")
	p.press(kb.Escape)
	p.click("Push URL, RTMP")
	p.hears("Copied")

	p.click("Start")
	p.hears("Morning show is live.")
	p.click("Pause")
	p.hears("Morning show is paused.")
	p.click("Edit")
	p.fill("Announcement", "Starts at eight")
	p.click("Save")
	p.sees("Starts at eight")
	p.click("End")
	p.sees("It cannot be started again.")
	p.click("End")
	p.hears("Morning show has ended.")
	p.sees("so nothing can be pushed to it")

	p.click("Delete")
	p.fill("Type to confirm: Morning show", "Evening show")
	p.click("Delete")
	p.sees("That is another text.")
	p.audit("deleting")
	p.fill("Type to confirm: Morning show", "Morning show")
	p.click("Delete")
	p.arrives("/rooms")
	p.fill("Search", "晚间")
	p.until(`document.querySelectorAll('tbody tr').length === 1`)
	if hash := value[string](p, `decodeURIComponent(location.hash)`); !strings.Contains(hash, "text=晚间") {
		t.Errorf("the address does not tell what is searched: %s", hash)
	}
	p.choose("State", "Ended")
	p.sees("No room is like that.")
}

// news watches the list of rooms while others act.
func (c console) news(t *testing.T) {
	p := c.tab(t, desk)
	p.move("/rooms")
	room := good[*api.CreateRoomV2Response](t)(c.admin.CreateRoomV2WithResponse(t.Context(), api.RoomCreateV2{Title: "Surprise", IMServer: []api.IMServer{api.IMServerAliyunNew}})).JSON200
	p.sees("Surprise")
	good[*api.StartAnyRoomResponse](t)(c.admin.StartAnyRoomWithResponse(t.Context(), room.ID))
	p.until(`[...document.querySelectorAll('tbody tr')].some((row) => row.innerText.includes('Surprise') && row.querySelector('.badge.good'))`)
	good[*api.DeleteAnyRoomResponse](t)(c.admin.DeleteAnyRoomWithResponse(t.Context(), room.ID))
	p.until(`!document.body.innerText.includes('Surprise')`)
	p.follows(1)
	p.hide(true)
	p.follows(0)
	good[*api.CreateRoomV2Response](t)(c.admin.CreateRoomV2WithResponse(t.Context(), api.RoomCreateV2{Title: "Meanwhile", IMServer: []api.IMServer{api.IMServerAliyunNew}}))
	p.hide(false)
	p.sees("Meanwhile")
	if p.follows(1) == "" {
		t.Error("the tab that is seen again does not ask for what it missed")
	}
}
