// The page before all others.

import { failureOf } from './api.js';
import { h, put } from './dom.js';
import { t } from './i18n.js';
import { logIn } from './session.js';
import { form } from './ui/form.js';
import { mark } from './ui/icons.js';
import { languageSwitch, themeSwitch } from './switches.js';

// showLogin shows it in root and calls done once somebody is in. Why is that the
// last login ended, if it did.
export function showLogin(root, done, why) {
  const login = form({
    fields: [
      { name: 'username', label: t('core.login.username'), required: true, attributes: { autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', maxlength: 64 } },
      { name: 'password', label: t('core.login.password'), type: 'password', required: true, attributes: { autocomplete: 'current-password', maxlength: 1024 } },
    ],
    submit: t('core.login.submit'),
    onSubmit: async ({ username, password }) => {
      const refused = await logIn(username, password);
      if (!refused) return done();
      const failure = await failureOf(refused);
      if (refused.status === 403) failure.reason = 'invalid_credentials';
      throw failure;
    },
  });
  document.title = `${t('core.login.title')} · Stagedoor`;
  put(root, h('div', { class: 'login' },
    h('main', { class: 'login-card' },
      h('div', { class: 'login-head' }, mark(), h('h1', {}, t('core.login.title'))),
      why && h('p', { class: 'note', role: 'status' }, t(why === 'expired' ? 'core.login.expired' : 'core.login.left')),
      login.element),
    h('footer', { class: 'login-foot' }, languageSwitch(() => showLogin(root, done, why)), themeSwitch())));
  login.focus();
}
