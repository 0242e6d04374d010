// Pull routes: what media servers fetch from elsewhere, and how it goes.

import { get, seg, send } from '../api.js';
import { code, data, h } from '../dom.js';
import { count } from '../format.js';
import { t } from '../i18n.js';
import { repeat } from '../live.js';
import { link } from '../router.js';
import { badge } from '../ui/badge.js';
import { confirmDialog, formDialog } from '../ui/dialog.js';
import { icon } from '../ui/icons.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { fail, toast } from '../ui/toast.js';
import { ago } from '../ui/time.js';

export default function routes({ signal }) {
  const list = table({
    label: t('routes.title'),
    columns: [
      { label: t('routes.pattern'), cell: (r) => h('div', {}, code(r.pattern), streams(r)) },
      { label: t('routes.from'), cell: (r) => h('div', {}, code(r.url), r.keepalive && h('div', { class: 'muted small' }, t('routes.always'))) },
      { label: t('routes.state'), cell: (r) => h('div', {}, stateBadge(r), ' ', ago(r.since, signal), cause(r)) },
      { label: t('routes.node'), cell: (r) => (r.node ? h('a', { href: link('/nodes/:node', r) }, data(r.node)) : data('–')) },
      { label: t('routes.viewers'), cell: (r) => data(count(r.viewers)), number: true },
      { label: t('routes.deeds'), cell: (r) => deeds(r, () => list.reload()), number: true },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/relays', { cursor, limit: 20 }, signal);
      return { rows: page.relays, next: page.next_cursor };
    },
    empty: t('routes.empty'), signal,
  });
  repeat(() => list.reload(), signal);
  const create = button(t('routes.create'), async () => await createRoute() && list.reload(), { icon: 'plus', kind: 'primary' });
  return [heading(t('routes.title'), { text: t('routes.about'), actions: [create] }), list.element];
}

const tones = { running: 'good', starting: 'warn', failed: 'bad', idle: 'plain' };

const stateBadge = (relay) => badge(tones[relay.state], t(`routes.state.${relay.state}`), { live: relay.state === 'running' });

// cause is in our words; what a media server said is shown where those are vague.
const cause = ({ reason, message }) => reason && h('div', { class: 'muted small' }, t(`routes.reason.${reason}`), reason === 'source_fault' && message && [' ', data(message, { lang: 'en' })]);

const most = 5; // streams below a route that are listed

// streams are those of a route that stands for many.
function streams(relay) {
  if (!relay.pattern.endsWith('/')) return null;
  return [
    relay.streams.slice(0, most).map((s) => h('div', { class: 'small' }, code(s.path), ' ', s.state !== relay.state && stateBadge(s))),
    relay.streams.length > most && h('div', { class: 'muted small' }, t('routes.more', { n: relay.streams.length - most })),
  ];
}

function deeds(relay, changed) {
  const act = (sign, text, deed, kind) => button([icon(sign), h('span', { class: 'hidden' }, text, ' ', data(relay.pattern))], deed, { kind, title: text });
  return h('div', { class: 'actions' },
    act('edit', t('core.edit'), async () => await editRoute(relay) && changed()),
    act('trash', t('core.delete'), async () => await deleteRoute(relay) && changed(), 'danger'));
}

const source = (route) => [
  { name: 'url', label: t('routes.url'), required: true, value: route.url, hint: t('routes.url.hint'), attributes: { maxlength: 2048, pattern: '[a-z]+://.+', spellcheck: 'false', autocomplete: 'off', inputmode: 'url' } },
  { name: 'keepalive', label: t('routes.keepalive'), type: 'checkbox', value: route.keepalive, hint: t('routes.keepalive.hint') },
];

const path = (route) => `/api/v1/routes/${seg(route.pattern)}`;

const save = async (route) => {
  await send('POST', '/api/v1/routes', route);
  toast(t('routes.saved', route));
};

const createRoute = () => formDialog({
  title: t('routes.create'),
  fields: [
    { name: 'pattern', label: t('routes.pattern'), required: true, hint: t('routes.pattern.hint'), attributes: { maxlength: 1024, pattern: '/.*', spellcheck: 'false', autocomplete: 'off' } },
    ...source({}),
  ],
  submit: t('routes.create'), onSubmit: save,
});

// editRoute begins with the route as it is stored: with the password struck out,
// which says to keep it.
async function editRoute(relay) {
  let route;
  try {
    route = await get(path(relay));
  } catch (err) {
    fail(err);
    return false;
  }
  return formDialog({ title: t('routes.edit', route), text: t('routes.edit.text'), fields: source(route), submit: t('core.save'), onSubmit: (values) => save({ ...values, pattern: route.pattern }) });
}

const deleteRoute = (relay) => confirmDialog({
  title: t('routes.delete.title', relay), text: t('routes.delete.text'), action: t('core.delete'), danger: true,
  act: async () => {
    await send('DELETE', path(relay));
    toast(t('routes.deleted', relay));
  },
});
