// Secrets that are shown once, and lines to paste.
//
//   await showSecret({ title, text, items: [[label, value]] })
//   await showSecret({ title, text, items, lines, again: true })    it can be seen again elsewhere
//   block(lines, t('node.lines'))       the second text says what they are

import { code, h } from '../dom.js';
import { loadTexts, t } from '../i18n.js';
import { copyable, copyButton } from './copy.js';
import { openDialog } from './dialog.js';
import { button } from './page.js';

// showSecret is open until somebody says that the secret is kept.
export async function showSecret({ title, text, items, lines, again }) {
  await loadTexts('secret');
  await openDialog({
    title, wide: Boolean(lines),
    body: (close) => [
      text && h('p', {}, text),
      !again && h('p', { class: 'note' }, t('secret.once')),
      items.map(([label, value]) => h('div', { class: 'field' }, h('div', { class: 'muted small' }, label), copyable(value, label))),
      lines && block(lines, t('secret.lines')),
      h('div', { class: 'form-actions' }, button(t(again ? 'core.close' : 'secret.kept'), () => close(), { kind: 'primary' })),
    ],
  });
}

// block may be reached with the keyboard, as long lines scroll.
export function block(lines, label) {
  return h('div', { class: 'block' },
    h('div', { class: 'block-head' }, h('span', {}, label), copyButton(lines, label)),
    h('pre', { tabindex: '0', role: 'group', 'aria-label': label, translate: 'no' }, code(lines)));
}
