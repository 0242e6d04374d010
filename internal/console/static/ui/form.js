// Forms.
//
//   const f = form({
//     fields: [
//       { name: 'title', label: t('room.name'), required: true, value: room.title, hint: t('…'), attributes: { maxlength: 256 } },
//       { name: 'kind', label: t('node.kind'), type: 'select', options: [['srs', 'SRS'], …] },
//       { name: 'count', label: …, type: 'number', attributes: { min: 1, max: 100 } },
//       { name: 'on', label: …, type: 'checkbox', value: true },
//       { name: 'notice', label: …, type: 'textarea' },
//       { name: 'types', label: …, type: 'checks', options: [['room.started', code('room.started')], …], value: […] },
//     ],
//     submit: t('core.save'), onSubmit: async (values) => { … }, cancel: () => …, danger: true,
//   });
//   f.element, f.focus(), f.values()
//
// Values: texts are trimmed but for passwords, '' where nothing was typed; numbers
// are numbers, undefined where nothing was typed; checkboxes are booleans, checks the array of those that are ticked. A field
// may have `check(value, values)` which returns what is wrong, or null. What
// onSubmit throws is shown above the fields, and the form can be sent again.

import { h, put } from '../dom.js';
import { t } from '../i18n.js';
import { problem } from './problem.js';

let ids = 0;

export function form({ fields, submit, onSubmit, cancel, danger, inline }) {
  const rows = fields.map(field);
  const trouble = h('div', { class: 'form-trouble' });
  const send = h('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, submit);
  const values = () => Object.fromEntries(rows.map((r) => [r.name, r.read()]));

  const submitted = async (e) => {
    e.preventDefault();
    if (send.getAttribute('aria-busy')) return;
    const now = values();
    const wrong = rows.filter((r) => !r.valid(now));
    if (wrong.length) {
      wrong[0].focus();
      return;
    }
    put(trouble);
    send.setAttribute('aria-busy', 'true');
    try {
      await onSubmit(now);
    } catch (err) {
      if (err.name !== 'AbortError') put(trouble, problem(err));
    } finally {
      send.removeAttribute('aria-busy');
    }
  };

  const element = h('form', { class: inline ? 'form inline' : 'form', novalidate: true, onsubmit: submitted }, trouble, rows.map((r) => r.element),
    h('div', { class: 'form-actions' }, cancel && h('button', { type: 'button', onclick: cancel }, t('core.cancel')), send));
  return { element, values, focus: () => rows[0]?.focus() };
}

function field(options) {
  return options.type === 'checks' ? checks(options) : single(options);
}

// checks is several checkboxes of which any number may be ticked.
function checks({ name, label, options, value = [], hint }) {
  const id = `field-${++ids}`;
  const boxes = options.map(([v]) => h('input', { type: 'checkbox', value: v, name, checked: value.includes(v) }));
  const element = h('fieldset', { class: 'field', 'aria-describedby': hint ? `${id}-hint` : null }, h('legend', {}, label),
    hint && h('p', { class: 'hint', id: `${id}-hint` }, hint),
    h('div', { class: 'checks' }, options.map(([, text], i) => h('label', {}, boxes[i], text))));
  return { name, element, read: () => boxes.filter((b) => b.checked).map((b) => b.value), valid: () => true, focus: () => boxes[0].focus() };
}

// single is one row: label, control, hint, and what is wrong.
function single({ name, label, type = 'text', value, options, hint, required, check, attributes = {} }) {
  const id = `field-${++ids}`;
  const error = h('p', { class: 'field-error', id: `${id}-error` });
  const control = makeControl(type, { id, name, required, 'aria-describedby': `${id}-error${hint ? ` ${id}-hint` : ''}`, ...attributes }, value, options);
  const read = () => readControl(type, control);

  const complain = (text) => {
    put(error, text);
    control.setAttribute('aria-invalid', String(Boolean(text)));
  };
  const valid = (values) => {
    const wrong = control.validity.valid ? check?.(read(), values) : reasonOf(control);
    complain(wrong);
    return !wrong;
  };
  // A complaint goes as soon as it is mended; it comes only when the form is sent.
  control.addEventListener('input', () => control.getAttribute('aria-invalid') === 'true' && control.validity.valid && complain(null));

  const hinted = hint && h('p', { class: 'hint', id: `${id}-hint` }, hint);
  const element = type === 'checkbox'
    ? h('div', { class: 'field check' }, control, h('label', { for: id }, label), hinted, error)
    : h('div', { class: 'field' }, h('label', { for: id }, label), control, hinted, error);
  return { name, element, read, valid, focus: () => control.focus() };
}

function makeControl(type, props, value, options) {
  if (type === 'select') {
    return h('select', props, options.map(([v, text]) => h('option', { value: v, selected: v === value }, text)));
  }
  if (type === 'textarea') {
    const area = h('textarea', { rows: 3, ...props });
    area.value = value ?? '';
    return area;
  }
  const input = h('input', { type, ...props });
  if (type === 'checkbox') input.checked = Boolean(value);
  else input.value = value ?? '';
  return input;
}

function readControl(type, control) {
  switch (type) {
    case 'checkbox': return control.checked;
    case 'number': return control.value === '' ? undefined : Number(control.value);
    case 'password': return control.value;
    default: return control.value.trim();
  }
}

function reasonOf({ validity, min, max }) {
  if (validity.valueMissing) return t('core.field.missing');
  if (validity.rangeUnderflow || validity.rangeOverflow) return t('core.field.range', { min, max });
  return t('core.field.wrong');
}
