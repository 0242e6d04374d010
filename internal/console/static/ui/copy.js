// Copying to the clipboard.
//
//   copyButton(url, t('room.push.copy'))      the second text says what is copied
//   copyable(url, t('room.push.copy'))        the text in a box, with the button

import { code, h, put } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from './icons.js';
import { toast } from './toast.js';

export function copyButton(text, label) {
  const button = h('button', {
    type: 'button', class: 'quiet copy', title: label,
    onclick: async () => {
      if (!await copy(text, button)) return;
      put(button, icon('check'), h('span', { class: 'hidden' }, label));
      toast(t('core.copied'));
      setTimeout(() => put(button, icon('copy'), h('span', { class: 'hidden' }, label)), 1500);
    },
  }, icon('copy'), h('span', { class: 'hidden' }, label));
  return button;
}

// copyable may be reached with the keyboard, as what is longer than it scrolls.
export function copyable(text, label) {
  return h('div', { class: 'copyable' }, h('div', { class: 'copyable-text', tabindex: '0', role: 'group', 'aria-label': label }, code(text)), copyButton(text, label));
}

// copy says whether it worked. Browsers have the clipboard on HTTPS and on this
// machine only; elsewhere a selection is copied, as before.
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h('textarea', { class: 'hidden', 'aria-hidden': 'true', tabindex: '-1' });
    area.value = text;
    near.after(area); // within a dialog, where alone the focus may be
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    near.focus();
    return done;
  }
}
