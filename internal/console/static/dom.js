// Elements without markup: nothing is ever parsed from text, so nothing that
// anybody typed can become part of the page.
//
//   h('button', { class: 'primary', onclick: save }, icon('check'), t('save'))
//
// Properties: `class`, `dataset`, `onNAME` listeners, and attributes as they are
// written in HTML. true sets an empty attribute; null, undefined and false set
// none. Children: nodes, texts and numbers, arrays of them; null, undefined and
// false are left out.

export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

const SVG = 'http://www.w3.org/2000/svg';

// svg is h for drawings.
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

// add appends children as h does.
export function add(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

// put replaces all children. Who was on one of them with the keyboard is put on
// the one that took its place.
export function put(element, ...children) {
  const restore = place(element);
  element.replaceChildren();
  add(element, ...children);
  restore?.();
  return element;
}

function place(element) {
  const at = document.activeElement;
  if (!at || at === element || !element.contains(at)) return null;
  const stops = () => [...element.querySelectorAll('a[href], button, input, select, textarea, [tabindex]')];
  const same = (e) => e.tagName === at.tagName && e.getAttribute('href') === at.getAttribute('href') && e.textContent === at.textContent;
  const index = stops().indexOf(at);
  return () => (stops().find(same) ?? stops()[index] ?? stops().at(-1))?.focus({ preventScroll: true });
}

const longestPress = 3000; // ms; the end of one may happen elsewhere
let pressed = Promise.resolve();

addEventListener('pointerdown', () => {
  pressed = new Promise((resolve) => {
    for (const type of ['pointerup', 'pointercancel']) addEventListener(type, () => setTimeout(resolve), { once: true });
    setTimeout(resolve, longestPress);
  });
}, true);

// released is over once no button is being pressed: a click on what was drawn
// anew between down and up would be lost.
export const released = () => pressed;

// steady returns what draws into element where the figures have changed, so that
// what somebody is about to press stays.
export function steady(element) {
  let drawn;
  return async (figures, make) => {
    const now = JSON.stringify(figures);
    if (now === drawn) return;
    const first = drawn === undefined;
    drawn = now;
    if (!first) await released();
    if (now === drawn) put(element, make());
  };
}

// data is text that is not ours to translate: a name, an id, an address. It is
// also how the tests tell it from text that somebody forgot to translate.
export function data(text, props) {
  return h('span', { translate: 'no', ...props }, text);
}

// code is data that is read letter by letter.
export function code(text, props) {
  return h('code', { translate: 'no', ...props }, text);
}
