// What pages about streams, sessions and decisions say alike. They load its
// texts: await loadTexts('door').
//
//   streamName(row)        app/name, with a vhost that is not the default one
//   reason(code)           the reason in words, with its code
//   reasonText(code), advice(code), credential(row), evictionBadge(row.eviction)

import { code, data, h } from './dom.js';
import { has, t } from './i18n.js';
import { badge } from './ui/badge.js';

export const defaultVhost = '__defaultVhost__';

export function streamName({ vhost, app, stream }) {
  return `${vhost && vhost !== defaultVhost ? `${vhost}/` : ''}${app}/${stream}`;
}

// said is the text of a key whose end a server chose; what we have no words for
// is shown as the server says it.
const said = (key, word) => (has(key) ? t(key) : data(word));

export const reasonText = (word) => said(`door.reason.${word}`, word);
export const advice = (word) => (has(`door.advice.${word}`) ? t(`door.advice.${word}`) : null);
export const sceneText = (word) => said(`door.scene.${word}`, word);
export const endText = (word) => said(`door.end.${word}`, word);
export const credentialText = (word) => said(`door.credential.${word || 'none'}`, word);

export function reason(word) {
  return h('div', {}, h('div', {}, reasonText(word)), code(word, { class: 'muted' }));
}

// sceneBadge tells publishers from players.
export const sceneBadge = (scene) => badge(scene === 'publish' ? 'accent' : 'plain', sceneText(scene));

export const strengthBadge = (strength) => badge({ strong: 'good', compatibility: 'warn' }[strength] ?? 'plain', t(`door.strength.${strength}`));
export const keyBadge = (state) => badge({ active: 'good', next: 'accent', retiring: 'warn', revoked: 'bad' }[state] ?? 'plain', t(`door.key.${state}`));

// credential is what admitted a session, and whose it was.
export function credential({ credential: kind, subject }) {
  return h('div', {}, h('div', {}, credentialText(kind)), subject && data(subject, { class: 'muted small' }));
}

// evictionBadge tells how cutting somebody off goes; nothing where nobody tries.
export function evictionBadge(eviction) {
  if (!eviction) return null;
  return badge(eviction.state === 'impossible' ? 'bad' : 'warn', t(`door.eviction.${eviction.state}`));
}

// evictionText is the whole of it.
export function evictionText({ state, reason: word, fault, tries }) {
  return h('span', { class: 'small muted' }, reasonText(word), state !== 'impossible' && [' · ', t('door.tries', { n: tries }), fault && [' · ', data(fault, { lang: 'en' })]]);
}
