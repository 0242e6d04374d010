// What is on the air.

import { get } from '../api.js';
import { evictionBadge, streamName } from '../door.js';
import { cutStream } from '../cut.js';
import { data, h } from '../dom.js';
import { bitrate, count } from '../format.js';
import { loadTexts, t } from '../i18n.js';
import { followSoon, repeat } from '../live.js';
import { link } from '../router.js';
import { filters } from '../ui/filters.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { ago } from '../ui/time.js';

export default async function streams({ query, setQuery, signal }) {
  await loadTexts('door');
  let wanted = { app: query.get('app') ?? '', stream: query.get('stream') ?? '' };
  const total = h('p', { class: 'muted small', role: 'status' });
  const list = table({
    label: t('streams.title'),
    columns: [
      { label: t('door.stream'), cell: (s) => data(streamName(s)) },
      { label: t('door.node'), cell: (s) => data(s.node) },
      { label: t('streams.since'), cell: (s) => ago(s.since, signal) },
      { label: t('streams.viewers'), cell: (s) => data(count(s.viewers)), number: true },
      { label: t('streams.bitrate'), cell: (s) => data(rate(s)), number: true },
      { label: t('streams.picture'), cell: (s) => h('div', {}, picture(s.health).map((part) => h('div', {}, data(part)))), minor: true },
      { label: t('streams.deeds'), cell: (s) => deeds(s, () => list.reload()) },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/live-streams', { ...wanted, cursor, limit: 20 }, signal);
      total.textContent = page.total > 0 ? t('streams.total', { n: page.total }) : '';
      return { rows: page.streams, next: page.next_cursor };
    },
    href: (s) => link('/streams/:vhost/:app/:stream', s),
    empty: () => (wanted.app || wanted.stream ? t('streams.none') : [h('p', {}, t('streams.empty')), h('p', { class: 'small' }, t('streams.empty.hint'), ' ', h('a', { href: link('/decisions') }, t('streams.empty.refused')))]),
    signal,
  });
  followSoon({ types: ['stream.*'], signal, act: () => list.reload() });
  repeat(() => list.reload(), signal);
  return [
    heading(t('streams.title'), { text: t('streams.about') }),
    filters({
      fields: [
        { name: 'stream', label: t('door.stream'), type: 'search', hint: t('streams.search'), value: wanted.stream, attributes: { maxlength: 512 } },
        { name: 'app', label: t('streams.app'), type: 'search', hint: t('streams.app'), value: wanted.app, attributes: { maxlength: 512 } },
      ],
      onChange: (values) => {
        wanted = values;
        setQuery(values);
        list.reload(true);
      },
    }),
    list.element, total,
  ];
}

const rate = ({ health }) => (health?.recv_kbps === undefined ? '–' : bitrate(health.recv_kbps));

// picture is codecs and size in short: H264 1280 × 720, and AAC.
function picture(health) {
  if (!health) return ['–'];
  const size = health.width ? `${health.width} × ${health.height}` : '';
  const parts = [[health.video_codec, size].filter(Boolean).join(' '), health.audio_codec].filter(Boolean);
  return parts.length ? parts : ['–'];
}

function deeds(stream, changed) {
  return h('div', { class: 'fate' }, h('div', {}, evictionBadge(stream.eviction)), button(t('door.cut'), async () => {
    if (await cutStream(stream)) changed();
  }, { kind: 'danger', title: t('door.cut.stream', { stream: streamName(stream) }) }));
}
