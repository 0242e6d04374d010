// All pages of the console, in the order of the navigation.
//
// How a page is made:
//  1. static/pages/NAME.js exports a function as default. It gets a context and
//     returns nodes (or a promise of them):
//
//       import { h } from '../dom.js';
//       import { t } from '../i18n.js';
//       import { get } from '../api.js';
//       import { heading } from '../ui/page.js';
//       import { table } from '../ui/table.js';
//
//       export default function nodes({ signal }) {
//         const list = table({ label: t('nodes.title'), columns: […], load: … , signal });
//         return [heading(t('nodes.title'), { actions: […] }), list.element];
//       }
//
//     The context: `params` of the path, `query` (URLSearchParams behind the
//     path), `setQuery(object)` which changes it without drawing anew, `signal`
//     which is aborted when the page is left (give it to everything that asks,
//     waits or listens), `me` (the account), `refresh()` which draws the page anew.
//  2. Its texts stand in static/i18n/en/NAME.js and static/i18n/zh/NAME.js, with
//     keys "NAME.…"; see i18n.js. What comes from the server is shown with data()
//     or code() of dom.js.
//  3. It gets one line here. `path` may have :params. A page with `parent` is not
//     in the navigation itself. The label there is "core.nav.NAME"; labels of the
//     planned pages are there already. `icon` is a name of ui/icons.js.
//  4. While you work on it, STAGEDOOR_CONSOLE_DIR=internal/console/static serves the
//     files as they are on disk; a reload of the page shows what you changed.
//  5. internal/e2e/console_test.go walks all pages of this list, in both languages and
//     themes; a test of what can be done on one stands in console_NAME_test.go there.
//
// Pieces: ui/page.js (heading, section, facts, tabs), ui/table.js, ui/form.js,
// ui/dialog.js (openDialog, formDialog, confirmDialog), ui/toast.js, ui/copy.js,
// ui/badge.js, ui/time.js, ui/chart.js, ui/health.js, ui/qr.js, ui/player.js, ui/filters.js, ui/icons.js, format.js, live.js. Each says
// at its head how it is used. Colours and distances are the variables at the head
// of style.css; no page has styles of its own.

export const pages = [
  { name: 'start', path: '/', group: 'live', icon: 'start', load: () => import('./pages/start.js') },
  { name: 'rooms', path: '/rooms', group: 'live', icon: 'rooms', load: () => import('./pages/rooms.js') },
  { name: 'room', path: '/rooms/:id', parent: 'rooms', load: () => import('./pages/room.js') },
  { name: 'streams', path: '/streams', group: 'live', icon: 'streams', load: () => import('./pages/streams.js') },
  { name: 'stream', path: '/streams/:vhost/:app/:stream', parent: 'streams', load: () => import('./pages/stream.js') },
  { name: 'sessions', path: '/sessions', group: 'live', icon: 'sessions', load: () => import('./pages/sessions.js') },
  { name: 'decisions', path: '/decisions', group: 'access', icon: 'decisions', load: () => import('./pages/decisions.js') },
  { name: 'explain', path: '/explain', group: 'access', icon: 'explain', load: () => import('./pages/explain.js') },
  { name: 'rules', path: '/rules', group: 'access', icon: 'rules', load: () => import('./pages/rules.js') },
  { name: 'rule', path: '/rules/:id', parent: 'rules', load: () => import('./pages/rule.js') },
  { name: 'bans', path: '/bans', group: 'access', icon: 'bans', load: () => import('./pages/bans.js') },
  { name: 'tokens', path: '/tokens', group: 'access', icon: 'tokens', load: () => import('./pages/tokens.js') },
  { name: 'accounts', path: '/accounts', group: 'access', icon: 'accounts', load: () => import('./pages/accounts.js') },
  { name: 'account', path: '/accounts/:username', parent: 'accounts', load: () => import('./pages/account.js') },
  { name: 'nodes', path: '/nodes', group: 'system', icon: 'nodes', load: () => import('./pages/nodes.js') },
  { name: 'node', path: '/nodes/:name', parent: 'nodes', load: () => import('./pages/node.js') },
  { name: 'routes', path: '/routes', group: 'system', icon: 'routes', load: () => import('./pages/routes.js') },
  { name: 'webhooks', path: '/webhooks', group: 'system', icon: 'webhooks', load: () => import('./pages/webhooks.js') },
  { name: 'webhook', path: '/webhooks/:id', parent: 'webhooks', load: () => import('./pages/webhook.js') },
];
