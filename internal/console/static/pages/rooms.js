// The rooms.

import { send } from '../api.js';
import { data } from '../dom.js';
import { t } from '../i18n.js';
import { badge } from '../ui/badge.js';
import { heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { time } from '../ui/time.js';

export default function rooms({ me, signal }) {
  const list = table({
    label: t('rooms.title'),
    columns: [
      { label: t('rooms.name'), cell: (r) => data(r.title) },
      { label: t('rooms.state'), cell: (r) => badge(['plain', 'good', 'plain'][r.status], t(`rooms.state.${r.status}`), { live: r.status === 1 }) },
      { label: t('rooms.anchor'), cell: (r) => data(r.anchor_id), minor: true },
      { label: t('rooms.created'), cell: (r) => time(r.created_at), minor: true },
    ],
    load: async (cursor = 1) => {
      const page = await send('POST', '/api/v1/live/list', { user_id: me.username, page_num: cursor, page_size: 20 }, signal);
      return { rows: page.rooms ?? [], next: undefined };
    },
    empty: t('rooms.empty'),
    signal,
  });
  return [heading(t('rooms.title')), list.element];
}
