// The frame of all pages: navigation, who is logged in, and the page itself.

import { get } from './api.js';
import { data, h, put } from './dom.js';
import { loadTexts, t } from './i18n.js';
import { pages } from './pages.js';
import { link, path, route, setQuery } from './router.js';
import { logOut, loggedIn } from './session.js';
import { languageSwitch, themeSwitch } from './switches.js';
import { icon, mark } from './ui/icons.js';
import { problem } from './ui/problem.js';

let frame = null; // what is shown now; an older one must not draw any more

// showShell shows the page that the address names. Who is known to be logged in is
// not asked for again.
export async function showShell(root, known) {
  const me = known ?? await get('/users/me').catch(() => ({ username: '' }));
  if (!loggedIn()) return; // the login ended meanwhile, and its page is shown
  const main = h('main', { id: 'main', tabindex: '-1' });
  const nav = navigation();
  const redraw = () => showShell(root, me);
  const menu = h('button', { type: 'button', class: 'quiet menu', 'aria-expanded': 'false', 'aria-controls': 'nav', onclick: () => toggle() }, icon('menu'), h('span', { class: 'hidden' }, t('core.menu')));
  const side = h('aside', { class: 'side', id: 'nav' }, h('a', { class: 'side-brand', href: link(pages[0].path) }, mark(), data('Stagedoor')), nav, footer(me, redraw));
  const shell = h('div', { class: 'shell' },
    h('a', { class: 'skip', href: '#main', onclick: (e) => { e.preventDefault(); main.focus(); } }, t('core.skip')),
    h('header', { class: 'top' }, menu, h('a', { class: 'brand', href: link(pages[0].path) }, mark(), data('Stagedoor'))),
    side, h('div', { class: 'veil', onclick: () => toggle(false) }), main);
  const toggle = (open = !shell.classList.contains('open')) => {
    shell.classList.toggle('open', open);
    menu.setAttribute('aria-expanded', String(open));
  };
  shell.addEventListener('keydown', (e) => {
    if (e.key !== 'Escape' || !shell.classList.contains('open')) return;
    toggle(false);
    menu.focus();
  });
  put(root, shell);

  frame?.abort();
  frame = new AbortController();
  const draw = drawer({ main, nav, me, toggle });
  addEventListener('hashchange', () => draw(true), { signal: frame.signal });
  frame.signal.addEventListener('abort', () => draw.end());
  await draw(false);
}

// end takes the frame down, when a login is over.
export function endShell() {
  frame?.abort();
  frame = null;
}

// drawer returns the function that draws the page of the address. After a change
// of page it puts the focus on its heading, as a browser would for a document.
function drawer({ main, nav, me, toggle }) {
  let leave = new AbortController();
  const draw = async (moved) => {
    leave.abort();
    const here = leave = new AbortController();
    const { page, params, query } = route();
    const at = path();
    toggle(false);
    point(nav, page);
    main.setAttribute('aria-busy', 'true');
    const content = await build(page, { params, query, setQuery: (q) => setQuery(at, q), signal: here.signal, me, refresh: () => draw(false) });
    if (here.signal.aborted) return;
    main.removeAttribute('aria-busy');
    put(main, content);
    const title = main.querySelector('h1');
    document.title = `${title?.textContent ?? ''} · Stagedoor`;
    if (moved) {
      scrollTo(0, 0);
      title?.setAttribute('tabindex', '-1');
      title?.focus({ preventScroll: true });
    }
  };
  draw.end = () => leave.abort();
  return draw;
}

async function build(page, context) {
  if (!page) return [h('h1', {}, t('core.missing.title')), h('p', {}, t('core.missing.text'))];
  try {
    const [module] = await Promise.all([page.load(), loadTexts(page.name), page.parent && loadTexts(page.parent)]);
    return await module.default(context);
  } catch (err) {
    if (err.name === 'AbortError') return [];
    return [h('h1', {}, t(`core.nav.${page.parent ?? page.name}`)), problem(err, context.refresh)];
  }
}

function navigation() {
  const groups = new Map();
  for (const page of pages.filter((p) => !p.parent)) {
    if (!groups.has(page.group)) groups.set(page.group, []);
    groups.get(page.group).push(h('li', {}, h('a', { href: link(page.path), dataset: { page: page.name } }, icon(page.icon), t(`core.nav.${page.name}`))));
  }
  return h('nav', { 'aria-label': t('core.nav.label') }, [...groups].map(([group, items]) => [
    h('h2', { id: `group-${group}` }, t(`core.group.${group}`)),
    h('ul', { 'aria-labelledby': `group-${group}` }, items),
  ]));
}

function point(nav, page) {
  for (const a of nav.querySelectorAll('a')) {
    if (page && a.dataset.page === (page.parent ?? page.name)) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
}

function footer(me, redraw) {
  return h('div', { class: 'side-foot' },
    languageSwitch(redraw), themeSwitch(),
    h('div', { class: 'me' }, icon('person'), data(me.username, { class: 'me-name' }),
      h('button', { type: 'button', class: 'quiet', title: t('core.logout'), onclick: () => logOut() }, icon('logout'), h('span', { class: 'hidden' }, t('core.logout')))));
}
