// What went wrong, for people: in their language, with the server's own words,
// the reason code and the request id to quote.

import { code, data, h } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from './icons.js';

// problem shows a Failure. With retry there is a button that tries again.
export function problem(failure, retry) {
  return h('div', { class: 'problem', role: 'alert' }, icon('alert'), h('div', {},
    h('p', {}, failure.text ?? t('core.status.other', { status: '' })),
    details(failure),
    retry && h('button', { type: 'button', onclick: () => retry() }, icon('refresh'), t('core.retry'))));
}

function details(failure) {
  const { reason, requestId, message } = failure;
  if (!reason && !requestId && !message) return null;
  return h('p', { class: 'muted small' },
    message && data(message, { lang: 'en' }), ' ',
    reason && code(reason), ' ',
    requestId && [t('core.request'), ' ', code(requestId)]);
}
