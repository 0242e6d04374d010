// One account: who it is, what it may, and the keys that sign in its name.

import { get, seg } from '../api.js';
import { accountState, createKey, deleteAccount, disableAccount, editAccount, editRights, enableAccount, revokeKey, role, setPassword } from '../accountdeeds.js';
import { code, data, h } from '../dom.js';
import { count } from '../format.js';
import { t } from '../i18n.js';
import { go, link } from '../router.js';
import { badge } from '../ui/badge.js';
import { button, facts, heading, section } from '../ui/page.js';
import { table } from '../ui/table.js';
import { time } from '../ui/time.js';
import { right } from './accounts.js';

export default async function account({ params, signal, me, refresh }) {
  const shown = await get(`/api/v1/accounts/${seg(params.username)}`, undefined, signal);
  const own = shown.username === me.username;
  return [head(shown, own, refresh), h('div', { class: 'stack' },
    own && h('p', { class: 'note' }, t('account.own')),
    h('div', { class: 'grid' },
      section(t('account.person'), who(shown)),
      section(t('account.rights'), h('div', { class: 'stack' }, facts([
        [t('accounts.role'), role(shown)], [t('accounts.push'), right(shown.push)], [t('accounts.pull'), right(shown.pull)],
      ]), h('div', {}, button(t('account.rights.edit'), async () => await editRights(shown) && refresh(), { icon: 'edit' }))))),
    keys(shown, signal)),
  ];
}

// head offers nobody to lock himself out.
function head(account, own, refresh) {
  return heading(data(account.username), {
    back: [link('/accounts'), t('core.nav.accounts')], badge: accountState(account),
    text: account.full_name && data(account.full_name),
    actions: [
      button(t('core.edit'), async () => await editAccount(account) && refresh(), { icon: 'edit' }),
      button(t('accounts.password.set'), async () => await setPassword(account) && refresh(), { icon: 'rules' }),
      !own && (account.disabled
        ? button(t('accounts.enable'), async () => await enableAccount(account) && refresh(), { icon: 'play' })
        : button(t('accounts.disable'), async () => await disableAccount(account) && refresh(), { icon: 'pause' })),
      !own && button(t('core.delete'), async () => await deleteAccount(account) && go(link('/accounts')), { icon: 'trash', kind: 'danger' }),
    ],
  });
}

const who = (account) => facts([
  [t('accounts.email'), account.email || data('–')],
  [t('accounts.level'), count(account.permission_level)],
  [t('accounts.made'), time(account.created_at)],
  [t('account.updated'), time(account.updated_at)],
]);

function keys(account, signal) {
  const list = table({
    label: t('account.keys'),
    columns: [
      { label: t('account.key.id'), cell: (k) => code(k.access_key_id) },
      { label: t('account.key.comment'), cell: (k) => data(k.comment || '–') },
      { label: t('accounts.state'), cell: (k) => (k.revoked_at ? h('div', {}, badge('plain', t('account.key.revoked')), ' ', time(k.revoked_at)) : badge('good', t('account.key.valid'))) },
      { label: t('account.key.used'), cell: (k) => (k.last_used_at ? time(k.last_used_at) : t('account.key.unused')) },
      { label: t('accounts.made'), cell: (k) => time(k.created_at), minor: true },
      { label: t('account.deeds'), cell: (k) => (k.revoked_at ? data('–') : button(t('account.key.revoke'), async () => await revokeKey(k) && list.reload(), { kind: 'danger', title: t('account.key.revoke.title', { id: k.access_key_id }) })), number: true },
    ],
    load: async () => ({ rows: (await get('/api/v1/access-keys', { username: account.username }, signal)).access_keys }),
    empty: t('account.keys.none'), signal,
  });
  const create = button(t('account.key.create'), async () => await createKey(account) && list.reload(), { icon: 'plus' });
  return section(t('account.keys'), h('div', { class: 'bar' }, h('p', { class: 'muted' }, t('account.keys.about')), create), list.element);
}
