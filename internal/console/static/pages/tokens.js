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
import { toast } from '../ui/toast.js';

const most = 20; // on one page
const listed = 1000; // more the server does not list

export default async function tokens({ query, setQuery, signal }) {
  await loadTexts('door');
  let text = query.get('text') ?? '';
  const total = h('p', { class: 'muted small', role: 'status' });
  const list = table({
    label: t('tokens.title'),
    columns: [
      { label: t('door.stream'), cell: (k) => data(k.stream) },
      { label: t('door.account'), cell: (k) => data(k.username) },
      { label: t('tokens.level'), cell: (k) => data(count(k.permissions_level)), number: true, minor: true },
      { label: t('tokens.publish'), cell: (k) => secret(k.token, t('tokens.publish.copy')) },
      { label: t('tokens.play'), cell: (k) => secret(k.play_token, t('tokens.play.copy')) },
      { label: t('tokens.revoke'), cell: (k) => button(t('tokens.revoke'), async () => await revoke(k) && list.reload(), { kind: 'danger', title: t('tokens.revoke.what', k) }) },
    ],
    // The server has no pages of these: it lists them all.
    load: async (cursor = 0) => {
      const all = await get('/live/list_tokens', undefined, signal);
      const found = all.filter((k) => `${k.stream} ${k.username}`.toLowerCase().includes(text.toLowerCase()));
      total.textContent = all.length >= listed ? t('tokens.many', { n: listed }) : '';
      return { rows: found.slice(cursor, cursor + most), next: cursor + most < found.length ? cursor + most : undefined };
    },
    empty: () => t(text ? 'tokens.none' : 'tokens.empty'), signal,
  });
  return [
    heading(t('tokens.title'), { text: t('tokens.about'), actions: [button(t('tokens.create'), async () => await create() && list.reload(true), { icon: 'plus', kind: 'primary' })] }),
    filters({
      fields: [{ name: 'text', label: t('core.search'), type: 'search', hint: t('tokens.search'), value: text, attributes: { maxlength: 256 } }],
      onChange: (values) => {
        ({ text } = values);
        setQuery(values);
        list.reload(true);
      },
    }),
    list.element, total,
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
  title: t('tokens.revoke.title', pair), text: t('tokens.revoke.text'), action: t('tokens.revoke'), danger: true,
  act: async () => {
    await send('DELETE', `/live/destroy_token?${new URLSearchParams({ token: pair.token })}`);
    toast(t('tokens.revoked', pair));
  },
});
