package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// deep looks for elements in the shadow trees of the renderer too.
const deep = `globalThis.deep = (selector, root = document) => [...root.querySelectorAll('*')].flatMap((e) =>
	[...(e.matches(selector) ? [e] : []), ...(e.shadowRoot ? deep(selector, e.shadowRoot) : [])]);`

// reference reads the API reference under its policy and tries an operation with
// the login of the console.
func (c console) reference(t *testing.T) {
	p := newTab(t, c.url, desk)
	p.do(onEveryPage(c.seed()), onEveryPage(deep))
	p.open("docs")
	p.until(`'ready' in document.documentElement.dataset`)
	p.until(`deep('.nav-bar-path').length > 100`)
	p.shot("docs")
	for _, there := range []string{"/callback/on_publish", "room.started", "/api/v1/overview"} {
		if !value[bool](p, fmt.Sprintf(`deep('.nav-bar-path').some((e) => e.textContent.includes(%q))`, there)) {
			t.Errorf("%s is not in the navigation", there)
		}
	}

	p.run(`(() => { const search = deep('#nav-bar-search')[0]; search.value = 'refusals'; search.dispatchEvent(new Event('change', { bubbles: true })); search.dispatchEvent(new KeyboardEvent('keyup', { key: 'Enter', bubbles: true })); })()`)
	p.until(`(() => { const found = deep('.nav-bar-path').filter((e) => e.checkVisibility()); return found.length > 0 && found.length < 10 && found.some((e) => e.textContent.includes('/api/v1/refusals')); })()`)
	p.run(`deep('.nav-bar-path').find((e) => e.checkVisibility() && e.textContent.trim().endsWith('/api/v1/refusals')).click()`)
	p.until(`deep('api-request').some((e) => e.checkVisibility())`)
	p.shot("docs-operation")
	p.run(`deep('button').find((b) => b.checkVisibility() && b.textContent.trim() === 'TRY').click()`)
	p.until(`deep('api-request').some((e) => /Response Status.*200/i.test(e.shadowRoot?.textContent ?? e.textContent))`)
	p.until(`deep('*').some((e) => e.childElementCount === 0 && e.textContent.includes('no_credential') && e.checkVisibility())`)
	p.shot("docs-tried")
	for _, v := range p.violations() {
		if strings.HasPrefix(v, "critical") || strings.HasPrefix(v, "serious") { // what is less is the renderer's own
			t.Error(v)
		}
	}
}
