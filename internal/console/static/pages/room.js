// One room: its state, its URLs, its stream, who watches, what was recorded.

import { get, seg } from '../api.js';
import { code, data, h, put, steady } from '../dom.js';
import { count, duration } from '../format.js';
import { loadTexts, t } from '../i18n.js';
import { followSoon, repeat } from '../live.js';
import { deleteRoom, editRoom, moveRoom, roomState, stopRoom } from '../roomdeeds.js';
import { go, link } from '../router.js';
import { copyButton, copyable } from '../ui/copy.js';
import { openDialog } from '../ui/dialog.js';
import { course, findStream, health } from '../ui/health.js';
import { icon } from '../ui/icons.js';
import { button, facts, heading, section, settle } from '../ui/page.js';
import { player } from '../ui/player.js';
import { qr } from '../ui/qr.js';
import { rows } from '../ui/table.js';
import { time } from '../ui/time.js';

const protocols = { rtmp: 'RTMP', srt: 'SRT', flv: 'HTTP-FLV', hls: 'HLS', rts: 'RTS' };

export default async function room({ params, signal, me }) {
  const address = `/api/v1/rooms/${seg(params.id)}`;
  let [shown] = await Promise.all([get(address, undefined, signal), loadTexts('health')]);
  const top = h('div', {});
  const drawTop = steady(top);
  const figures = h('div', {});
  const streams = onAir(signal);
  const side = h('div', { class: 'stack' });
  const rest = h('div', { class: 'stack' });

  // What people may be about to copy or to watch stays while the figures change.
  const draw = (next) => {
    const same = next.state === shown.state && next.streams.length === shown.streams.length;
    if (!side.childElementCount || told(next) !== told(shown)) put(side, aside(next));
    shown = next;
    drawTop(lasting(next), () => head(next, { me, changed: reload, draw }));
    put(figures, summary(next));
    streams.draw(next);
    if (!same || !rest.childElementCount) {
      put(rest, section(t('room.push'), next.push ? urls(next.push, t('room.push.label'), true) : h('p', { class: 'muted' }, t('room.push.ended'))),
        section(t('room.pull'), urls(next.pull, t('room.pull.label')), expiry(next)),
        next.link_pull && section(t('room.link'), urls(next.link_pull, t('room.link.label'))));
    }
  };
  const reload = async () => draw(await get(address, undefined, signal));
  const again = () => reload().catch(() => {});
  draw(shown);
  followSoon({ types: ['room.*', 'stream.*', 'recording.*'], signal, act: again });
  repeat(() => shown.streams.length > 0 && again(), signal);

  return [top, h('div', { class: 'stack' }, figures, streams.element,
    h('div', { class: 'grid' }, rest, h('div', { class: 'stack' }, section(t('room.preview'), player({ ...shown.pull, label: t('room.preview'), signal })), side))),
  ];
}

// lasting is what of a room does not change by itself.
const lasting = ({ id, title, state, anchor_id, notice, cover, extends: more }) => [id, title, state, anchor_id, notice, cover, more];

function head(room, { me, changed, draw }) {
  const act = (text, sign, deed, kind) => button(text, deed, { icon: sign, kind });
  const move = (deed) => async () => {
    const moved = await moveRoom(room, deed);
    if (moved) draw(moved);
  };
  return heading(data(room.title), {
    back: [link('/rooms'), t('core.nav.rooms')],
    badge: roomState(room),
    text: code(room.id),
    actions: [
      room.state === 'prepared' && act(t('rooms.start'), 'play', move('start'), 'primary'),
      room.state === 'live' && act(t('rooms.pause'), 'pause', move('pause')),
      room.state !== 'ended' && act(t('rooms.stop'), 'stop', async () => await stopRoom(room) && changed()),
      room.anchor_id === me.username && act(t('core.edit'), 'edit', async () => await editRoom(room) && changed()),
      act(t('core.delete'), 'trash', async () => await deleteRoom(room) && go(link('/rooms')), 'danger'),
    ],
  });
}

function summary(room) {
  return section(t('room.now'), facts([
    [t('rooms.online'), count(room.online)], [t('rooms.viewers'), count(room.viewers)], [t('rooms.plays'), count(room.plays)], [t('rooms.likes'), count(room.likes)],
    [t('rooms.anchor'), room.anchor_nick ? `${room.anchor_nick} (${room.anchor_id})` : room.anchor_id],
    [t('rooms.created'), time(room.created_at)], [t('room.started'), room.started_at && time(room.started_at)], [t('room.stopped'), room.stopped_at && time(room.stopped_at)],
    [t('rooms.mode'), room.mode === 'link' ? t('rooms.mode.link') : undefined],
    [t('rooms.notice'), room.notice],
  ]));
}

// onAir is how the room's streams are, drawn anew with the room.
function onAir(signal) {
  const body = h('div', { class: 'stack' });
  const one = async (stream) => {
    const [now, charts] = await Promise.all([findStream(stream, signal), course(stream, signal)]);
    return now ? [health(now, signal), h('div', { class: 'grid' }, charts), h('a', { class: 'small', href: link('/streams/:vhost/:app/:stream', stream) }, t('room.stream.more'))] : off();
  };
  const draw = (room) => settle(body, () => (room.streams.length ? Promise.all(room.streams.map(one)) : off(room)));
  return { element: section(t('room.stream'), body), draw };
}

function off(room) {
  return h('p', { class: 'muted' }, t(room?.state === 'ended' ? 'room.stream.ended' : 'room.stream.off'));
}

// urls shows each with what to do with it.
function urls(list, label, split) {
  return h('div', { class: 'stack' }, Object.entries(list).map(([protocol, url]) => h('div', { class: 'url' },
    h('div', { class: 'url-kind muted' }, data(protocols[protocol] ?? protocol)),
    copyable(url, t('room.url', { what: label, protocol: protocols[protocol] ?? protocol })),
    button(h('span', { class: 'hidden' }, t('room.qr', { protocol: protocols[protocol] ?? protocol })), () => showCode(url, protocols[protocol] ?? protocol), { icon: 'qr', kind: 'quiet' }),
    split && protocol === 'rtmp' && encoder(url))));
}

// encoder is how OBS and others ask for an RTMP URL: the server, and the rest as
// the key.
function encoder(url) {
  const [, server, key] = url.match(/^(rtmps?:\/\/[^/]+\/[^/?]+)\/(.+)$/) ?? [];
  if (!server) return null;
  return h('div', { class: 'url-parts small muted' }, t('room.obs'),
    h('span', {}, t('room.obs.server'), copyButton(server, t('room.obs.server.copy'))), h('span', {}, t('room.obs.key'), copyButton(key, t('room.obs.key.copy'))));
}

async function showCode(url, protocol) {
  const picture = await qr(url, t('room.qr', { protocol }));
  return openDialog({ title: t('room.qr', { protocol }), body: () => [picture, copyable(url, protocol)] });
}

const expiry = (room) => h('p', { class: 'muted small' }, t('room.expires'), ' ', time(room.urls_expire_at));

// told is what aside shows. A server lists what was recorded once a room has ended.
const told = ({ state, recordings, members }) => JSON.stringify([state, recordings, members]);

function aside(room) {
  const recordings = room.recordings ?? [];
  const members = room.members ?? [];
  return [
    section(t('room.recordings'), recordings.length ? rows({
      label: t('room.recordings'), rows: recordings,
      columns: [
        { label: t('room.recorded'), cell: (r) => time(r.created_at) },
        { label: t('room.length'), cell: (r) => data(r.duration_seconds > 0 ? duration(r.duration_seconds) : '–'), number: true },
        { label: t('room.file'), cell: (r) => [h('a', { href: /^https?:/.test(r.url) ? r.url : null, target: '_blank', rel: 'noreferrer' }, t('room.open'), icon('external')), copyButton(r.url, t('room.file.copy'))] },
      ],
    }) : h('p', { class: 'muted' }, t(room.state === 'ended' ? 'room.recordings.none' : 'room.recordings.later'))),
    (members.length > 0 || room.mode === 'link') && section(t('room.members'), members.length ? rows({
      label: t('room.members'), rows: members,
      columns: [
        { label: t('room.member'), cell: (m) => data(m.user_nick || m.user_id) },
        { label: t('room.camera'), cell: (m) => t(m.camera_opened ? 'core.yes' : 'core.no') },
        { label: t('room.microphone'), cell: (m) => t(m.mic_opened ? 'core.yes' : 'core.no') },
      ],
    }) : h('p', { class: 'muted' }, t('room.members.none'))),
  ];
}
