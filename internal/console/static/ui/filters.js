// The bar above a table that says what is wanted. It acts as one types, a moment
// after the last key.
//
//   filters({ fields: [{ name, label, options | type: 'search', value, hint, attributes }], onChange: (values) => … })

import { h } from '../dom.js';

const moment = 300; // ms
let ids = 0;

export function filters({ fields, onChange }) {
  const controls = fields.map(control);
  let timer;
  const change = (wait) => {
    clearTimeout(timer);
    // Whoever has left the page meanwhile wants nothing of it any more.
    timer = setTimeout(() => element.isConnected && onChange(Object.fromEntries(controls.map((c) => [c.name, c.input.value.trim()]))), wait);
  };
  for (const { input } of controls) input.addEventListener('input', () => change(input.type === 'search' ? moment : 0));
  const element = h('div', { class: 'bar', role: 'search' }, controls.map((c) => c.element));
  return element;
}

function control({ name, label, options, type, value, hint, attributes }) {
  const id = `filter-${++ids}`;
  const input = options
    ? h('select', { id, name }, options.map(([v, text]) => h('option', { value: v, selected: v === value }, text)))
    : h('input', { id, name, type, value, placeholder: hint, autocomplete: 'off', spellcheck: 'false', ...attributes });
  return { name, input, element: h('div', { class: 'field' }, h('label', { for: id, class: 'hidden' }, label), input) };
}
