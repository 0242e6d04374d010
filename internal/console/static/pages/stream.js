// One stream: how it is and how it went, who publishes and who plays it.

import { get, seg } from '../api.js';
import { defaultVhost, evictionBadge, evictionText, streamName } from '../door.js';
import { cutStream } from '../cut.js';
import { data, h, put } from '../dom.js';
import { bitrate, bytes, count } from '../format.js';
import { loadTexts, t } from '../i18n.js';
import { followSoon } from '../live.js';
import { link } from '../router.js';
import { badge } from '../ui/badge.js';
import { chart } from '../ui/chart.js';
import { icon } from '../ui/icons.js';
import { button, facts, heading, section, settle } from '../ui/page.js';
import { ago } from '../ui/time.js';
import { sessionTable } from './sessions.js';
import { repeat } from './streams.js';

export default async function stream({ params, signal }) {
  await Promise.all([loadTexts('door'), loadTexts('sessions')]);
  const where = { vhost: params.vhost, app: params.app, stream: params.stream };
  const [first, room] = await Promise.all([find(where, signal), roomOf(where, signal)]);

  const top = h('div', {});
  const figures = h('div', {});
  const charts = section(t('stream.course'), h('div', { class: 'grid' }));
  const list = sessionTable({
    signal, within: true, changed: () => again(), ended: () => false, empty: () => t('stream.nobody'),
    load: (cursor) => get('/api/v1/sessions', { ...where, cursor, limit: 20 }, signal),
  });
  const draw = (now) => {
    put(top, head(where, now, room, () => again()));
    put(figures, now ? health(now, signal) : h('p', { class: 'note' }, t('stream.off.text')));
    return settle(charts.lastChild, () => course(where, signal));
  };
  const reload = async () => Promise.all([find(where, signal).then(draw), list.reload()]);
  const again = () => reload().catch(() => {});
  await draw(first);
  followSoon({ types: ['stream.*'], signal, act: again });
  repeat(again, signal);
  return [top, h('div', { class: 'stack' }, figures, charts, section(t('stream.sessions'), list.element))];
}

// find returns the stream if it is on the air. The filters of the list are parts
// of names, so others may come first.
async function find(where, signal) {
  let cursor;
  do {
    const page = await get('/api/v1/live-streams', { ...where, cursor, limit: 100 }, signal);
    const found = page.streams.find((s) => s.vhost === where.vhost && s.app === where.app && s.stream === where.stream);
    if (found) return found;
    cursor = page.next_cursor;
  } while (cursor);
  return undefined;
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

function health(now, signal) {
  const is = now.health ?? {};
  return section(t('stream.health'), !now.health && h('p', { class: 'note' }, t('stream.health.none')), facts([
    [t('streams.since'), ago(now.since, signal)], [t('streams.viewers'), count(now.viewers)],
    [t('stream.in'), is.recv_kbps !== undefined && bitrate(is.recv_kbps)], [t('stream.out'), is.send_kbps !== undefined && bitrate(is.send_kbps)],
    [t('stream.video'), [is.video_codec, is.video_profile, is.video_level].filter(Boolean).join(' ')],
    [t('stream.size'), is.width && `${is.width} × ${is.height}`],
    [t('stream.audio'), audio(is)],
    [t('stream.volume'), is.bytes_in && bytes(is.bytes_in)],
    [t('door.node'), now.node], [t('stream.from'), [now.protocol.toUpperCase(), now.address].filter(Boolean).join(' · ')], [t('door.account'), now.subject],
  ].map(([label, value]) => [label, value || undefined])));
}

function audio({ audio_codec: codec, audio_sample_rate: hertz, audio_channels: channels }) {
  return [codec, hertz && `${count(hertz / 1000)} kHz`, channels && t('stream.channels', { n: channels })].filter(Boolean).join(' · ');
}

async function course(where, signal) {
  const { samples } = await get('/api/v1/live-streams/samples', where, signal);
  const points = (name) => samples.filter((s) => s[name] !== undefined).map((s) => [Date.parse(s.at), s[name]]);
  return [
    chart({ label: t('streams.viewers'), points: points('viewers'), format: count }),
    chart({ label: t('streams.bitrate'), points: points('kbps'), format: bitrate }),
  ];
}
