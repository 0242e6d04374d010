// Why is this URL refused? The verdict first, then what to do, then all that led
// to it.

import { send } from '../api.js';
import { advice, credentialText, keyBadge, reasonText, sceneText, strengthBadge } from '../door.js';
import { code, data, h, put } from '../dom.js';
import { duration } from '../format.js';
import { has, loadTexts, t } from '../i18n.js';
import { link } from '../router.js';
import { badge } from '../ui/badge.js';
import { copyButton } from '../ui/copy.js';
import { form } from '../ui/form.js';
import { icon } from '../ui/icons.js';
import { facts, heading, section } from '../ui/page.js';
import { rows } from '../ui/table.js';
import { time } from '../ui/time.js';

// The last answer outlives a change of the language, which draws the page anew. It
// is not in the address: a URL that opens a stream belongs into no history.
let last = null;

export default async function explain({ query, signal, me }) {
  await loadTexts('door');
  const here = `${me.username} ${location.hash}`;
  const { values = {}, told } = last?.here === here ? last : {};
  const past = query.get('reason') && known(query);
  const answer = h('div', { class: 'stack', 'aria-live': 'polite' });
  const show = (found) => put(answer, verdict(found), ...details(found));
  if (told) show(told);
  const ask = form({
    fields: [
      { name: 'url', label: t('explain.url'), type: 'textarea', required: true, value: values.url ?? query.get('url') ?? '', hint: t(past ? 'explain.url.past' : 'explain.url.hint'), attributes: { rows: 2, maxlength: 8192, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', class: 'code' } },
      { name: 'scene', label: t('explain.scene'), type: 'select', value: values.scene ?? query.get('scene') ?? '', options: [['', t('explain.scene.guess')], ...['publish', 'play'].map((s) => [s, sceneText(s)])] },
      { name: 'address', label: t('explain.address'), value: values.address ?? query.get('address') ?? '', hint: t('explain.address.hint'), attributes: { maxlength: 45, pattern: '[0-9A-Fa-f:.]*', autocomplete: 'off', spellcheck: 'false' } },
      { name: 'at', label: t('explain.at'), type: 'datetime-local', value: values.at ?? local(query.get('at')), hint: t('explain.at.hint'), attributes: { step: 1 } },
    ],
    submit: t('explain.submit'),
    onSubmit: async (asked) => {
      const { url, scene, address, at } = asked;
      const answered = await send('POST', '/api/v1/explain', {
        url: url.replace(/\s*\n\s*/g, ''), scene: scene || undefined, address: address || undefined, at: at ? new Date(at).toISOString() : undefined,
      }, signal);
      last = { here, values: asked, told: answered };
      show(answered);
      answer.firstChild.scrollIntoView({ block: 'start' });
      answer.firstChild.focus({ preventScroll: true });
    },
  });
  ask.element.classList.add('explain');
  ask.element.addEventListener('keydown', (e) => {
    if (e.key !== 'Enter' || e.shiftKey || e.target.name !== 'url') return;
    e.preventDefault();
    ask.element.requestSubmit();
  });
  return [heading(t('explain.title'), { text: t('explain.about'), back: past && [link('/decisions'), t('core.nav.decisions')] }),
    h('div', { class: 'stack' }, past, h('div', { class: 'card' }, ask.element), answer)];
}

// local is a moment as the field for it wants it: in the zone of whoever looks.
function local(iso) {
  if (!iso) return '';
  const at = new Date(iso);
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

// known is what a refusal of before told.
function known(query) {
  const say = (name) => query.get(name) || undefined;
  return banner(false, t('explain.past'), [t('explain.past'), ' ', time(query.get('at'))], query.get('reason'), [advice(query.get('reason'))].filter(Boolean), facts([
    [t('door.node'), say('node')], [t('explain.rule'), say('rule') && h('a', { href: link('/rules/:id', { id: say('rule') }) }, data(say('rule')))], [t('explain.key'), say('key') && code(say('key'))],
    [t('door.account'), say('subject')], [t('explain.request'), say('request') && code(say('request'))],
  ]));
}

// banner says how it ends, in words that are enough for most.
function banner(good, label, title, word, changes, more) {
  return h('section', { class: `verdict ${good ? 'good' : 'bad'}`, tabindex: '-1', 'aria-label': label }, icon(good ? 'check' : 'alert'), h('div', {},
    h('p', { class: 'muted' }, title),
    h('h2', {}, reasonText(word), ' ', code(word, { class: 'muted' })),
    changes.length > 0 && [h('h3', {}, t('explain.do')), h('ul', {}, changes.map((text) => h('li', {}, text)))],
    more));
}

function verdict(told) {
  const changes = [...new Map(told.findings.filter((f) => f.change).map((f) => [f.change, changeText(f)])).values()];
  if (!changes.length && !told.allowed) changes.push(advice(told.reason) ?? told.changes.map((text) => data(text, { lang: 'en' })));
  return banner(told.allowed, t('explain.verdict'), [t(told.allowed ? 'explain.admitted' : 'explain.refused'), ' ', sceneText(told.scene), ' · ', data(told.stream)], told.reason, changes);
}

const details = (told) => [
  told.findings.length > 0 && section(t('explain.findings'), h('ul', { class: 'findings' }, told.findings.map(finding))),
  told.signature && section(t('explain.signature'), ...signature(told.signature)),
  told.token && section(t('explain.token'), ...token(told.token)),
  told.rule ? section(t('explain.rule'), ...rule(told.rule, told.signature)) : section(t('explain.rule'), h('p', {}, t('explain.rule.none'))),
  section(t('explain.read'), facts([
    [t('door.stream'), told.stream], [t('explain.scene'), told.guess ? h('div', {}, sceneText(told.scene), ' ', h('div', { class: 'muted small' }, guessText(told.guess_code, told.guess))) : [sceneText(told.scene)]],
    [t('explain.host'), told.host], [t('explain.protocol'), told.protocol.toUpperCase()], [t('explain.address'), told.address], [t('explain.judged'), time(told.at)],
    [t('door.credential'), told.credential && h('div', {}, credentialText(told.credential.kind), ' ', code(told.credential.id.replace(/\/$/, '')))], [t('door.account'), told.credential?.subject],
  ])),
].filter(Boolean);

function finding(f) {
  const key = `explain.finding.${f.code}`;
  return h('li', {}, has(key) && h('strong', {}, t(key)), h('div', {}, has(`explain.text.${f.text_code}`) ? data(t(`explain.text.${f.text_code}`, values(f))) : data(f.text, { lang: 'en' })));
}

// What we have no words for is shown as the server says it, in English. All of it is
// full of names that mean the same in every language.
const changeText = (f) => (has(`explain.change.${f.change_code}`) ? data(t(`explain.change.${f.change_code}`, values(f))) : data(f.change, { lang: 'en' }));
const guessText = (word, text) => (has(`explain.guess.${word}`) ? data(t(`explain.guess.${word}`)) : data(text, { lang: 'en' }));
const sceneWord = (word) => (word === 'publish' ? t('explain.arg.publish') : t('explain.arg.play'));
const ruleWord = (id) => t('explain.arg.rule', { id });
const moment = (iso) => time(iso).textContent;

// shapes are how the arguments of sentences are shown; others are as they are.
const shapes = {
  until: moment, since: moment, ago: (s) => duration(Number(s)), ahead: (s) => duration(Number(s)),
  rule: ruleWord, own_rule: ruleWord, scene: sceneWord, other: sceneWord, why: (word) => guessText(word, word).textContent,
};
const values = ({ arguments: given = [] }) => Object.fromEntries(given.map(({ name, value }) => [name, shapes[name]?.(value) ?? value]));

const statuses = { valid: 'good', expired: 'warn' };

function signature(s) {
  return [
    facts([
      [t('explain.status'), badge(statuses[s.status] ?? 'bad', has(`explain.status.${s.status}`) ? t(`explain.status.${s.status}`) : data(s.status))],
      [t('explain.key'), s.key_id ? [code(s.key_id), ' ', s.key_state && keyBadge(s.key_state)] : [t('explain.key.unknown')]],
      [t('explain.scheme'), scheme(s)],
      [t('explain.left'), s.seconds_left !== undefined && [data(left(s.seconds_left), { class: s.seconds_left < 0 ? 'wrong' : null })]],
      [t('explain.expires'), s.expires && time(s.expires)],
      [t('explain.time'), s.time && time(s.time)],
      [t('explain.skew'), s.skew_seconds !== undefined && [data(skew(s.skew_seconds))]],
      [t('explain.validity'), data(duration(s.validity_seconds))],
    ].map(given)),
    s.signed && h('div', { class: 'signed' }, h('h3', {}, t('explain.signed'), ' ', copyButton(s.signed, t('explain.signed.copy'))),
      h('pre', { tabindex: '0', translate: 'no', 'aria-label': t('explain.signed') }, s.signed), s.signed.includes('{key}') && h('p', { class: 'muted small' }, t('explain.signed.hint', { key: '{key}' }))),
  ];
}

// given turns what is not there into what facts leaves out.
const given = ([label, value]) => [label, value || undefined];

const left = (seconds) => t(seconds < 0 ? 'explain.left.over' : 'explain.left.good', { time: duration(Math.abs(seconds)) });
const skew = (seconds) => (seconds === 0 ? t('explain.skew.none') : t(seconds < 0 ? 'explain.skew.behind' : 'explain.skew.ahead', { time: duration(Math.abs(seconds)) }));
const scheme = (s) => h('div', {}, code(s.scheme), ' ', strengthBadge(s.strength));

function token(k) {
  return [facts([
    [t('explain.token.kind'), [credentialText(k.kind)]], [t('explain.token.id'), k.id && code(k.id)],
    [t('explain.token.ours'), badge(k.verified ? 'good' : 'bad', t(k.verified ? 'core.yes' : 'explain.token.claims'))],
    [t('door.account'), k.subject], [t('door.stream'), k.stream], [t('explain.token.rights'), k.rights && rights(k)],
    [t('explain.token.issued'), k.issued_at && time(k.issued_at)], [t('explain.token.expires'), k.expires_at && time(k.expires_at)], [t('explain.token.revoked'), k.revoked_at && time(k.revoked_at)],
  ].map(given))];
}

// rights of a live token are words, those of an account are paths.
function rights({ kind, rights: told }) {
  if (kind !== 'live_token') return told;
  return [told === 'play' ? t('explain.rights.play') : t('explain.rights.both')];
}

const why = ({ why: text, why_code: word, domain, vhost }) => (has(`explain.why.${word}`) ? data(`${t(`explain.why.${word}`, { name: domain || vhost })} ${t('explain.why.order')}`) : data(text, { lang: 'en' }));

function rule(r, used) {
  return [
    facts([
      [t('explain.rule.id'), h('a', { href: link('/rules/:id', r) }, data(r.id))],
      [t('explain.rule.enabled'), badge(r.enabled ? 'good' : 'plain', t(r.enabled ? 'explain.rule.on' : 'explain.rule.off'))],
      [t('explain.rule.domain'), r.domain || r.vhost ? data(r.domain || r.vhost) : t('explain.any')], [t('explain.rule.app'), r.app ? data(r.app) : t('explain.any')],
      [t('explain.scene'), [sceneText(r.scene)]], [t('explain.scheme'), scheme(r)], [t('explain.validity'), data(duration(r.validity_seconds))],
      [t('explain.takeover'), r.scene === 'publish' && t(`door.takeover.${r.takeover}`)],
    ].map(([label, value]) => given([label, typeof value === 'string' ? h('span', {}, value) : value]))),
    h('p', { class: 'muted small' }, why(r)),
    r.keys.length > 0 && rows({
      label: t('explain.keys'), rows: r.keys,
      columns: [
        { label: t('explain.key'), cell: (k) => code(k.id) }, { label: t('explain.key.state'), cell: (k) => keyBadge(k.state) },
        { label: t('explain.scheme'), cell: (k) => code(k.scheme), minor: true },
        { label: t('explain.key.here'), cell: (k) => (used?.key_id === k.id ? t('explain.key.named') : '') },
      ],
    }),
  ];
}
