// Tables that are read a page at a time.
//
//   const list = table({
//     label: t('nodes.title'),                      // what the table is of
//     columns: [
//       { label: t('nodes.name'), cell: (row) => data(row.name) },
//       { label: t('nodes.kind'), cell: …, minor: true },     // not on a phone
//       { label: t('nodes.players'), cell: …, number: true }, // right-aligned
//     ],
//     load: async (cursor, signal) => {             // cursor: undefined at first
//       const page = await get('/api/v1/nodes', { limit: 20, cursor }, signal);
//       return { rows: page.nodes, next: page.next_cursor };
//     },
//     href: (row) => link('/nodes/:name', row),     // optional: the first cell is a link
//     empty: t('nodes.empty'),                      // text, nodes, or a function that makes them
//     signal,                                       // of the page
//   });
//   list.element, list.reload()    asks again, from the first page with reload(true)
//   list.rows()                    what is shown
//
//   rows({ label, columns, rows: array, href })     the same for what is there already
//
// The roles are written out because phones show rows as cards, and not every browser
// takes a table for one then. While it loads, the rows of before stay; what fails is shown with its reason and
// the request id, and can be tried again.

import { h, put, released } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from './icons.js';
import { problem } from './problem.js';

export function table({ label, columns, load, href, empty, signal }) {
  const body = h('tbody', { role: 'rowgroup' });
  const state = h('div', { class: 'table-state' });
  const pager = h('div', { class: 'pager' });
  const element = h('div', { class: 'table' }, grid(label, columns, body), state, pager);

  let cursors = [undefined]; // of the pages up to the one shown
  let shown = [];
  let asked = 0;
  let drawn; // the answer that is shown; the same again is not drawn again

  async function show(wanted) {
    const mine = ++asked;
    element.setAttribute('aria-busy', 'true');
    if (!shown.length && drawn === undefined) put(state, skeleton());
    try {
      const page = await load(wanted.at(-1), signal);
      await released();
      if (mine !== asked) return;
      const answer = JSON.stringify([page, wanted]);
      if (answer === drawn && page.rows.length) return;
      cursors = wanted;
      draw(page);
      drawn = answer;
    } catch (err) {
      if (mine !== asked || err.name === 'AbortError') return;
      drawn = undefined;
      put(state, problem(err, () => show(wanted)));
    } finally {
      if (mine === asked) element.removeAttribute('aria-busy');
    }
  }

  function draw(page) {
    shown = page.rows;
    put(body, lines(shown, columns, href));
    element.classList.toggle('none', shown.length === 0);
    put(state, shown.length === 0 && h('div', { class: 'empty' }, cursors.length > 1 ? t('core.table.end') : typeof empty === 'function' ? empty() : empty));
    const turn = (text, to, sign) => h('button', { type: 'button', disabled: !to, onclick: () => show(to) }, sign === 'back' && icon('chevron'), text, sign === 'on' && icon('chevron'));
    const more = cursors.length > 1 || page.next;
    put(pager, more && [turn(t('core.table.back'), cursors.length > 1 && cursors.slice(0, -1), 'back'),
      h('span', { class: 'muted' }, t('core.table.page', { n: cursors.length })),
      turn(t('core.table.on'), page.next && [...cursors, page.next], 'on')]);
  }

  show(cursors);
  return { element, rows: () => shown, reload: (fromStart) => show(fromStart ? [undefined] : cursors) };
}

export function rows({ label, columns, rows: list, href }) {
  return h('div', { class: 'table' }, grid(label, columns, h('tbody', { role: 'rowgroup' }, lines(list, columns, href))));
}

const grid = (label, columns, body) => h('div', { class: 'table-scroll' }, h('table', { role: 'table' }, h('caption', { class: 'hidden' }, label),
  h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map((c) => h('th', { role: 'columnheader', scope: 'col', class: kind(c) }, c.label)))), body));

const lines = (list, columns, href) => list.map((row) => h('tr', { role: 'row' }, columns.map((c, i) => cell(c, row, i === 0 && href?.(row)))));

const kind = ({ number, minor }) => [number && 'number', minor && 'minor'].filter(Boolean).join(' ') || null;

// cell carries its label, which phones show beside the value.
function cell(column, row, address) {
  const content = column.cell(row);
  return h(address === false || address === undefined ? 'td' : 'th', { class: kind(column), role: address ? 'rowheader' : 'cell', scope: address ? 'row' : null, dataset: { label: column.label } },
    address ? h('a', { href: address }, content) : content);
}

const skeleton = () => h('div', { class: 'skeleton', role: 'status' }, h('span', { class: 'hidden' }, t('core.loading')), [1, 2, 3].map(() => h('i', {})));
