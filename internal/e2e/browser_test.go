package e2e

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/css"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// screenshotsEnv names a directory in which the screenshots are kept; without it
// they go with the test.
const screenshotsEnv = "STAGEDOOR_E2E_SCREENSHOTS"

// chromium is the one browser of this process; each test has a profile of its
// own in it.
var chromium = sync.OnceValues(func() (*chrome, error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("%w: run make deps-test first", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		// Processes and pages that are kept ready for what may come next: these are
		// chromedp's own, and two more.
		chromedp.Flag("disable-features", "site-per-process,Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess,BackForwardCache"),
		chromedp.WSURLReadTimeout(patience))
	allocated, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocated)
	b := &chrome{ctx: ctx, end: func() { end(); release() }}
	return b, chromedp.Run(ctx)
})

type chrome struct {
	ctx context.Context
	end func()
}

// executor is for orders to the browser itself.
func (b *chrome) executor() context.Context {
	return cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser)
}

var startedChromium atomic.Bool

// endChromium ends the browser if a test has started it.
func endChromium() {
	if !startedChromium.Load() {
		return
	}
	if b, err := chromium(); err == nil {
		b.end()
	}
}

// tab is a page in a profile of its own. It collects what must not happen: errors
// on the console, violations of the content policy among them, and requests that
// go elsewhere.
type tab struct {
	*testing.T
	ctx  context.Context
	base string // of the server

	browser *chrome
	profile cdp.BrowserContextID

	mu       sync.Mutex
	troubles []string
	expected []string                   // parts of troubles that the test provokes
	origins  []string                   // that may be asked beside the server
	received float64                    // bytes of the console's own files that came over the wire
	asked    int                        // requests for them
	answers  map[network.RequestID]bool // that are none of them
	// streams are the requests for events that are under way, and resumed is the
	// event after which the last of them began.
	streams map[network.RequestID]bool
	resumed string
}

// look is how a page is looked at.
type look struct {
	language, theme string
	width, height   int64
}

var (
	desk  = look{"en", "light", 1280, 860}
	phone = look{"zh", "dark", 390, 844}
)

// newTab opens an empty page for a test.
func newTab(t *testing.T, base string, l look) *tab {
	t.Helper()
	return openTab(t, base, l).lend(t)
}

// openTab opens one for tests to which it is lent.
func openTab(t *testing.T, base string, l look) *tab {
	t.Helper()
	startedChromium.Store(true)
	b, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := target.CreateBrowserContext().Do(b.executor())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.DisposeBrowserContext(profile).Do(b.executor()) }) // its tabs are closed
	return b.newTab(t, profile, base, l)
}

// another opens a tab in the same profile.
func (p *tab) another() *tab {
	p.Helper()
	return p.browser.newTab(p.T, p.profile, p.base, desk).lend(p.T)
}

func (b *chrome) newTab(t *testing.T, profile cdp.BrowserContextID, base string, l look) *tab {
	t.Helper()
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(b.executor())
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	t.Cleanup(end)
	if err := chromedp.Run(ctx); err != nil { // the first one sets how long the tab lives
		t.Fatal(err)
	}
	p := &tab{T: t, ctx: ctx, base: base, browser: b, profile: profile}
	p.do(dom.Disable(), css.Disable(), target.SetDiscoverTargets(false), // nobody listens to all of that
		onEveryPage(hands))
	p.as(l)
	return p
}

// lend gives the tab to a test for as long as that lasts. Its troubles are those of
// that test.
func (p *tab) lend(t *testing.T) *tab {
	t.Helper()
	ctx, end := context.WithCancel(p.ctx)
	lent := &tab{T: t, ctx: ctx, base: p.base, browser: p.browser, profile: p.profile, answers: map[network.RequestID]bool{}, streams: map[network.RequestID]bool{}}
	chromedp.ListenTarget(ctx, lent.hear)
	t.Cleanup(func() {
		end()
		if t.Failed() {
			return
		}
		for _, trouble := range lent.had() {
			t.Error(trouble)
		}
	})
	return lent
}

// clear leaves the page and drops what the browser keeps of it, for the next test.
func (p *tab) clear(t *testing.T) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Evaluate(`localStorage.clear(), sessionStorage.clear()`, nil), chromedp.Navigate("about:blank")); err != nil {
		t.Error(err)
	}
}

// hands is hands.js.
//
//go:embed testdata/hands.js
var hands string

// onEveryPage runs a script before those of the page.
func onEveryPage(script string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	})
}

// hear runs on another goroutine than the test.
func (p *tab) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			p.trouble(fmt.Sprintf("the page says %s: %s", e.Type, said(e.Args)))
		}
	case *runtime.EventExceptionThrown:
		p.trouble("exception: " + e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			p.trouble(fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Scheme == "blob" || u.Scheme == "data" || u.Scheme == "about" {
			return
		}
		p.sent(e, u.Path)
		if origin := u.Scheme + "://" + u.Host; origin != p.base && !slices.Contains(p.origins, origin) {
			p.trouble("a request to " + e.Request.URL)
		}
	case *network.EventLoadingFinished:
		p.mu.Lock()
		if !p.answers[e.RequestID] {
			p.received += e.EncodedDataLength
		}
		delete(p.streams, e.RequestID)
		p.mu.Unlock()
	case *network.EventLoadingFailed:
		p.mu.Lock()
		delete(p.streams, e.RequestID)
		p.mu.Unlock()
	}
}

// sent counts requests for files: how often a page asks for figures depends on how
// long it is looked at.
func (p *tab) sent(e *network.EventRequestWillBeSent, path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answers[e.RequestID] = strings.HasPrefix(path, "/api/") || path == "/users/me"; !p.answers[e.RequestID] {
		p.asked++
	}
	if path == "/api/v1/events/live" {
		p.streams[e.RequestID] = true
		p.resumed, _ = e.Request.Headers["Last-Event-ID"].(string)
	}
}

// follows waits until so many streams of events are under way, and returns after
// which event the last of them began.
func (p *tab) follows(n int) (resumed string) {
	p.Helper()
	eventually(p.T, fmt.Sprintf("%d streams of events", n), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		resumed = p.resumed
		return len(p.streams) == n
	})
	return resumed
}

// hide makes the page believe that nobody sees it, or that somebody does again: all
// tabs of the tests are in sight.
func (p *tab) hide(hidden bool) {
	p.Helper()
	p.run(fmt.Sprintf(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => %t }); document.dispatchEvent(new Event('visibilitychange')); undefined`, hidden))
}

func said(args []*runtime.RemoteObject) string {
	var words []string
	for _, arg := range args {
		words = append(words, cmp.Or(string(arg.Value), arg.Description))
	}
	return strings.Join(words, " ")
}

// taken returns the bytes of files and the requests for them up to now.
func (p *tab) taken() (received float64, asked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received, p.asked
}

func (p *tab) trouble(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.expected, func(part string) bool { return strings.Contains(text, part) }) {
		p.troubles = append(p.troubles, text)
	}
}

// had are the troubles up to now.
func (p *tab) had() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.troubles)
}

// expect says which troubles the test provokes.
func (p *tab) expect(parts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, parts...)
}

// outlives expects the page of something to ask once more after it was deleted: it
// may not have been left yet.
func (p *tab) outlives(path string) { p.expect("404 (Not Found) " + p.base + path) }

// do runs actions within the patience of a test.
func (p *tab) do(actions ...chromedp.Action) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.fail(err.Error())
	}
}

// fail ends the test with what is on the page.
func (p *tab) fail(why string) {
	p.Helper()
	p.keep("failed")
	ctx, cancel := context.WithTimeout(p.ctx, brief)
	defer cancel()
	var text string
	if err := chromedp.Run(ctx, chromedp.Evaluate(`location.href + '\n' + document.body.innerText`, &text)); err != nil {
		text = err.Error()
	}
	p.Fatalf("%s\nthe page:\n%s\n%s", why, text, strings.Join(p.had(), "\n"))
}

// brief is how long it may take to look at a page; one that hangs is not waited for.
const brief = 20 * time.Second

// as sets the language and theme that the browser prefers, and the size.
func (p *tab) as(l look) {
	p.Helper()
	locale := map[string]string{"en": "en-US", "zh": "zh-CN"}[l.language]
	p.do(emulation.SetFocusEmulationEnabled(true), // as if each had a screen of its own
		emulation.SetDeviceMetricsOverride(l.width, l.height, 1, l.width < 800),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}),
		emulation.SetUserAgentOverride("StagedoorTest").WithAcceptLanguage(locale))
}

// open goes to an address of the console.
func (p *tab) open(address string) {
	p.Helper()
	p.do(chromedp.Navigate(p.base + "/" + address))
}

// hand has hands.js do something and tells where it could not.
func (p *tab) hand(deed string, args ...any) {
	p.Helper()
	var given []string
	for _, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			p.Fatal(err)
		}
		given = append(given, string(text))
	}
	given = append(given, strconv.FormatInt(inPage.Milliseconds(), 10))
	if obstacle := value[string](p, fmt.Sprintf("hands.%s(%s)", deed, strings.Join(given, ", "))); obstacle != "" {
		p.fail(fmt.Sprintf("%s %v: %s", deed, args, obstacle))
	}
}

// inPage is how long a page itself waits, which then can tell for what.
const inPage = patience - 10*time.Second

// move goes to another page of the console that is open.
func (p *tab) move(address string) {
	p.Helper()
	p.hand("move", address)
	p.settled()
}

// run evaluates an expression and drops its value.
func (p *tab) run(expression string) {
	p.Helper()
	p.do(chromedp.Evaluate(expression, nil, asPerson))
}

// value evaluates an expression, or what it promises.
func value[T any](p *tab, expression string) (v T) {
	p.Helper()
	p.do(chromedp.Evaluate(expression, &v, asPerson))
	return v
}

// asPerson allows what browsers allow after a click only, such as to copy.
func asPerson(e *runtime.EvaluateParams) *runtime.EvaluateParams {
	return e.WithAwaitPromise(true).WithUserGesture(true)
}

// until waits for an expression to become true.
func (p *tab) until(expression string) {
	p.Helper()
	if obstacle := value[string](p, fmt.Sprintf("hands.until(() => (%s), %d)", expression, inPage.Milliseconds())); obstacle != "" {
		p.fail(fmt.Sprintf("%s: %s", expression, obstacle))
	}
}

// settled is a page that has all that it asked for.
const settled = `document.querySelector('.shell main h1') && hands.here() && !document.querySelector('[aria-busy], .skeleton')`

func (p *tab) settled() {
	p.Helper()
	p.until(settled)
}

// sees waits for a text that people can see.
func (p *tab) sees(text string) {
	p.Helper()
	p.until(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// hears waits for short news, which are gone from the page after a while. Of what
// was announced before it knows nothing once it has heard it.
func (p *tab) hears(text string) {
	p.Helper()
	p.hand("hears", text)
}

// arrives waits for a page of the console to which a deed leads.
func (p *tab) arrives(address string) {
	p.Helper()
	p.until(fmt.Sprintf(`location.hash === %q`, "#"+address))
	p.settled()
}

// click presses the button or link of that name, in the dialog that is open or
// else on the page; see hands.js for names.
func (p *tab) click(name string) {
	p.Helper()
	p.hand("click", name)
}

// opens waits for a dialog.
func (p *tab) opens() {
	p.Helper()
	p.until(`document.querySelector('dialog[open]')`)
}

// closes waits until there is none.
func (p *tab) closes() {
	p.Helper()
	p.until(`!document.querySelector('dialog')`)
}

// fill puts a text into the field of that label, in the place of what is there.
func (p *tab) fill(label, text string) {
	p.Helper()
	p.hand("fill", label, text)
}

// choose picks an option of the field of that label.
func (p *tab) choose(label, option string) {
	p.Helper()
	p.hand("choose", label, option)
}

// tick clicks a box of the dialog.
func (p *tab) tick(selector string) {
	p.Helper()
	p.hand("tick", selector)
}

func (p *tab) press(keys ...string) {
	p.Helper()
	for _, key := range keys {
		p.do(chromedp.KeyEvent(key))
	}
}

const focus = `(() => { const e = document.activeElement; return (e.getAttribute('aria-label') || e.labels?.[0]?.innerText || e.textContent).trim(); })()`

// focused is the name of what has the focus.
func (p *tab) focused() string {
	p.Helper()
	return value[string](p, focus)
}

// focuses waits for the focus on what is called so.
func (p *tab) focuses(name string) {
	p.Helper()
	p.until(fmt.Sprintf(`%s === %q`, focus, name))
}

// logIn goes through the form.
func (p *tab) logIn(username, password string) {
	p.Helper()
	p.open("")
	p.fill("User name", username)
	p.fill("Password", password)
	p.insist(func() { p.press(kb.Enter) }, settled)
}

// insist does something until what it leads to holds. Passwords are hashed with
// what processors others leave, and there may be none for a while.
func (p *tab) insist(deed func(), holds string) {
	p.Helper()
	const busy = `/Too many attempts|cannot do this at the moment/.test(document.querySelector('.problem')?.innerText)`
	p.expect("429 (Too Many Requests)", "503 (Service Unavailable)")
	for range 10 {
		deed()
		p.until(fmt.Sprintf(`(%s) || (%s)`, holds, busy))
		if value[bool](p, fmt.Sprintf(`Boolean(%s)`, holds)) {
			return
		}
	}
	p.fail("the server stays busy")
}

// shot takes a picture of the whole page where somebody will look at it.
func (p *tab) shot(name string) {
	if os.Getenv(screenshotsEnv) != "" {
		p.keep(name)
	}
}

func (p *tab) keep(name string) {
	ctx, cancel := context.WithTimeout(p.ctx, brief)
	defer cancel()
	var png []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
		p.Logf("screenshot %s: %v", name, err)
		return
	}
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		dir = p.ArtifactDir()
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.Error(err)
	}
}

// audit fails the test where axe finds that somebody cannot use the page. What is
// found while the page was drawn anew is not there the next times.
func (p *tab) audit(name string) {
	p.Helper()
	found := p.violations()
	for again := 0; len(found) > 0 && again < 3; again++ {
		p.until(`!document.querySelector('[aria-busy]')`)
		found = p.violations()
	}
	for _, v := range found {
		p.Errorf("%s: %s", name, v)
	}
}

func (p *tab) violations() (all []string) {
	p.Helper()
	if !value[bool](p, `'axe' in window`) {
		p.run(axe(p.T))
	}
	raw := value[string](p, `axe.run(document, { resultTypes: ['violations'] }).then((r) => JSON.stringify(r.violations))`)
	var violations []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	if err := json.Unmarshal([]byte(raw), &violations); err != nil {
		p.Fatal(err)
	}
	for _, v := range violations {
		for _, n := range v.Nodes {
			all = append(all, fmt.Sprintf("%s %s: %s\n%s\n%s", v.Impact, v.ID, v.Help, n.HTML, n.FailureSummary))
		}
	}
	return all
}

func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(nodeModules(t), "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("%v: run make deps-test first", err)
	}
	return string(script)
}

// untranslated returns the texts of a Chinese page that are not, beside names
// and what came from the server.
func (p *tab) untranslated() []string {
	p.Helper()
	return value[[]string](p, `(() => {
		const found = [];
		const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) {
			const text = walk.currentNode.data.trim();
			const parent = walk.currentNode.parentElement;
			if (parent.closest('[translate=no], script, style, noscript, time') || !parent.checkVisibility()) continue;
			if (/[A-Za-z]{4,}/.test(text.replace(/Stagedoor|Webhooks?|HTTP|RTMP|JSON|HTTPS|HLS|FLV/g, ''))) found.push(text);
		}
		return found;
	})()`)
}
