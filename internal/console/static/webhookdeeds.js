// What can be done with a webhook, shared by the list and the page of one.

import { send, seg } from './api.js';
import { code } from './dom.js';
import { t } from './i18n.js';
import { badge } from './ui/badge.js';
import { confirmDialog, formDialog } from './ui/dialog.js';
import { showSecret } from './ui/secret.js';
import { fail, toast } from './ui/toast.js';

// families of events and what happens in each; the last two are written only
// while somebody asks for them. A test holds that all types are here.
export const families = {
  room: ['created', 'started', 'paused', 'stopped', 'updated', 'deleted'],
  stream: ['published', 'unpublished'],
  recording: ['ready'],
  session: ['started', 'ended'],
  decision: ['denied'],
};

const typesOf = (family) => families[family].map((verb) => `${family}.${verb}`);

export const types = Object.keys(families).flatMap(typesOf);

// expand ticks every type of a family, fold names a whole family by its pattern,
// so that types which a later version adds are among them.
const expand = (patterns) => types.filter((type) => patterns.some((p) => p === type || (p.endsWith('.*') && type.startsWith(p.slice(0, -1)))));

const fold = (chosen) => Object.keys(families).flatMap((family) => {
  const all = typesOf(family);
  return all.every((type) => chosen.includes(type)) ? [`${family}.*`] : all.filter((type) => chosen.includes(type));
});

export function webhookState(webhook) {
  if (!webhook.enabled) return badge(webhook.disabled_reason === 'operator' ? 'plain' : 'bad', t(`webhooks.disabled.${webhook.disabled_reason}`));
  if (webhook.failing_since) return badge('warn', t('webhooks.failing'));
  return badge('good', t('webhooks.enabled'));
}

const path = (webhook, rest = '') => `/api/v1/webhooks/${seg(webhook.id)}${rest}`;

const fields = (webhook) => [
  { name: 'url', label: t('webhooks.url'), type: 'url', required: true, value: webhook.url, hint: t('webhooks.url.hint'), attributes: { maxlength: 2048, pattern: 'https?://.+', spellcheck: 'false', autocomplete: 'off' } },
  { name: 'description', label: t('webhooks.description'), value: webhook.description, attributes: { maxlength: 256, autocomplete: 'off' } },
  { name: 'types', label: t('webhooks.types'), type: 'checks', options: types.map((type) => [type, code(type)]), value: expand(webhook.types), hint: t('webhooks.types.hint') },
];

// createWebhook returns the new webhook, or undefined.
export async function createWebhook() {
  const made = await formDialog({
    title: t('webhooks.create'), wide: true, fields: fields({ types: [] }), submit: t('webhooks.create'),
    onSubmit: (values) => send('POST', '/api/v1/webhooks', { ...values, types: fold(values.types) }),
  });
  if (!made) return undefined;
  await secretOf(made, t('webhooks.created'));
  return made.webhook;
}

const secretOf = ({ secret }, title) => showSecret({ title, text: t('webhooks.secret.text'), items: [[t('webhooks.secret'), secret]] });

export const editWebhook = (webhook) => formDialog({
  title: t('webhook.edit'), wide: true, fields: fields(webhook), submit: t('core.save'),
  onSubmit: async (values) => {
    await send('PATCH', path(webhook), { ...values, types: fold(values.types) });
    toast(t('webhook.saved'));
  },
});

// enableWebhook can be undone, so it asks nothing.
export async function enableWebhook(webhook) {
  try {
    await send('PATCH', path(webhook), { enabled: true });
    toast(t('webhook.saved'));
    return true;
  } catch (err) {
    fail(err);
    return false;
  }
}

export const disableWebhook = (webhook) => confirmDialog({
  title: t('webhook.disable.title'), text: t('webhook.disable.text'), action: t('webhook.disable'), danger: true,
  act: async () => {
    await send('PATCH', path(webhook), { enabled: false });
    toast(t('webhook.saved'));
  },
});

const day = 86400;

export async function rotateWebhook(webhook) {
  const overlaps = [[0, t('webhook.rotate.none')], [3600, t('webhook.rotate.hour')], [day, t('webhook.rotate.day')], [7 * day, t('webhook.rotate.week')]];
  const made = await formDialog({
    title: t('webhook.rotate.title'), text: t('webhook.rotate.text'),
    fields: [{ name: 'overlap', label: t('webhook.rotate.overlap'), type: 'select', value: String(day), options: overlaps.map(([seconds, text]) => [String(seconds), text]), hint: t('webhook.rotate.hint') }],
    submit: t('webhook.rotate'), danger: true,
    onSubmit: ({ overlap }) => send('POST', path(webhook, '/secret'), { overlap_seconds: Number(overlap) }),
  });
  if (made) await secretOf(made, t('webhook.rotated'));
  return Boolean(made);
}

export const deleteWebhook = (webhook) => confirmDialog({
  title: t('webhook.delete.title'), text: t('webhook.delete.text'), action: t('core.delete'), danger: true, type: new URL(webhook.url).host,
  act: async () => {
    await send('DELETE', path(webhook));
    toast(t('webhook.deleted'));
  },
});

// testWebhook and retryDelivery say whether something is on its way.
export const testWebhook = (webhook) => queue(path(webhook, '/test'), t('webhook.tested'));

export const retryDelivery = (webhook, delivery) => queue(path(webhook, `/deliveries/${seg(delivery.id)}/retry`), t('webhook.retried'));

async function queue(address, text) {
  try {
    await send('POST', address);
    toast(text);
    return true;
  } catch (err) {
    fail(err);
    return false;
  }
}

const hour = 3600e3;

// replay sends the events of a time again, part after part.
export function replay(webhook) {
  return formDialog({
    title: t('webhook.replay'), text: t('webhook.replay.text'),
    fields: [
      { name: 'since', label: t('webhook.replay.since'), type: 'datetime-local', required: true, value: local(new Date(Date.now() - hour)), attributes: { step: 1 } },
      { name: 'until', label: t('webhook.replay.until'), type: 'datetime-local', hint: t('webhook.replay.until.hint'), check: (v, all) => (v && v <= all.since ? t('webhook.replay.order') : null), attributes: { step: 1 } },
      { name: 'missing', label: t('webhook.replay.missing'), type: 'checkbox', value: true, hint: t('webhook.replay.missing.hint') },
    ],
    submit: t('webhook.replay'),
    onSubmit: async ({ since, until, missing }) => {
      // The end is fixed, so that what is sent meanwhile is not part of it.
      const range = { since: new Date(since).toISOString(), until: (until ? new Date(until) : new Date()).toISOString(), missing_only: missing };
      let queued = 0;
      let cursor;
      do {
        const part = await send('POST', path(webhook, '/replay'), { ...range, ...(cursor && { cursor }) });
        queued += part.queued;
        cursor = part.next_cursor;
      } while (cursor);
      toast(t('webhook.replayed', { n: queued }));
    },
  });
}

// local is a time as fields of forms have it: in the zone of whoever looks.
const local = (at) => new Date(at - at.getTimezoneOffset() * 60e3).toISOString().slice(0, 19);
