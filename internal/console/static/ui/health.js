// How a stream is, and how it went. Its texts are a file of their own: await
// loadTexts('health').
//
//   await findStream(where, signal)    what is known of it, undefined off the air
//   health(stream, signal, more)       its figures; `more` are facts of the page
//   await course(where, signal)        charts of its last hour
//
// `where` is { vhost, app, stream }.

import { get } from '../api.js';
import { h } from '../dom.js';
import { bitrate, bytes, count } from '../format.js';
import { t } from '../i18n.js';
import { chart } from './chart.js';
import { facts } from './page.js';
import { ago } from './time.js';

// The filters of the list are parts of names, so others may come first.
export async function findStream({ vhost, app, stream }, signal) {
  let cursor;
  do {
    const page = await get('/api/v1/live-streams', { vhost, app, stream, cursor, limit: 100 }, signal);
    const found = page.streams.find((s) => s.vhost === vhost && s.app === app && s.stream === stream);
    if (found) return found;
    cursor = page.next_cursor;
  } while (cursor);
  return undefined;
}

export function health(stream, signal, more = []) {
  const is = stream.health ?? {};
  return [!stream.health && h('p', { class: 'note' }, t('health.none')), facts([
    [t('health.since'), ago(stream.since, signal)], [t('health.viewers'), count(stream.viewers)],
    [t('health.in'), is.recv_kbps !== undefined && bitrate(is.recv_kbps)], [t('health.out'), is.send_kbps !== undefined && bitrate(is.send_kbps)],
    [t('health.video'), [is.video_codec, is.video_profile, is.video_level].filter(Boolean).join(' ')],
    [t('health.size'), is.width && `${is.width} × ${is.height}`],
    [t('health.frames'), is.frame_rate && `${count(is.frame_rate)} fps`],
    [t('health.audio'), audio(is)],
    [t('health.volume'), is.bytes_in && bytes(is.bytes_in)],
    [t('health.node'), stream.node], [t('health.from'), [stream.protocol.toUpperCase(), stream.address].filter(Boolean).join(' · ')],
    ...more,
  ].map(([label, value]) => [label, value || undefined]))];
}

function audio({ audio_codec: codec, audio_sample_rate: hertz, audio_channels: channels }) {
  return [codec, hertz && `${count(hertz / 1000)} kHz`, channels && t('health.channels', { n: channels })].filter(Boolean).join(' · ');
}

export async function course({ vhost, app, stream }, signal) {
  const { samples } = await get('/api/v1/live-streams/samples', { vhost, app, stream }, signal);
  const points = (name) => samples.filter((s) => s[name] !== undefined).map((s) => [Date.parse(s.at), s[name]]);
  return [
    chart({ label: t('health.course.viewers'), points: points('viewers'), format: count }),
    chart({ label: t('health.course.rate'), points: points('kbps'), format: bitrate }),
  ];
}
