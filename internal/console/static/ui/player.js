// A preview of a stream. Nothing is loaded before somebody presses play.
//
//   player({ flv: url, hls: url, label: t('room.preview'), signal })
//
// HTTP-FLV comes first, as it is a second behind where HLS is ten. Media servers
// must let this origin fetch (Access-Control-Allow-Origin); their own origin is
// in the content policy where it is configured.

import { data, h, put } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from './icons.js';

const kinds = { flv: 'HTTP-FLV', hls: 'HLS' };

export function player({ flv, hls, label, signal }) {
  const urls = { flv, hls };
  const screen = h('div', { class: 'player' });
  const status = h('p', { class: 'muted small', role: 'status' });
  let stop = () => {};

  const start = async (kind) => {
    stop();
    put(status, t('core.player.loading'));
    const video = h('video', { controls: true, playsinline: true, autoplay: true, 'aria-label': label });
    video.muted = true; // or browsers would not begin by themselves
    put(screen, video);
    video.addEventListener('playing', () => put(status, t('core.player.playing', { kind: kinds[kind] })));
    try {
      stop = await attach[kind](video, urls[kind], failed);
    } catch (err) {
      failed(err.message);
    }
  };
  const failed = (why) => {
    stop();
    idle();
    put(status, t('core.player.failed'), ' ', why && data(why, { lang: 'en' }));
  };
  const idle = () => put(screen, h('div', { class: 'player-choice' }, Object.keys(kinds).filter((k) => urls[k]).map((k) =>
    h('button', { type: 'button', onclick: () => start(k) }, icon('play'), t('core.player.play', { kind: kinds[k] })))));

  idle();
  signal?.addEventListener('abort', () => stop(), { once: true });
  return h('div', { class: 'stack' }, screen, status);
}

// Each attaches a stream to a video and returns how to let go of it.
const attach = { flv: attachFLV, hls: attachHLS };

async function attachFLV(video, url, failed) {
  const { default: mpegts } = await import('../vendor/mpegts.js/mpegts.mjs');
  if (!mpegts.isSupported()) throw new Error(t('core.player.unsupported'));
  mpegts.LoggingControl.enableAll = false;
  const p = mpegts.createPlayer({ type: 'flv', isLive: true, url }, { isLive: true, liveBufferLatencyChasing: true, enableStashBuffer: false });
  p.on(mpegts.Events.ERROR, (type, detail) => failed(`${type}: ${detail}`));
  p.attachMediaElement(video);
  p.load();
  return () => p.destroy();
}

async function attachHLS(video, url, failed) {
  const { default: Hls } = await import('../vendor/hls.js/hls.light.min.mjs');
  if (!Hls.isSupported()) {
    if (!video.canPlayType('application/vnd.apple.mpegurl')) throw new Error(t('core.player.unsupported'));
    video.addEventListener('error', () => failed(video.error?.message));
    video.src = url;
    return () => { video.removeAttribute('src'); video.load(); };
  }
  // A worker would have to come from a blob, which the content policy is against.
  const p = new Hls({ enableWorker: false, liveSyncDurationCount: 2 });
  p.on(Hls.Events.ERROR, (_, e) => e.fatal && failed(`${e.type}: ${e.details}`));
  p.loadSource(url);
  p.attachMedia(video);
  return () => p.destroy();
}
