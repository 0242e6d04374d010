// Who logs in, and what each may.

import { get } from '../api.js';
import { accountState, createAccount, role } from '../accountdeeds.js';
import { code, data, h } from '../dom.js';
import { t } from '../i18n.js';
import { go, link } from '../router.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { time } from '../ui/time.js';

const address = (account) => link('/accounts/:username', account);

export default function accounts({ signal }) {
  const list = table({
    label: t('accounts.title'),
    columns: [
      { label: t('accounts.name'), cell: (a) => data(a.username) },
      { label: t('accounts.fullname'), cell: (a) => data(a.full_name || '–'), minor: true },
      { label: t('accounts.role'), cell: role },
      { label: t('accounts.push'), cell: (a) => right(a.push) },
      { label: t('accounts.pull'), cell: (a) => right(a.pull) },
      { label: t('accounts.state'), cell: accountState },
      { label: t('accounts.made'), cell: (a) => time(a.created_at), minor: true },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/accounts', { cursor, limit: 20 }, signal);
      return { rows: page.accounts, next: page.next_cursor };
    },
    href: address, empty: t('accounts.empty'), signal,
  });
  const create = button(t('accounts.create'), async () => {
    const account = await createAccount();
    if (account) go(address(account));
  }, { icon: 'plus', kind: 'primary' });
  return [heading(t('accounts.title'), { text: t('accounts.about'), actions: [create] }), list.element];
}

// right shows a pattern a line, as one reads them.
export function right(patterns) {
  if (!patterns) return h('span', { class: 'muted' }, t('accounts.rights.none'));
  if (patterns === '*') return t('accounts.rights.all');
  return h('div', {}, patterns.split(';').map((p) => h('div', {}, code(p))));
}
