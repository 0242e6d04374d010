// The media servers, and how they do.

import { get } from '../api.js';
import { data, h } from '../dom.js';
import { count } from '../format.js';
import { t } from '../i18n.js';
import { repeat } from '../live.js';
import { createNode, faultText, healthBadge, kindName } from '../nodedeeds.js';
import { go, link } from '../router.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { ago, time } from '../ui/time.js';

const address = (node) => link('/nodes/:name', node);

export default function nodes({ signal }) {
  const list = table({
    label: t('nodes.title'),
    columns: [
      { label: t('nodes.name'), cell: (n) => data(n.name) },
      { label: t('nodes.kind'), cell: kindName },
      { label: t('nodes.state'), cell: (n) => h('div', {}, healthBadge(n), faultText(n)) },
      { label: t('nodes.since'), cell: (n) => ago(n.health.state === 'unknown' ? undefined : n.health.since, signal) },
      { label: t('nodes.streams'), cell: (n) => figure(n, n.health.streams), number: true },
      { label: t('nodes.clients'), cell: (n) => figure(n, n.health.clients), number: true, minor: true },
      { label: t('nodes.seen'), cell: (n) => time(n.last_seen_at) },
      { label: t('nodes.sources'), cell: (n) => (n.sources.length ? data(n.sources.slice(0, 2).join(', ') + (n.sources.length > 2 ? ' …' : '')) : h('span', { class: 'muted' }, t('nodes.sources.any'))), minor: true },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/nodes', { cursor, limit: 50 }, signal);
      return { rows: page.nodes, next: page.next_cursor };
    },
    href: address, empty: t('nodes.empty'), signal,
  });
  repeat(() => list.reload(), signal);

  const create = button(t('nodes.create'), async () => {
    const node = await createNode();
    if (node) go(address(node));
  }, { icon: 'plus', kind: 'primary' });
  return [heading(t('nodes.title'), { text: t('nodes.about'), actions: [create] }), list.element];
}

// figure is one of a server that answers; an old one would mislead.
const figure = ({ health }, n) => data(health.state === 'up' ? count(n) : '–');
