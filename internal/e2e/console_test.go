package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	api "github.com/stagedoor-live/stagedoor/gen/client"
)

// TestConsole shares one server among all that people do in a browser. What they
// do on one page stands in console_NAME_test.go.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	admin := s.logIn(t)
	c := console{server: s, admin: admin, session: fmt.Sprintf(`{"access":%q,"refresh":"none"}`, admin.token)}
	c.furnish(t)
	seats := make(chan *tab, 3) // more tabs at a time only wait for each other
	for range cap(seats) {
		p := openTab(t, s.url, desk)
		p.do(onEveryPage(c.seed()))
		seats <- p
	}
	c.seat = <-seats
	t.Run("the start page", c.start) // before others make troubles and news
	seats <- c.seat
	for name, test := range map[string]func(console, *testing.T){
		"every page looks well and can be used": console.everyPage,
		"logging in and out":                    console.loggingIn,
		"a session that has expired":            console.expiry,
		"two tabs of one login":                 console.twoTabs,
		"keys":                                  console.keys,
		"the API reference":                     console.reference,
		"rooms":                                 console.rooms,
		"news":                                  console.news,
		"streams and sessions":                  console.onAir,
		"refusals":                              console.refused,
		"live tokens":                           console.tokens,
		"rules and their keys":                  console.rules,
		"bans":                                  console.bans,
		"nodes":                                 console.nodes,
		"accounts":                              console.accounts,
		"routes":                                console.routes,
		"webhooks":                              console.webhooks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := c
			c.seat = <-seats
			t.Cleanup(func() { seats <- c.seat })
			test(c, t)
		})
	}
}

// console is a server with things on it, and its administrator.
type console struct {
	*server
	admin   account
	session string // what the page keeps of a login
	seat    *tab   // of this test, until it ends
}

// furnish puts something on every page.
func (c console) furnish(t *testing.T) {
	t.Helper()
	for _, title := range []string{"Evening show", "晚间直播", "Rehearsal <b>&amp;"} {
		good[*api.CreateRoomV2Response](t)(c.admin.CreateRoomV2WithResponse(t.Context(), api.RoomCreateV2{Title: title, IMServer: []api.IMServer{api.IMServerAliyunNew}}))
	}
	c.visitors(t)
	hook := good[*api.CreateWebhookResponse](t)(c.admin.CreateWebhookWithResponse(t.Context(), api.NewWebhook{URL: "https://idle.invalid/hook"})).JSON201
	off := false
	good[*api.UpdateWebhookResponse](t)(c.admin.UpdateWebhookWithResponse(t.Context(), hook.Webhook.ID, api.WebhookUpdate{Enabled: &off}))
}

// tab opens the console in a tab that has logged in before, all of them with one
// login: passwords are hashed with what processors others leave.
func (c console) tab(t *testing.T, l look) *tab {
	t.Helper()
	t.Cleanup(func() { c.seat.clear(t) })
	p := c.seat.lend(t)
	p.as(l)
	p.open("")
	p.settled()
	return p
}

// newTab does so in a tab that knows nothing of the console yet.
func (c console) newTab(t *testing.T, l look) *tab {
	t.Helper()
	p := newTab(t, c.url, l)
	p.do(onEveryPage(c.seed()))
	p.open("")
	p.settled()
	return p
}

// seed is a script after which a page finds the login.
func (c console) seed() string {
	return fmt.Sprintf(`if (!sessionStorage.length) sessionStorage.setItem('stagedoor.session', %q)`, c.session)
}

// ownTab opens one with a login of its own, which may end.
func (c console) ownTab(t *testing.T, l look) *tab {
	t.Helper()
	p := newTab(t, c.url, l)
	p.logIn("admin", c.password)
	return p
}

// pages are those of the navigation, by name and address.
func (p *tab) pages() (pages []struct{ Name, Path string }) {
	p.Helper()
	return value[[]struct{ Name, Path string }](p, `import(document.querySelector('script[type=module]').src.replace('app.js', 'pages.js'))
		.then((m) => m.pages.filter((page) => !page.path.includes(':')).map((page) => ({ Name: page.name, Path: page.path })))`)
}

// everyPage looks at all pages as people who differ in every way do.
func (c console) everyPage(t *testing.T) {
	desktop, pocket := c.newTab(t, desk), c.tab(t, phone)
	if pages := desktop.pages(); len(pages) == 0 {
		t.Error("no pages")
	}
	for _, page := range desktop.pages() {
		desktop.move(page.Path)
		desktop.look(page.Name, "light")
		pocket.move(page.Path)
		pocket.look(page.Name, "dark")
	}
	if received, asked := desktop.taken(); received > 300<<10 {
		t.Errorf("the console took %.0f KB", received/1024)
	} else {
		t.Logf("%.0f KB in %d requests", received/1024, asked)
	}
}

// look shows a page that is open in one language and theme, and in the others.
// axe reads it in the themes that are named, without any in both: colours are
// what differs.
func (p *tab) look(name string, audited ...string) {
	p.Helper()
	p.run(`document.querySelectorAll('.toast').forEach((news) => news.remove())`) // in the language of before
	size := "desktop"
	if value[bool](p, `innerWidth < 800`) {
		size = "phone"
	}
	for _, v := range []struct{ language, theme string }{{"en", "light"}, {"zh", "dark"}} {
		p.dress(v.language, v.theme)
		full := fmt.Sprintf("%s-%s-%s-%s", name, size, v.language, v.theme)
		p.shot(full)
		if v.language == "zh" {
			for _, text := range p.untranslated() {
				p.Errorf("%s: not translated: %q", full, text)
			}
		}
		if wide := value[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			p.Errorf("%s: wider than the screen by %d", full, wide)
		}
		if len(audited) == 0 || slices.Contains(audited, v.theme) {
			p.audit(full)
		}
	}
}

// dress sets language and theme as the switches do.
func (p *tab) dress(language, theme string) {
	p.Helper()
	if value[string](p, `document.documentElement.lang.slice(0, 2)`) != language {
		p.run(fmt.Sprintf(`document.querySelector('[data-language=%s]').click()`, language))
		p.until(fmt.Sprintf(`document.documentElement.lang.startsWith(%q)`, language))
		p.settled()
	}
	p.run(fmt.Sprintf(`document.documentElement.dataset.theme = %q`, theme))
}

func (c console) loggingIn(t *testing.T) {
	p := newTab(t, c.url, desk)
	p.expect("403 (Forbidden)", "401 (Unauthorized)")
	p.open("#/rooms?state=live")
	p.sees("Log in to Stagedoor")
	p.look1("login")
	p.fill("User name", "admin")
	p.press(kb.Enter)
	p.sees("Fill in this field.")
	p.fill("Password", "a wrong one")
	p.insist(func() { p.press(kb.Enter) }, `document.body.innerText.includes("The user name or the password is wrong.")`)
	p.audit("login, refused")
	p.fill("Password", c.password)
	p.insist(func() { p.press(kb.Enter) }, settled)
	p.until(`location.hash === '#/rooms?state=live'`)
	p.do(chromedp.Reload())
	p.settled()
	p.click("Log out")
	p.sees("You are logged out.")
	p.until(`sessionStorage.length === 0`)
	p.do(chromedp.Reload())
	p.sees("Log in to Stagedoor")
	p.click("中文")
	p.sees("登录 Stagedoor")
}

// look1 is look for what has no switches around it.
func (p *tab) look1(name string) {
	p.Helper()
	for _, theme := range []string{"light", "dark"} {
		p.run(fmt.Sprintf(`document.documentElement.dataset.theme = %q`, theme))
		p.shot(name + "-" + theme)
		p.audit(name + "-" + theme)
	}
}

// expiry gives the page a token that is none: it gets another one by itself as
// long as it can, and asks for the password when it cannot.
func (c console) expiry(t *testing.T) {
	p := c.ownTab(t, desk)
	p.move("/rooms")
	p.expect("401 (Unauthorized)")
	p.run(`sessionStorage.setItem('stagedoor.session', JSON.stringify({ ...JSON.parse(sessionStorage.getItem('stagedoor.session')), access: 'void' }))`)
	p.do(chromedp.Reload())
	p.settled()
	p.sees("Evening show")
	p.run(`sessionStorage.setItem('stagedoor.session', JSON.stringify({ access: 'void', refresh: 'void' }))`)
	p.do(chromedp.Reload())
	p.sees("The login has expired.")
}

// twoTabs of one browser share a login, whoever of them renews it.
func (c console) twoTabs(t *testing.T) {
	p := c.ownTab(t, desk)
	p.expect("401 (Unauthorized)")
	second := p.another()
	second.open("#/rooms")
	second.settled()
	second.sees("Evening show")
	second.click("Log out")
	p.sees("You are logged out.")
}

// keys walks the page with the keyboard alone.
func (c console) keys(t *testing.T) {
	p := c.tab(t, desk)
	p.move("/rooms")
	p.do(chromedp.Reload()) // nothing has the focus
	p.settled()
	p.press(kb.Tab)
	p.focuses("Skip to the page")
	p.press(kb.Enter)
	p.until(`document.activeElement.id === 'main'`)
	for _, stop := range []string{"Create room", "State", "Search"} {
		p.press(kb.Tab)
		p.focuses(stop)
	}
	p.run(`[...document.querySelectorAll('button')].find((b) => b.textContent.includes('Create room')).focus()`)
	p.press(kb.Enter)
	p.opens()
	p.focuses("Title")
	for range 12 { // and never leaves it
		p.press(kb.Tab)
		if !value[bool](p, `document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))`) {
			t.Fatalf("Tab leaves the dialog for %q", p.focused())
		}
	}
	p.press(kb.Escape)
	p.closes()
	p.focuses("Create room")
}
