// Auth rules: how the URLs of a place are signed and verified.

import { get, send } from '../api.js';
import { keyBadge, sceneBadge, strengthBadge } from '../door.js';
import { newRule, placeText } from '../ruledeeds.js';
import { code, data, h } from '../dom.js';
import { loadTexts, t } from '../i18n.js';
import { go, link } from '../router.js';
import { badge } from '../ui/badge.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { time } from '../ui/time.js';

export default async function rules({ signal }) {
  await loadTexts('door');
  const list = table({
    label: t('rules.title'),
    columns: [
      { label: t('rules.place'), cell: (r) => placeText(r) },
      { label: t('rules.scene'), cell: (r) => sceneBadge(r.scene) },
      { label: t('rules.state'), cell: (r) => badge(r.enabled ? 'good' : 'plain', t(r.enabled ? 'rules.on' : 'rules.off')) },
      { label: t('rules.scheme'), cell: (r) => h('div', {}, code(r.scheme), ' ', r.strength !== 'strong' && strengthBadge(r.strength)) },
      { label: t('rules.keys'), cell: keys },
      { label: t('rules.used'), cell: (r) => time(lastUse(r)), minor: true },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/rules', { cursor, limit: 20 }, signal);
      return { rows: page.rules, next: page.next_cursor };
    },
    href: (r) => link('/rules/:id', r), empty: t('rules.empty'), signal,
  });
  const create = button(t('rules.create'), async () => {
    const rule = await newRule((body) => send('POST', '/api/v1/rules', body));
    if (rule) go(link('/rules/:id', rule));
  }, { icon: 'plus', kind: 'primary' });
  return [heading(t('rules.title'), { text: t('rules.about'), actions: [create] }), list.element];
}

const lastUse = (rule) => rule.keys.map((k) => k.last_used_at ?? '').sort().at(-1) || undefined;

// keys counts the living ones by their state.
function keys(rule) {
  const states = ['active', 'next', 'retiring'].map((state) => [state, rule.keys.filter((k) => k.state === state).length]).filter(([, n]) => n > 0);
  if (!states.length) return h('span', { class: 'muted' }, t('rules.keys.none'));
  return h('div', { class: 'badges' }, states.map(([state, n]) => [keyBadge(state), n > 1 && h('span', { class: 'muted small' }, data(`× ${n}`))]));
}
