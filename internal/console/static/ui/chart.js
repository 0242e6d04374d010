// A small chart of one figure over time.
//
//   chart({ label: t('room.viewers'), points: [[ms, value], …], format: count })
//
// It says the last value, and on the way what was when: with the mouse, or with
// the arrow keys. For screen readers it is a picture with a sentence.

import { data, h, put, svg } from '../dom.js';
import { t, tag } from '../i18n.js';

const width = 320;
const height = 64;

export function chart({ label, points, format }) {
  if (points.length < 2) {
    return h('figure', { class: 'chart' }, h('figcaption', {}, h('span', {}, label), data(points.length ? format(points[0][1]) : '–', { class: 'chart-now' })),
      h('p', { class: 'muted small' }, t('core.chart.none')));
  }
  const values = points.map(([, v]) => v);
  const most = Math.max(1, ...values);
  const [from, to] = [points[0][0], points.at(-1)[0]];
  const x = (at) => ((at - from) / Math.max(1, to - from)) * width;
  const y = (value) => height - 2 - (value / most) * (height - 6);
  const line = points.map(([at, v]) => `${x(at).toFixed(1)},${y(v).toFixed(1)}`).join(' L');

  const now = data('', { class: 'chart-now' });
  const when = data('', { class: 'muted small' });
  const cursor = svg('line', { class: 'chart-cursor', y1: 0, y2: height });
  const dot = svg('circle', { class: 'chart-dot', r: 2.5 });
  const sentence = t('core.chart.sentence', { label, now: format(values.at(-1)), most: format(most), least: format(Math.min(...values)) });
  const drawing = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': sentence, tabindex: '0' },
    svg('path', { class: 'chart-area', d: `M${line} L${width},${height} L0,${height}Z` }),
    svg('path', { class: 'chart-line', d: `M${line}` }), cursor, dot);

  let shown = points.length - 1;
  const show = (i) => {
    shown = Math.min(points.length - 1, Math.max(0, i));
    const [at, v] = points[shown];
    put(now, format(v));
    put(when, clock(at));
    for (const [name, value] of [['x1', x(at)], ['x2', x(at)]]) cursor.setAttribute(name, value);
    dot.setAttribute('cx', x(at));
    dot.setAttribute('cy', y(v));
  };
  drawing.addEventListener('pointermove', (e) => {
    const box = drawing.getBoundingClientRect();
    const at = from + ((e.clientX - box.left) / box.width) * (to - from);
    show(points.reduce((best, [p], i) => (Math.abs(p - at) < Math.abs(points[best][0] - at) ? i : best), 0));
  });
  drawing.addEventListener('pointerleave', () => show(points.length - 1));
  drawing.addEventListener('keydown', (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (!step) return;
    e.preventDefault();
    show(shown + step);
  });
  show(shown);
  return h('figure', { class: 'chart' }, h('figcaption', {}, h('span', {}, label), now), drawing,
    h('div', { class: 'chart-foot' }, data(clock(from), { class: 'muted small' }), when));
}

const clock = (at) => new Intl.DateTimeFormat(tag(), { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(at);
