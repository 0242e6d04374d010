// The API reference: what the server says of itself in /openapi.json, shown by
// RapiDoc. Whoever is logged in to the console in this tab or another tries
// operations out with that login; anybody else types a token.

import { restore, token } from '../session.js';

const dark = document.documentElement.dataset.theme === 'dark'
  || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);

const settings = {
  'theme': dark ? 'dark' : 'light',
  'bg-color': dark ? '#101114' : '#ffffff',
  'text-color': dark ? '#e8e9ed' : '#16171b',
  'primary-color': dark ? '#98a5ff' : '#4353c6',
  'nav-bg-color': dark ? '#17181c' : '#f6f6f8',
  'regular-font': 'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif',
  'mono-font': 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  'render-style': 'focused',
  'schema-style': 'table',
  'show-header': 'false',
  'show-method-in-nav-bar': 'as-colored-text',
  'use-path-in-nav-bar': 'true',
  'allow-spec-url-load': 'false',
  'allow-spec-file-load': 'false',
  'allow-server-selection': 'false',
  'allow-authentication': 'true',
  'fetch-credentials': 'omit',
  'fill-request-fields-with-example': 'false',
  'load-fonts': 'false',
  'persist-auth': 'false',
  'sort-tags': 'false',
};

// places are where to go from here.
function places() {
  const nav = document.createElement('nav');
  nav.slot = 'nav-logo';
  nav.className = 'back';
  for (const [href, text] of [['/', 'Console'], ['/openapi.yaml', 'openapi.yaml'], ['/openapi.json', 'openapi.json']]) {
    const a = document.createElement('a');
    [a.href, a.textContent] = [href, text];
    nav.append(a);
  }
  return nav;
}

// readable is the description in the words that the renderer knows: webhooks
// have a place of their own from OpenAPI 3.1 on, and stand as an extension in 3.0.
// Requests go to the server that the page comes from.
function readable({ 'x-webhooks': webhooks, ...spec }) {
  return { ...spec, webhooks, servers: [{ url: location.origin }] };
}

// attend names the fields that the renderer leaves without a name, and lets the
// keyboard into what scrolls, in its shadow trees as they are drawn.
function attend(root) {
  const mend = () => {
    for (const e of root.querySelectorAll('input, select, textarea')) {
      if (!e.labels?.length && !e.hasAttribute('aria-label')) e.setAttribute('aria-label', e.dataset.pname ?? e.placeholder ?? e.className);
    }
    for (const e of root.querySelectorAll('pre, .tab-content')) e.tabIndex = 0;
    for (const e of root.querySelectorAll('*')) {
      if (!e.shadowRoot || attended.has(e.shadowRoot)) continue;
      attended.add(e.shadowRoot);
      attend(e.shadowRoot);
    }
  };
  new MutationObserver(mend).observe(root, { childList: true, subtree: true });
  mend();
}

const attended = new WeakSet();

async function show() {
  const reference = document.createElement('rapi-doc');
  for (const [name, value] of Object.entries(settings)) reference.setAttribute(name, value);
  reference.append(places());
  document.body.append(reference);
  const [spec] = await Promise.all([
    fetch('/openapi.json', { credentials: 'omit' }).then((answer) => answer.json()),
    restore(),
    customElements.whenDefined('rapi-doc'),
  ]);
  reference.addEventListener('spec-loaded', () => {
    if (token()) reference.setApiKey('bearerAuth', token());
    attend(reference.shadowRoot);
    document.documentElement.dataset.ready = '';
  });
  await reference.loadSpec(readable(spec));
}

show();
