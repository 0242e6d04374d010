// One stream: how it is and how it went, who publishes and who plays it.

import { get, seg } from '../api.js';
import { defaultVhost, evictionBadge, evictionText, streamName } from '../door.js';
import { cutStream } from '../cut.js';
import { data, h, put, steady } from '../dom.js';
import { loadTexts, t } from '../i18n.js';
import { followSoon, repeat } from '../live.js';
import { link } from '../router.js';
import { badge } from '../ui/badge.js';
import { course, findStream, health } from '../ui/health.js';
import { icon } from '../ui/icons.js';
import { button, heading, section, settle } from '../ui/page.js';
import { sessionTable } from './sessions.js';

export default async function stream({ params, signal }) {
  await Promise.all(['door', 'health', 'sessions'].map(loadTexts));
  const where = { vhost: params.vhost, app: params.app, stream: params.stream };
  const [first, room] = await Promise.all([findStream(where, signal), roomOf(where, signal)]);

  const top = h('div', {});
  const drawTop = steady(top);
  const figures = h('div', {});
  const charts = section(t('stream.course'), h('div', { class: 'grid' }));
  const list = sessionTable({
    signal, within: true, changed: () => again(), ended: () => false, empty: () => t('stream.nobody'),
    load: (cursor) => get('/api/v1/sessions', { ...where, cursor, limit: 20 }, signal),
  });
  const draw = (now) => {
    drawTop([now?.eviction, now?.since, now?.viewers, now?.node], () => head(where, now, room, () => again()));
    put(figures, now ? section(t('stream.health'), health(now, signal, [[t('door.account'), now.subject]])) : h('p', { class: 'note' }, t('stream.off.text')));
    return settle(charts.lastChild, () => course(where, signal));
  };
  const reload = async () => Promise.all([findStream(where, signal).then(draw), list.reload()]);
  const again = () => reload().catch(() => {});
  await draw(first);
  followSoon({ types: ['stream.*'], signal, act: again });
  repeat(again, signal);
  return [top, h('div', { class: 'stack' }, figures, charts, section(t('stream.sessions'), list.element))];
}

// roomOf returns the room of a stream: rooms are published under their id.
async function roomOf({ vhost, stream }, signal) {
  if (vhost !== defaultVhost || !/^[0-9a-f]{32}$/.test(stream)) return undefined;
  return get(`/api/v1/rooms/${seg(stream)}`, undefined, signal).catch((err) => {
    if (err.status === 404 || err.status === 400) return undefined;
    throw err;
  });
}

function head(where, now, room, changed) {
  return heading(data(streamName(where)), {
    back: [link('/streams'), t('core.nav.streams')],
    badge: [badge(now ? 'good' : 'plain', t(now ? 'stream.on' : 'stream.off'), { live: Boolean(now) }), evictionBadge(now?.eviction)],
    text: now?.eviction && [evictionText(now.eviction), now.eviction.state === 'impossible' && [' · ', t('door.impossible')]],
    actions: [
      room && h('a', { class: 'button', href: link('/rooms/:id', room) }, icon('rooms'), t('stream.room', { title: room.title })),
      h('a', { class: 'button', href: link('/decisions', {}, { stream: `${where.app}/${where.stream}` }) }, icon('decisions'), t('stream.refusals')),
      now && button(t('stream.cut'), async () => {
        if (await cutStream(now)) changed();
      }, { icon: 'stop', kind: 'danger' }),
    ],
  });
}
