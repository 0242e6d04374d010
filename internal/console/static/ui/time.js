// Times, in the zone of whoever looks, with UTC as the title.
//
//   time('2026-11-22T04:00:50Z')      Nov 22, 12:00:50
//   ago(iso, signal)                  how long it lasts, counting on until signal
//
// Both take undefined and the zero time, and show a dash.

import { data, h } from '../dom.js';
import { tag } from '../i18n.js';
import { duration } from '../format.js';

const none = () => data('–', { class: 'muted' });
const known = (iso) => iso && !iso.startsWith('0001-');

export function time(iso) {
  if (!known(iso)) return none();
  const at = new Date(iso);
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : 'numeric';
  const text = new Intl.DateTimeFormat(tag(), { year, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(at);
  return h('time', { datetime: at.toISOString(), title: utc(at) }, text);
}

const utc = (at) => at.toISOString().replace('T', ' ').replace(/\.\d+Z/, ' UTC');

export function ago(iso, signal) {
  if (!known(iso)) return none();
  const at = new Date(iso);
  const element = h('time', { datetime: at.toISOString(), title: utc(at) });
  const draw = () => { element.textContent = duration((Date.now() - at) / 1000); };
  draw();
  let seen = false;
  const timer = setInterval(() => {
    if (seen && !element.isConnected) return clearInterval(timer); // something newer took its place
    seen ||= element.isConnected;
    return draw();
  }, 1000);
  signal?.addEventListener('abort', () => clearInterval(timer), { once: true });
  return element;
}
