// What can be done with an account, shared by the list and the page of one.

import { get, send, seg } from './api.js';
import { t } from './i18n.js';
import { badge } from './ui/badge.js';
import { confirmDialog, formDialog } from './ui/dialog.js';
import { showSecret } from './ui/secret.js';
import { toast } from './ui/toast.js';

export const accountState = (account) => badge(account.disabled ? 'bad' : 'good', t(account.disabled ? 'accounts.disabled' : 'accounts.enabled'));

export const role = (account) => t(account.admin ? 'accounts.admin' : 'accounts.ordinary');

const path = (account) => `/api/v1/accounts/${seg(account.username)}`;

const patterns = { maxlength: 1024, spellcheck: 'false', autocomplete: 'off' };

const rights = (account) => [
  { name: 'admin', label: t('accounts.admin.may'), type: 'checkbox', value: account.admin },
  { name: 'push', label: t('accounts.push'), value: account.push, hint: t('accounts.rights.hint'), attributes: patterns },
  { name: 'pull', label: t('accounts.pull'), value: account.pull, attributes: patterns },
];

const password = (label) => ({
  name: 'password', label, type: 'password', required: true, hint: t('accounts.password.hint'),
  check: (v) => (v.length < 8 ? t('accounts.password.hint') : null), attributes: { maxlength: 256, autocomplete: 'new-password' },
});

// createAccount returns the new account, or undefined. The operation that creates
// would change the rights of an account that is there, so it is looked for first.
export function createAccount() {
  return formDialog({
    title: t('accounts.create'),
    fields: [
      { name: 'name', label: t('accounts.name'), required: true, hint: t('accounts.name.hint'), attributes: { maxlength: 64, pattern: '[A-Za-z0-9_.@\\-]+', autocomplete: 'off', spellcheck: 'false' } },
      password(t('accounts.password')),
      ...rights({}),
    ],
    submit: t('accounts.create'),
    onSubmit: async (values) => {
      if (await find(values.name)) throw new Known(t('accounts.known', { name: values.name }));
      await send('POST', '/api/v1/users', values);
      toast(t('accounts.created', { name: values.name }));
      return { username: values.name };
    },
  });
}

// Known is a failure that the console itself noticed.
class Known extends Error {
  constructor(text) {
    super();
    this.text = text;
  }
}

async function find(username) {
  try {
    return await get(path({ username }));
  } catch (err) {
    if (err.status === 404) return null;
    throw err;
  }
}

// change sends only what differs: what was not touched may have changed meanwhile.
function change(account, { title, text, fields, done = t('accounts.saved') }) {
  return formDialog({
    title, text, fields, submit: t('core.save'),
    onSubmit: async (values) => {
      const differing = Object.fromEntries(Object.entries(values).filter(([k, v]) => v !== undefined && v !== account[k]));
      if (Object.keys(differing).length) await send('PATCH', path(account), differing);
      toast(done);
    },
  });
}

export const editAccount = (account) => change(account, {
  title: t('accounts.edit', { name: account.username }),
  fields: [
    { name: 'full_name', label: t('accounts.fullname'), value: account.full_name, attributes: { maxlength: 256, autocomplete: 'off' } },
    { name: 'email', label: t('accounts.email'), type: 'email', value: account.email, attributes: { maxlength: 254, autocomplete: 'off' } },
    { name: 'permission_level', label: t('accounts.level'), type: 'number', value: account.permission_level, hint: t('accounts.level.hint'), attributes: { min: 0, max: 2147483647, step: 1 } },
  ],
});

export const editRights = (account) => change(account, { title: t('accounts.rights.edit', { name: account.username }), text: t('accounts.rights.text'), fields: rights(account) });

export const setPassword = (account) => change(account, {
  title: t('accounts.password.title', { name: account.username }), text: t('accounts.password.text'), fields: [password(t('accounts.password.new'))], done: t('accounts.password.done'),
});

export const disableAccount = (account) => turn(account, true, { title: t('accounts.disable.title', { name: account.username }), text: t('accounts.disable.text'), action: t('accounts.disable'), danger: true });

export const enableAccount = (account) => turn(account, false, { title: t('accounts.enable.title', { name: account.username }), text: t('accounts.enable.text'), action: t('accounts.enable') });

const turn = (account, disabled, words) => confirmDialog({
  ...words,
  act: async () => {
    await send('PATCH', path(account), { disabled });
    toast(t('accounts.saved'));
  },
});

export const deleteAccount = (account) => confirmDialog({
  title: t('accounts.delete.title', { name: account.username }), text: t('accounts.delete.text'), action: t('core.delete'), danger: true, type: account.username,
  act: async () => {
    await send('DELETE', path(account));
    toast(t('accounts.deleted', { name: account.username }));
  },
});

// createKey says whether there is a new access key; its secret was shown then.
export async function createKey(account) {
  const key = await formDialog({
    title: t('account.key.create'), text: t('account.key.text', { name: account.username }),
    fields: [{ name: 'comment', label: t('account.key.comment'), hint: t('account.key.comment.hint'), attributes: { maxlength: 256, autocomplete: 'off' } }],
    submit: t('account.key.create'),
    onSubmit: ({ comment }) => send('POST', '/api/v1/access-keys', { username: account.username, comment }),
  });
  if (!key) return false;
  await showSecret({ title: t('account.key.created'), items: [[t('account.key.id'), key.access_key_id], [t('account.key.secret'), key.secret_access_key]] });
  return true;
}

export const revokeKey = (key) => confirmDialog({
  title: t('account.key.revoke.title', { id: key.access_key_id }), text: t('account.key.revoke.text'), action: t('account.key.revoke'), danger: true,
  act: async () => {
    await send('DELETE', `/api/v1/access-keys/${seg(key.access_key_id)}`);
    toast(t('account.key.revoked.toast'));
  },
});
