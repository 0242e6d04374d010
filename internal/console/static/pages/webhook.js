// One endpoint: how it does, and what was sent to it.

import { get, seg } from '../api.js';
import { code, data, h } from '../dom.js';
import { count } from '../format.js';
import { has, t } from '../i18n.js';
import { repeat } from '../live.js';
import { go, link } from '../router.js';
import { badge } from '../ui/badge.js';
import { openDialog } from '../ui/dialog.js';
import { filters } from '../ui/filters.js';
import { button, facts, heading, section } from '../ui/page.js';
import { rows, table } from '../ui/table.js';
import { ago, time } from '../ui/time.js';
import { deleteWebhook, disableWebhook, editWebhook, enableWebhook, replay, retryDelivery, rotateWebhook, testWebhook, types, webhookState } from '../webhookdeeds.js';
import { filter } from './webhooks.js';

export default async function webhook({ params, query, setQuery, signal, refresh }) {
  const address = `/api/v1/webhooks/${seg(params.id)}`;
  const shown = await get(address, undefined, signal);
  const list = deliveries({ webhook: shown, address, query, setQuery, signal });
  return [head(shown, refresh, list.reload), h('div', { class: 'stack' }, now(shown, signal), list.element)];
}

function head(webhook, refresh, reload) {
  return heading(data(new URL(webhook.url).host), {
    back: [link('/webhooks'), t('core.nav.webhooks')], badge: webhookState(webhook),
    text: webhook.description && data(webhook.description),
    actions: [
      webhook.enabled && button(t('webhook.test'), async () => await testWebhook(webhook) && reload(), { icon: 'play', kind: 'primary' }),
      !webhook.enabled && button(t('webhook.enable'), async () => await enableWebhook(webhook) && refresh(), { icon: 'play', kind: 'primary' }),
      button(t('webhook.replay'), async () => await replay(webhook) && reload(), { icon: 'refresh' }),
      button(t('core.edit'), async () => await editWebhook(webhook) && refresh(), { icon: 'edit' }),
      button(t('webhook.rotate'), async () => await rotateWebhook(webhook) && refresh(), { icon: 'rules' }),
      webhook.enabled && button(t('webhook.disable'), async () => await disableWebhook(webhook) && refresh(), { icon: 'pause' }),
      button(t('core.delete'), async () => await deleteWebhook(webhook) && go(link('/webhooks')), { icon: 'trash', kind: 'danger' }),
    ],
  });
}

const now = (webhook, signal) => section(t('webhook.now'), h('div', { class: 'stack' },
  h('div', {}, code(webhook.url)),
  facts([
    [t('webhooks.types'), filter(webhook)],
    [t('webhook.failing'), webhook.failing_since && ago(webhook.failing_since, signal)],
    [t('webhook.disabled'), webhook.disabled_at && time(webhook.disabled_at)],
    [t('webhook.held'), webhook.held_until && time(webhook.held_until)],
    [t('webhook.old'), webhook.old_secret_until && time(webhook.old_secret_until)],
    [t('webhooks.made'), time(webhook.created_at)],
    [t('webhook.updated'), time(webhook.updated_at)],
  ]),
  !webhook.enabled && h('p', { class: 'note' }, t(`webhook.why.${webhook.disabled_reason}`))));

const tones = { delivered: 'good', pending: 'accent', failed: 'bad' };

// deliveryState tells one that failed and will be tried again from one that has
// just set out.
const deliveryState = (d) => (d.state === 'pending' && d.attempts.length
  ? badge('warn', t('webhook.delivery.waiting'))
  : badge(tones[d.state], t(`webhook.delivery.${d.state}`)));

function deliveries({ webhook, address, query, setQuery, signal }) {
  let wanted = { state: query.get('state') ?? '', type: query.get('type') ?? '' };
  const list = table({
    label: t('webhook.deliveries'),
    columns: [
      { label: t('webhook.event'), cell: (d) => code(d.type, { class: 'line' }) },
      { label: t('webhook.subject'), cell: (d) => data(d.subject, { class: 'break' }), minor: true },
      { label: t('webhook.delivery'), cell: (d) => h('div', {}, deliveryState(d), last(d)) },
      { label: t('webhook.attempts'), cell: (d) => data(count(d.attempts.length)), number: true },
      { label: t('webhook.at'), cell: (d) => time(d.created_at) },
      { label: t('webhook.deeds'), cell: (d) => h('div', { class: 'actions' },
        button(t('webhook.look'), () => look(d, signal), { title: t('webhook.look.title', { type: d.type }) }),
        d.state !== 'pending' && button(t('webhook.retry'), async () => await retryDelivery(webhook, d) && list.reload())), number: true },
    ],
    load: async (cursor) => {
      const page = await get(`${address}/deliveries`, { ...wanted, cursor, limit: 20 }, signal);
      return { rows: page.deliveries, next: page.next_cursor };
    },
    empty: () => t(wanted.state || wanted.type ? 'webhook.deliveries.none' : 'webhook.deliveries.empty'), signal,
  });
  repeat(() => list.reload(), signal);
  const bar = filters({
    fields: [
      { name: 'state', label: t('webhook.delivery'), options: [['', t('webhook.delivery.any')], ...Object.keys(tones).map((s) => [s, t(`webhook.delivery.${s}`)])], value: wanted.state },
      { name: 'type', label: t('webhook.event'), options: [['', t('webhook.event.any')], ...types.map((type) => [type, data(type)])], value: wanted.type },
    ],
    onChange: (values) => {
      wanted = values;
      setQuery(values);
      list.reload(true);
    },
  });
  return { element: section(t('webhook.deliveries'), bar, list.element), reload: () => list.reload(true) };
}

// outcome is what came of one attempt, in a few words.
function outcome({ status, error }) {
  const key = `webhook.fault.${error}`;
  return [error && (has(key) ? t(key) : data(error)), error && status ? ' ' : '', status ? code(String(status)) : ''];
}

// last is the reason why a delivery has not arrived, or when it is tried again.
function last(d) {
  const attempt = d.attempts.at(-1);
  if (d.state === 'delivered' || !attempt) return null;
  return h('div', { class: 'muted small' }, outcome(attempt), d.next_attempt_at && [' · ', t('webhook.next'), ' ', time(d.next_attempt_at)]);
}

// look shows a delivery with its attempts and how each was answered.
function look(d, signal) {
  return openDialog({
    title: code(d.type), wide: true,
    body: () => [
      facts([
        [t('webhook.delivery'), deliveryState(d)], [t('webhook.subject'), d.subject], [t('webhook.sequence'), count(d.sequence)],
        [t('webhook.id'), code(d.event_id)], [t('webhook.at'), time(d.created_at)], [t('webhook.finished'), d.finished_at && time(d.finished_at)],
        [t('webhook.again'), d.next_attempt_at && time(d.next_attempt_at)],
      ]),
      d.attempts.length ? rows({
        label: t('webhook.attempts'), rows: d.attempts, signal,
        columns: [
          { label: t('webhook.attempt.at'), cell: (a) => time(a.at) },
          { label: t('webhook.answer'), cell: (a) => h('div', {}, a.error ? outcome(a) : [t('webhook.accepted'), ' ', code(String(a.status))], a.excerpt && h('div', { class: 'muted small' }, data(a.excerpt))) },
          { label: t('webhook.took'), cell: (a) => data(`${count(a.duration_ms)} ms`), number: true },
        ],
      }) : h('p', { class: 'muted' }, t('webhook.attempts.none')),
    ],
  });
}
