// Who publishes and who plays, now or before.

import { get } from '../api.js';
import { credential, credentialText, endText, evictionBadge, evictionText, reasonText, sceneBadge, sceneText, streamName } from '../door.js';
import { cutSession } from '../cut.js';
import { data, h } from '../dom.js';
import { bytes, duration } from '../format.js';
import { loadTexts, t } from '../i18n.js';
import { followSoon } from '../live.js';
import { link } from '../router.js';
import { badge } from '../ui/badge.js';
import { filters } from '../ui/filters.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { ago, time } from '../ui/time.js';

const names = ['state', 'scene', 'stream', 'node', 'credential', 'subject'];
const credentials = ['live_token', 'access_token', 'stream_token', 'signature', 'policy'];

export default async function sessions({ query, setQuery, signal }) {
  await loadTexts('door');
  let wanted = Object.fromEntries(names.map((name) => [name, query.get(name) ?? '']));
  const reload = () => list.reload();
  const list = sessionTable({
    signal, changed: reload, ended: () => wanted.state === 'ended',
    load: (cursor) => get('/api/v1/sessions', { ...wanted, cursor, limit: 20 }, signal),
    empty: () => t(names.some((name) => name !== 'state' && wanted[name]) ? 'sessions.none' : `sessions.empty.${wanted.state || 'open'}`),
  });
  followSoon({ types: ['stream.*'], signal, act: () => wanted.state !== 'ended' && reload() });
  const any = (text, list, say) => [['', t(text)], ...list.map((word) => [word, say(word)])];
  return [
    heading(t('sessions.title'), { text: t('sessions.about'), actions: [button(t('door.refresh'), reload, { icon: 'refresh' })] }),
    filters({
      fields: [
        { name: 'state', label: t('sessions.state'), options: [['', t('sessions.state.open')], ['ended', t('sessions.state.ended')]], value: wanted.state },
        { name: 'scene', label: t('sessions.scene'), options: any('sessions.scene.any', ['publish', 'play'], sceneText), value: wanted.scene },
        { name: 'stream', label: t('door.stream'), type: 'search', hint: t('sessions.stream.hint'), value: wanted.stream, attributes: { maxlength: 512 } },
        { name: 'node', label: t('door.node'), type: 'search', hint: t('door.node'), value: wanted.node, attributes: { maxlength: 63, pattern: '[a-z0-9_\\-]*' } },
        { name: 'credential', label: t('door.credential'), options: any('sessions.credential.any', credentials, credentialText), value: wanted.credential },
        { name: 'subject', label: t('door.account'), type: 'search', hint: t('door.account'), value: wanted.subject, attributes: { maxlength: 64 } },
      ],
      onChange: (values) => {
        wanted = values;
        setQuery(values);
        list.reload(true);
      },
    }),
    list.element,
  ];
}

// sessionTable is the table of sessions, here and on the page of a stream.
export function sessionTable({ signal, load, changed, empty, ended, within }) {
  return table({
    label: t('sessions.title'),
    columns: [
      !within && { label: t('door.stream'), cell: (s) => data(streamName(s)) },
      { label: t('sessions.scene'), cell: (s) => sceneBadge(s.scene) },
      { label: t('sessions.client'), cell: (s) => h('div', {}, data(s.address || '–'), h('div', { class: 'muted small' }, data([s.protocol, s.client_id, s.node].filter(Boolean).join(' · ')))) },
      { label: t('door.credential'), cell: credential },
      { label: t('sessions.time'), cell: (s) => (s.ended_at ? span(s) : ago(s.started_at, signal)) },
      { label: t('sessions.bytes'), cell: (s) => data(bytes(Math.max(s.bytes_in, s.bytes_out))), number: true, minor: true },
      { label: t('sessions.fate'), cell: (s) => fate(s, changed) },
    ].filter(Boolean),
    load: async (cursor) => {
      const page = await load(cursor);
      return { rows: page.sessions, next: page.next_cursor };
    },
    href: within ? undefined : (s) => link('/streams/:vhost/:app/:stream', s),
    empty, signal,
  });
}

const span = (s) => h('div', {}, time(s.ended_at), h('div', { class: 'muted small' }, data(duration((new Date(s.ended_at) - new Date(s.started_at)) / 1000))));

// fate is how a session ended, or what may be done about it.
function fate(session, changed) {
  if (session.state === 'ended') return h('span', { class: 'muted' }, endText(session.end_reason));
  const who = { address: session.address || session.client_id, stream: streamName(session) };
  const cut = button(t('door.cut'), async () => {
    if (await cutSession(session)) changed();
  }, { kind: 'danger', title: t(`door.cut.${session.scene}`, who) });
  return h('div', { class: 'fate' }, h('div', {},
    session.eviction ? [h('div', {}, evictionBadge(session.eviction)), evictionText(session.eviction)] : session.refused && [badge('warn', t('sessions.refused')), h('div', { class: 'small muted' }, reasonText(session.refused))]), cut);
}
