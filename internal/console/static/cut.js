// Cutting off a publisher or a player, and saying what came of it. The texts are
// door's.
//
//   if (await cutSession(session)) list.reload();
//   if (await cutStream(stream)) …

import { send, seg } from './api.js';
import { streamName } from './door.js';
import { data, h } from './dom.js';
import { t } from './i18n.js';
import { confirmDialog, openDialog } from './ui/dialog.js';
import { badge } from './ui/badge.js';
import { button } from './ui/page.js';
import { toast } from './ui/toast.js';

export function cutSession(session) {
  return cut({
    title: t(`door.cut.${session.scene}`, { address: session.address || session.client_id, stream: streamName(session) }),
    text: t('door.cut.text'),
    path: `/api/v1/sessions/${seg(session.id)}`,
  });
}

export function cutStream(stream) {
  const where = new URLSearchParams({ vhost: stream.vhost, app: stream.app, stream: stream.stream });
  return cut({
    title: t('door.cut.stream', { stream: streamName(stream) }),
    text: t('door.cut.stream.text', { n: stream.viewers }),
    path: `/api/v1/live-streams?${where}`,
  });
}

// cut says whether it was tried, whatever came of it.
async function cut({ title, text, path }) {
  let result;
  const done = await confirmDialog({
    title, text, action: t('door.cut'), danger: true,
    act: async () => { result = await send('DELETE', path); },
  });
  if (done) await tell(result);
  return done;
}

// tell makes sure that what did not work is read.
async function tell({ state, connections, message }) {
  if (state === 'kicked' || state === 'gone') {
    toast(t(`door.cut.${state}`, { n: connections }));
    return;
  }
  await openDialog({
    title: t('door.cut.result'),
    body: (close) => [
      h('div', {}, badge(state === 'pending' ? 'warn' : 'bad', t(`door.eviction.${state}`))),
      h('p', {}, t(`door.cut.${state}`)),
      message && h('p', { class: 'muted small' }, t('door.cut.says'), ' ', data(message, { lang: 'en' })),
      h('div', { class: 'form-actions' }, button(t('core.close'), () => close(), { kind: 'primary' })),
    ],
  });
}
