// Dialogs: the browser's own, so Escape, the focus and the rest of the page
// behave. When one closes, the focus returns to where it was.
//
//   const value = await openDialog({ title, body: (close) => nodes, wide: true })
//   await formDialog({ title, text, fields, submit, onSubmit })      → what onSubmit returned, or undefined
//   if (await confirmDialog({ title, text, action, danger: true, act: () => send(…) })) …
//
// confirmDialog does the deed itself, so that a failure is shown where the
// decision was made. With `type` one has to type that name first: for what cannot
// be undone.

import { code, h } from '../dom.js';
import { t } from '../i18n.js';
import { form } from './form.js';
import { icon } from './icons.js';

let dialogs = 0;

// openDialog returns a promise of what close was called with; undefined when the
// dialog was dismissed.
export function openDialog({ title, body, wide }) {
  return new Promise((resolve) => {
    const before = document.activeElement;
    const id = `dialog-${++dialogs}`;
    let result;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const dialog = h('dialog', { 'aria-labelledby': id, class: wide ? 'wide' : null },
      h('div', { class: 'dialog-head' }, h('h2', { id }, title),
        h('button', { type: 'button', class: 'quiet', onclick: () => close() }, icon('close'), h('span', { class: 'hidden' }, t('core.close')))),
      h('div', { class: 'dialog-body' }, body(close)));
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      else document.querySelector('main h1')?.focus();
      resolve(result);
    });
    // Pressed and let go outside: whoever selects text and slips stays.
    let outside = false;
    dialog.addEventListener('pointerdown', (e) => { outside = e.target === dialog; });
    dialog.addEventListener('click', (e) => outside && e.target === dialog && close());
    addEventListener('hashchange', () => dialog.open && close(), { once: true });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector('[autofocus], .dialog-body :is(input, select, textarea), .dialog-body button')?.focus();
  });
}

export function formDialog({ title, text, wide, ...rest }) {
  return openDialog({
    title, wide,
    body: (close) => [
      text && h('p', { class: 'muted' }, text),
      form({ ...rest, cancel: () => close(), onSubmit: async (values) => close(await rest.onSubmit(values) ?? true) }).element,
    ],
  });
}

export async function confirmDialog({ title, text, action, danger, type, act }) {
  const fields = type ? [{
    name: 'typed', label: [t('core.type'), ' ', code(type)], required: true,
    check: (value) => (value === type ? null : t('core.type.other')), attributes: { autocomplete: 'off', spellcheck: 'false' },
  }] : [];
  return Boolean(await formDialog({ title, text, fields, submit: action, danger, onSubmit: async () => { await act(); } }));
}
