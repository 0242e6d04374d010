// A state in a word, never in a colour alone.
//
//   badge('good', t('room.state.live'), { live: true })
//
// Tones: good, warn, bad, accent, plain. With `live` its dot beats.

import { h } from '../dom.js';

export function badge(tone, text, { live } = {}) {
  return h('span', { class: `badge ${tone}` }, h('i', { class: live ? 'dot live' : 'dot' }), text);
}
