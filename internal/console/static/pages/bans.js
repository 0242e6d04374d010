// Bans: streams that nobody may publish or play for a while.

import { get, send } from '../api.js';
import { defaultVhost, streamName } from '../door.js';
import { data, h } from '../dom.js';
import { loadTexts, t } from '../i18n.js';
import { badge } from '../ui/badge.js';
import { confirmDialog, formDialog } from '../ui/dialog.js';
import { filters } from '../ui/filters.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { time } from '../ui/time.js';
import { toast } from '../ui/toast.js';

const hours = [1, 24, 168, 720, 2160];

export default async function bans({ query, setQuery, signal }) {
  await loadTexts('door');
  let stream = query.get('stream') ?? '';
  const list = table({
    label: t('bans.title'),
    columns: [
      { label: t('door.stream'), cell: (b) => data(name(b)) },
      { label: t('bans.state'), cell: (b) => badge(b.active ? 'bad' : 'plain', t(b.active ? 'bans.active' : 'bans.over')) },
      { label: t('bans.since'), cell: (b) => time(b.created_at), minor: true },
      { label: t('bans.until'), cell: (b) => time(b.until) },
      { label: t('bans.end'), cell: (b) => b.active && h('div', { class: 'fate' }, button(t('bans.end'), async () => await lift(b) && list.reload(), { title: t('bans.end.what', { stream: name(b) }) })) },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/bans', { stream, cursor, limit: 20 }, signal);
      return { rows: page.bans, next: page.next_cursor };
    },
    empty: () => t(stream ? 'bans.none' : 'bans.empty'), signal,
  });
  const create = button(t('bans.create'), async () => await ban() && list.reload(true), { icon: 'plus', kind: 'primary' });
  return [
    heading(t('bans.title'), { text: t('bans.about'), actions: [create] }),
    filters({
      fields: [{ name: 'stream', label: t('door.stream'), type: 'search', hint: t('bans.search'), value: stream, attributes: { maxlength: 512 } }],
      onChange: (values) => {
        ({ stream } = values);
        setQuery(values);
        list.reload(true);
      },
    }),
    list.element,
  ];
}

// name is the stream of a ban with the host where it is not the default one.
const name = (ban) => streamName({ ...ban, vhost: ban.domain || ban.vhost });

function ban() {
  const plain = { maxlength: 255, autocomplete: 'off', spellcheck: 'false' };
  return formDialog({
    title: t('bans.create'), text: t('bans.create.text'), submit: t('bans.create.submit'), danger: true,
    fields: [
      { name: 'stream', label: t('bans.stream'), required: true, attributes: plain },
      { name: 'app', label: t('bans.app'), required: true, value: 'live', attributes: plain },
      { name: 'domain', label: t('bans.domain'), hint: t('bans.domain.hint'), attributes: plain },
      { name: 'hours', label: t('bans.for'), type: 'select', value: '24', options: hours.map((n) => [String(n), t(`bans.for.${n}`)]) },
    ],
    onSubmit: async ({ stream, app, domain, hours: n }) => {
      const until = new Date(Date.now() + Number(n) * 3600000).toISOString();
      await send('POST', '/api/v1/bans', { stream, app, domain: domain || undefined, until });
      toast(t('bans.done', { stream }));
    },
  });
}

const lift = (ban) => confirmDialog({
  title: t('bans.end.what', { stream: name(ban) }), text: t('bans.end.text'), action: t('bans.end'),
  act: async () => {
    const { vhost, domain, app, stream } = ban;
    const where = domain ? { domain, app, stream } : { vhost: vhost || defaultVhost, app, stream };
    await send('DELETE', `/api/v1/bans?${new URLSearchParams(where)}`);
    toast(t('bans.ended', { stream }));
  },
});
