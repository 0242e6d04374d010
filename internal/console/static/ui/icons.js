// Icons of one hand: 16 by 16, strokes of 1.5 in the colour of the text. They
// are decoration; the text beside them, or a hidden one, says what is meant.

import { svg } from '../dom.js';

const paths = {
  accounts: 'M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M11 7.5a2 2 0 1 0 0-4M12 9.700c1.5.4 2.5 1.600 2.5 3.300',
  alert: 'M8 2 1.5 13.5h13ZM8 6.5v3M8 11.5v.2',
  bans: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM3.500 3.500l9 9',
  check: 'm3 8.5 3.2 3.200L13 5',
  chevron: 'm6 3.5 4.5 4.5L6 12.5',
  close: 'm3.5 3.5 9 9m0-9-9 9',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8Z',
  decisions: 'M2.5 3.5h11M2.5 8h6M2.5 12.5h4M10.5 11.5l1.5 1.5 2.5-3.5',
  docs: 'M4 1.5h5.5L13 5v9.5H4ZM9 2v3.5h3.5',
  edit: 'm2.5 13.5.6-2.900 7.800-7.800 2.300 2.300-7.800 7.800Z',
  explain: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM6 6.300c0-1.200.9-1.900 2-1.900s2 .8 2 1.800c0 1.5-2 1.5-2 3.100M8 11.5v.2',
  external: 'M9.5 2.5h4v4M13.5 2.5 7.5 8.5M11.5 9.5v4h-9v-9h4',
  filter: 'M2 3.5h12L9.5 9v4.5l-3-1.5V9Z',
  language: 'M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM1.5 8h13M8 1.5c2 2 2.700 4 2.700 6.5S10 12.5 8 14.5C6 12.5 5.300 10.5 5.300 8S6 3.5 8 1.5Z',
  logout: 'M6.5 13.5h-4v-11h4M10 5l3 3-3 3M13 8H6',
  menu: 'M2 4h12M2 8h12M2 12h12',
  moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z',
  more: 'M3 8v.1M8 8v.1M13 8v.1',
  nodes: 'M2.5 2.5h11v4h-11ZM2.5 9.5h11v4h-11ZM5 4.5v.1M5 11.5v.1',
  pause: 'M5.5 3v10M10.5 3v10',
  person: 'M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14c0-2.800 2.5-4.5 5.5-4.5s5.5 1.700 5.5 4.5',
  play: 'M4.5 2.5v11l9-5.5Z',
  plus: 'M8 3v10M3 8h10',
  qr: 'M2.5 2.5h4v4h-4ZM9.5 2.5h4v4h-4ZM2.5 9.5h4v4h-4ZM9.5 9.5v4M13.5 9.5v1.5M11.5 13.5h2M12 11.800v.1',
  refresh: 'M13.5 8a5.5 5.5 0 1 1-1.700-4M13.5 1.5v3h-3',
  rooms: 'M4.5 14V4a1.5 1.5 0 0 1 1.5-1.5h5.5V14M2.5 14h11M9.5 8.5v.2',
  routes: 'M3.5 5.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM12.5 14.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM5.5 3.5H9a2 2 0 0 1 2 2v.5a2 2 0 0 1-2 2H6.5a2 2 0 0 0-2 2v.5a2 2 0 0 0 2 2h4',
  rules: 'M10.5 9a3.5 3.5 0 1 0-3.300-2.300L2 12v2h2.5v-1.5H6V11h1.5l1.300-1.300c.5.2 1 .3 1.700.3ZM11.5 4.5v.1',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.700 10.700l3.300 3.300',
  sessions: 'M5.5 2.5h-4v4M10.5 2.5h4v4M5.5 13.5h-4v-4M10.5 13.5h4v-4M5.5 8h5M8 5.5v5',
  start: 'M2 8h3l2-5 3 10 2-5h2',
  stop: 'M3.5 3.5h9v9h-9Z',
  streams: 'M8 9.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM4.5 11.5a5 5 0 0 1 0-7M11.5 4.5a5 5 0 0 1 0 7M2.5 13.5a8 8 0 0 1 0-11M13.5 2.5a8 8 0 0 1 0 11',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  system: 'M1.5 3h13v8.5h-13ZM5.5 14h5',
  trash: 'M2.5 4h11M6 4V2.5h4V4M4 4l.6 9.5h6.800L12 4M6.700 6.5v4.5M9.300 6.5v4.5',
  tokens: 'M2.5 4.5h11v2a1.5 1.5 0 0 0 0 3v2h-11v-2a1.5 1.5 0 0 0 0-3ZM9.5 4.5v1M9.5 7.5v1M9.5 10.5v1',
  webhooks: 'M5.5 9.5 8 5M8 5a2 2 0 1 0-2-2M8 5l2.5 4.5M10.5 9.5H6M11.5 13a2 2 0 1 0-1.5-3.4M4.5 13A2 2 0 1 0 4 9.300M4.5 13l0 0',
};

export function icon(name) {
  return svg('svg', { class: 'icon', viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true', focusable: 'false' }, svg('path', { d: paths[name] }));
}

// mark is the sign of Stagedoor.
export function mark() {
  return svg('svg', { class: 'mark', viewBox: '0 0 32 32', width: 28, height: 28, 'aria-hidden': 'true', focusable: 'false' },
    svg('rect', { width: 32, height: 32, rx: 8 }),
    svg('path', { d: 'M10 25V9.5A2.5 2.5 0 0 1 12.5 7H22v18M7 25h18' }),
    svg('circle', { cx: 18, cy: 16.5, r: 1.7 }));
}
