// The parts that pages are laid out with.
//
//   heading(t('nodes.title'), { text: t('nodes.about'), actions: [button], back: ['#/nodes', t('core.nav.nodes')], badge })
//   section(t('room.urls'), …nodes)        a card with a heading
//   facts([[t('room.owner'), data(name)], …])      labels and values
//   tabs({ label, selected, items: [[id, text, () => nodes]], onSelect })
//   button(t('room.start'), () => …, { icon: 'play', kind: 'primary' })

import { data, h, put } from '../dom.js';
import { problem } from './problem.js';
import { icon } from './icons.js';

// heading makes the only h1 of a page. A name instead of a text, such as that of
// a room, is given as data.
export function heading(title, { text, actions, back, badge } = {}) {
  return h('div', { class: 'heading' },
    h('div', { class: 'heading-text' },
      back && h('a', { class: 'back', href: back[0] }, icon('chevron'), back[1]),
      h('h1', {}, title, ' ', badge),
      text && h('p', { class: 'muted' }, text)),
    actions && h('div', { class: 'actions' }, actions));
}

let sections = 0;

export function section(title, ...children) {
  const id = `section-${++sections}`;
  return h('section', { class: 'card', 'aria-labelledby': id }, h('h2', { id }, title), children);
}

// facts leaves out what has no value.
export function facts(list) {
  return h('dl', { class: 'facts' }, list.filter(([, value]) => value !== undefined && value !== null && value !== '').map(([label, value]) =>
    h('div', {}, h('dt', {}, label), h('dd', {}, value instanceof Node || Array.isArray(value) ? value : data(value)))));
}

// button calls act and is busy until its promise is settled. Kind: primary,
// danger, quiet or nothing.
export function button(text, act, { icon: sign, kind, title } = {}) {
  const element = h('button', {
    type: 'button', class: kind, title,
    onclick: async () => {
      if (element.getAttribute('aria-busy')) return;
      element.setAttribute('aria-busy', 'true');
      try {
        await act();
      } finally {
        element.removeAttribute('aria-busy');
      }
    },
  }, sign && icon(sign), text);
  return element;
}

// tabs draws the selected one only. Arrow keys move, as people expect of tabs.
export function tabs({ label, selected, items, onSelect }) {
  const panel = h('div', { role: 'tabpanel', tabindex: '0', class: 'panel' });
  const list = h('div', { role: 'tablist', 'aria-label': label });
  const buttons = items.map(([id, text]) => h('button', { type: 'button', role: 'tab', id: `tab-${id}`, onclick: () => select(id) }, text));
  const select = async (id) => {
    items.forEach(([each], i) => {
      buttons[i].setAttribute('aria-selected', String(each === id));
      buttons[i].tabIndex = each === id ? 0 : -1;
    });
    panel.setAttribute('aria-labelledby', `tab-${id}`);
    onSelect?.(id);
    await settle(panel, () => items.find(([each]) => each === id)[2]());
  };
  list.addEventListener('keydown', (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    const next = (at + step + buttons.length) % buttons.length;
    buttons[next].focus();
    select(items[next][0]);
  });
  list.append(...buttons);
  select(items.some(([id]) => id === selected) ? selected : items[0][0]);
  return h('div', { class: 'tabs' }, list, panel);
}

// settle puts into element what make returns or promises, or why it could not.
export async function settle(element, make) {
  try {
    put(element, await make());
  } catch (err) {
    if (err.name !== 'AbortError') put(element, problem(err, () => settle(element, make)));
  }
}
