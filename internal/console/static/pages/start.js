// The start page: is everything well, what is on air, who is refused, and what
// happened lately. It is for whoever is paged, and for the first look of the day.

import { get } from '../api.js';
import { code, data, h, put, released } from '../dom.js';
import { reasonText } from '../door.js';
import { count } from '../format.js';
import { has, loadTexts, t } from '../i18n.js';
import { followSoon, repeat } from '../live.js';
import { createRoom } from '../roomdeeds.js';
import { go, link } from '../router.js';
import { badge } from '../ui/badge.js';
import { icon } from '../ui/icons.js';
import { button, heading, section } from '../ui/page.js';
import { ago, time } from '../ui/time.js';

const lately = 8; // events

export default async function start({ signal }) {
  const head = h('div', {});
  const body = h('div', { class: 'stack' });
  let drawn;
  const draw = async (now, events) => {
    const figures = JSON.stringify([{ ...now, at: 0, view_staleness_ms: 0 }, events]);
    if (figures === drawn) return; // what somebody is about to press stays
    if (drawn) await released();
    drawn = figures;
    put(head, heading(t('start.title'), { text: t('start.about'), badge: state(now) }));
    put(body, firstSteps(now), section(t('start.concerns'), concerns(now, signal)), onAir(now),
      h('div', { class: 'grid' }, section(t('start.refused'), refused(now)), section(t('start.lately'), happened(events))));
  };
  const load = async () => {
    const [now, { events }] = await Promise.all([get('/api/v1/overview', undefined, signal), get('/api/v1/events', { limit: lately }, signal)
      .catch((err) => { if (err.status === 503) return { events: null }; throw err; })]);
    return draw(now, events);
  };
  const again = () => load().catch(() => {});
  await Promise.all([loadTexts('door'), loadTexts('rooms')]);
  await load();
  followSoon({ types: ['room.*', 'stream.*', 'recording.*'], signal, act: again });
  repeat(again, signal);
  return [head, body];
}

const tones = { critical: 'bad', warning: 'warn', advice: 'accent' };

function state({ ready, concerns: list }) {
  const worst = !ready ? 'critical' : list[0]?.severity;
  return badge(tones[worst] ?? 'good', t(`start.state.${worst === 'advice' || !worst ? 'well' : worst}`));
}

function concerns({ concerns: list }, signal) {
  if (!list.length) return h('p', { class: 'muted' }, t('start.concerns.none'));
  return h('ul', { class: 'lines' }, list.map((c) => h('li', {},
    badge(tones[c.severity], t(`start.severity.${c.severity}`)),
    h('div', {}, h('div', {}, about(c), t(`start.concern.${c.code}`)), detail(c)),
    c.since && h('span', { class: 'muted small since' }, ago(c.since, signal)))));
}

const pages = {
  node_unreachable: (c) => [link('/nodes/:name', { name: c.subject }), c.subject],
  webhook_failing: (c) => [link('/webhooks/:id', { id: c.subject }), c.label],
  webhook_disabled: (c) => [link('/webhooks/:id', { id: c.subject }), c.label],
  key_retirable: (c) => [link('/rules/:id', { id: c.subject }), c.label],
};

// about is whom a concern is about, with a link to the page of it.
function about(concern) {
  const page = pages[concern.code]?.(concern);
  return page && [h('a', { href: page[0] }, data(page[1], { class: 'break' })), ' '];
}

function detail({ code: what, detail: word }) {
  if (!word) return null;
  const key = `start.detail.${what}.${word}`;
  return h('div', { class: 'muted small' }, has(key) ? t(key) : data(word, { lang: 'en' }));
}

function onAir({ on_air: now, nodes }) {
  if (!now) return null;
  const figure = (text, n, address, more) => h('a', { class: 'figure', href: address }, h('span', { class: 'muted' }, text), h('strong', {}, data(count(n))), more && h('span', { class: 'muted small' }, more));
  const many = now.rooms > 10000 ? t('start.rooms.many') : t('start.rooms', { n: now.rooms });
  return h('section', { class: 'figures', 'aria-label': t('start.onair') },
    figure(t('start.streams'), now.streams, link('/streams')),
    figure(t('start.viewers'), now.viewers, link('/sessions', {}, { scene: 'play' })),
    figure(t('start.sessions'), now.sessions, link('/sessions')),
    figure(t('start.live'), now.live_rooms, link('/rooms', {}, { state: 'live' }), many),
    nodes && figure(t('start.nodes'), nodes.total, link('/nodes'), ['up', 'unreachable', 'unknown'].filter((k) => nodes[k]).map((k) => t(`start.nodes.${k}`, { n: nodes[k] })).join(' · ')));
}

function refused({ refusals }) {
  if (!refusals) return h('p', { class: 'muted' }, t('start.untold'));
  if (!refusals.total) return h('p', { class: 'muted' }, t('start.refused.none'));
  return [
    h('p', { class: 'muted' }, t(refusals.more ? 'start.refused.more' : 'start.refused.total', { n: refusals.total })),
    h('ul', { class: 'lines' }, refusals.reasons.slice(0, lately).map(({ reason, count: n }) => h('li', {},
      h('a', { href: link('/decisions', {}, { reason }) }, reasonText(reason)), h('strong', { class: 'since' }, data(count(n)))))),
  ];
}

function happened(events) {
  if (!events) return h('p', { class: 'muted' }, t('start.untold'));
  if (!events.length) return h('p', { class: 'muted' }, t('start.lately.none'));
  return h('ul', { class: 'lines' }, events.map((e) => h('li', {},
    h('div', {}, h('div', {}, has(`start.event.${e.type}`) ? t(`start.event.${e.type}`) : code(e.type)), h('div', { class: 'small' }, subject(e))),
    h('span', { class: 'muted small since' }, time(e.timestamp)))));
}

// subject names a room by its title; what was deleted has no page any more.
function subject({ type, subject: name, data: what }) {
  if (type.startsWith('room.')) {
    const title = data(what.room?.title ?? name, { class: 'break' });
    return type === 'room.deleted' ? title : h('a', { href: link('/rooms/:id', { id: name }) }, title);
  }
  const parts = name.split('/');
  const short = data(parts.slice(-2).join('/'), { class: 'break' });
  return parts.length === 3 ? h('a', { href: link('/streams/:vhost/:app/:stream', { vhost: parts[0], app: parts[1], stream: parts[2] }) }, short) : short;
}

// firstSteps are for an installation that nobody has published on yet.
function firstSteps({ on_air: now, nodes }) {
  if (!now || !nodes || (now.rooms > 0 && nodes.seen)) return null;
  const step = (done, title, text, deed) => h('li', {}, h('span', { class: done ? 'step done' : 'step' }, done && icon('check'), h('span', { class: 'hidden' }, t(done ? 'start.step.done' : 'start.step.open'))),
    h('div', {}, h('div', {}, h('strong', {}, title)), h('div', { class: 'muted small' }, text)), !done && h('div', { class: 'since' }, deed));
  return section(t('start.first'), h('ol', { class: 'lines' },
    step(nodes.seen, t('start.step.node'), t('start.step.node.text'), h('a', { class: 'button', href: link('/nodes') }, icon('nodes'), t('start.step.node.deed'))),
    step(now.rooms > 0, t('start.step.room'), t('start.step.room.text'), button(t('start.step.room.deed'), async () => {
      const room = await createRoom();
      if (room) go(link('/rooms/:id', room));
    }, { icon: 'plus' })),
    step(now.streams > 0, t('start.step.push'), t('start.step.push.text'), h('a', { class: 'button', href: link('/rooms') }, icon('rooms'), t('start.step.push.deed'))),
    step(false, t('start.step.play'), t('start.step.play.text'))));
}
