// The endpoints that events are sent to.

import { get } from '../api.js';
import { code, data, h } from '../dom.js';
import { t } from '../i18n.js';
import { repeat } from '../live.js';
import { go, link } from '../router.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { ago, time } from '../ui/time.js';
import { createWebhook, webhookState } from '../webhookdeeds.js';

const address = (webhook) => link('/webhooks/:id', webhook);

export default function webhooks({ signal }) {
  const list = table({
    label: t('webhooks.title'),
    columns: [
      { label: t('webhooks.url'), cell: (w) => data(w.url, { class: 'break' }) },
      { label: t('webhooks.description'), cell: (w) => data(w.description || '–'), minor: true },
      { label: t('webhooks.types'), cell: filter },
      { label: t('webhooks.state'), cell: webhookState },
      { label: t('webhooks.since'), cell: (w) => ago(w.enabled ? w.failing_since : w.disabled_at, signal) },
      { label: t('webhooks.made'), cell: (w) => time(w.created_at), minor: true },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/webhooks', { cursor, limit: 20 }, signal);
      return { rows: page.webhooks, next: page.next_cursor };
    },
    href: address, empty: t('webhooks.empty'), signal,
  });
  repeat(() => list.reload(), signal);
  const create = button(t('webhooks.create'), async () => {
    const webhook = await createWebhook();
    if (webhook) go(address(webhook));
  }, { icon: 'plus', kind: 'primary' });
  return [heading(t('webhooks.title'), { text: t('webhooks.about'), actions: [create] }), list.element];
}

// filter is which events an endpoint gets.
export function filter({ types }) {
  return types.length ? h('div', {}, types.map((type) => h('div', {}, code(type, { class: 'line' })))) : t('webhooks.types.always');
}
