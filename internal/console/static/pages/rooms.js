// The rooms, with their state as it changes.

import { get } from '../api.js';
import { data } from '../dom.js';
import { count } from '../format.js';
import { t } from '../i18n.js';
import { followSoon } from '../live.js';
import { createRoom, roomState } from '../roomdeeds.js';
import { go, link } from '../router.js';
import { filters } from '../ui/filters.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { ago, time } from '../ui/time.js';

const address = (room) => link('/rooms/:id', room);

export default function rooms({ query, setQuery, signal }) {
  let wanted = { state: query.get('state') ?? '', text: query.get('text') ?? '' };
  const list = table({
    label: t('rooms.title'),
    columns: [
      { label: t('rooms.name'), cell: (r) => data(r.title) },
      { label: t('rooms.state'), cell: roomState },
      { label: t('rooms.anchor'), cell: (r) => data(r.anchor_nick || r.anchor_id), minor: true },
      { label: t('rooms.online'), cell: (r) => data(count(r.online)), number: true },
      { label: t('rooms.viewers'), cell: (r) => data(count(r.viewers)), number: true, minor: true },
      { label: t('rooms.onair'), cell: (r) => ago(r.streams[0]?.since, signal) },
      { label: t('rooms.created'), cell: (r) => time(r.created_at), minor: true },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/rooms', { ...wanted, cursor, limit: 20 }, signal);
      return { rows: page.rooms, next: page.next_cursor };
    },
    href: address, empty: () => t(wanted.state || wanted.text ? 'rooms.none' : 'rooms.empty'), signal,
  });
  followSoon({ types: ['room.*', 'stream.*'], signal, act: () => list.reload() });

  const create = button(t('rooms.create'), async () => {
    const room = await createRoom();
    if (room) go(address(room));
  }, { icon: 'plus', kind: 'primary' });
  return [
    heading(t('rooms.title'), { text: t('rooms.about'), actions: [create] }),
    filters({
      fields: [
        { name: 'state', label: t('rooms.state'), options: [['', t('rooms.state.any')], ...['live', 'prepared', 'ended'].map((s) => [s, t(`rooms.state.${s}`)])], value: wanted.state },
        { name: 'text', label: t('core.search'), type: 'search', hint: t('rooms.search'), value: wanted.text, attributes: { maxlength: 64 } },
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
