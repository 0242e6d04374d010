// Live tokens: pairs of secrets, each of which opens one stream.

import { get, send } from '../api.js';
import { data, h } from '../dom.js';
import { count } from '../format.js';
import { loadTexts, t } from '../i18n.js';
import { badge } from '../ui/badge.js';
import { copyButton, copyable } from '../ui/copy.js';
import { confirmDialog, formDialog, openDialog } from '../ui/dialog.js';
import { filters } from '../ui/filters.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { time } from '../ui/time.js';
import { toast } from '../ui/toast.js';

// name is the stream of a pair, with its application where that is not the usual one.
const name = ({ app, stream }) => (app === 'live' ? stream : `${app}/${stream}`);

export default async function tokens({ query, setQuery, signal }) {
  await loadTexts('door');
  let wanted = { stream: query.get('stream') ?? '', username: query.get('username') ?? '' };
  const list = table({
    label: t('tokens.title'),
    columns: [
      { label: t('door.stream'), cell: (k) => data(name(k)) },
      { label: t('door.account'), cell: (k) => data(k.username) },
      { label: t('tokens.level'), cell: (k) => data(count(k.permissions_level)), number: true, minor: true },
      { label: t('tokens.publish'), cell: (k) => secret(k.token, t('tokens.publish.copy')) },
      { label: t('tokens.play'), cell: (k) => secret(k.play_token, t('tokens.play.copy')) },
      { label: t('tokens.created'), cell: (k) => time(k.created_at), minor: true },
      { label: t('tokens.revoke'), cell: (k) => button(t('tokens.revoke'), async () => await revoke(k) && list.reload(), { kind: 'danger', title: t('tokens.revoke.what', { stream: name(k) }) }) },
    ],
    load: async (cursor) => {
      const [stream, app] = wanted.stream.split('/').reverse();
      const page = await get('/api/v1/live-tokens', { stream, app, username: wanted.username, cursor, limit: 20 }, signal);
      return { rows: page.tokens, next: page.next_cursor };
    },
    empty: () => t(wanted.stream || wanted.username ? 'tokens.none' : 'tokens.empty'), signal,
  });
  return [
    heading(t('tokens.title'), { text: t('tokens.about'), actions: [button(t('tokens.create'), async () => await create() && list.reload(true), { icon: 'plus', kind: 'primary' })] }),
    filters({
      fields: [
        { name: 'stream', label: t('door.stream'), type: 'search', hint: t('door.stream'), value: wanted.stream, attributes: { maxlength: 257 } },
        { name: 'username', label: t('door.account'), type: 'search', hint: t('door.account'), value: wanted.username, attributes: { maxlength: 64 } },
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

// secret may be copied and is not shown: somebody may look over the shoulder.
const secret = (value, label) => h('span', { class: 'secret' }, data('••••••••', { 'aria-hidden': 'true', class: 'muted' }), copyButton(value, label));

async function create() {
  const pair = await formDialog({
    title: t('tokens.create'), text: t('tokens.create.text'), submit: t('tokens.create.submit'),
    fields: [{ name: 'stream', label: t('door.stream'), required: true, hint: t('tokens.stream.hint'), attributes: { maxlength: 257, pattern: '([A-Za-z0-9_\\-]{1,128}/)?[A-Za-z0-9_\\-]{1,128}', autocomplete: 'off', spellcheck: 'false' } }],
    onSubmit: ({ stream }) => send('POST', `/live/create_token?${new URLSearchParams({ stream })}`),
  });
  if (!pair) return false;
  await openDialog({
    title: t('tokens.made', pair),
    body: (close) => [
      h('p', { class: 'muted' }, t('tokens.made.text')),
      h('div', {}, h('h3', {}, t('tokens.publish'), ' ', badge('accent', t('door.scene.publish'))), copyable(pair.token, t('tokens.publish.copy'))),
      h('div', {}, h('h3', {}, t('tokens.play'), ' ', badge('plain', t('door.scene.play'))), copyable(pair.play_token, t('tokens.play.copy'))),
      h('div', { class: 'form-actions' }, button(t('core.close'), () => close(), { kind: 'primary' })),
    ],
  });
  return true;
}

const revoke = (pair) => confirmDialog({
  title: t('tokens.revoke.title', { stream: name(pair) }), text: t('tokens.revoke.text'), action: t('tokens.revoke'), danger: true,
  act: async () => {
    await send('DELETE', `/api/v1/live-tokens?${new URLSearchParams({ app: pair.app, stream: pair.stream })}`);
    toast(t('tokens.revoked', { stream: name(pair) }));
  },
});
