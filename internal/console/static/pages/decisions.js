// Who was refused, and why.

import { get } from '../api.js';
import { defaultVhost, reason, reasonText, sceneText, streamName } from '../door.js';
import { data, h } from '../dom.js';
import { loadTexts, t } from '../i18n.js';
import { link } from '../router.js';
import { filters } from '../ui/filters.js';
import { icon } from '../ui/icons.js';
import { button, heading } from '../ui/page.js';
import { table } from '../ui/table.js';
import { time } from '../ui/time.js';

const names = ['stream', 'client', 'request_id', 'reason'];

// refusals are the reasons for which somebody is refused.
export const refusals = ['no_credential', 'signature_mismatch', 'signature_expired', 'signature_malformed', 'key_revoked', 'credential_conflict',
  'token_unknown', 'token_expired', 'token_revoked', 'wrong_stream', 'wrong_scene', 'wrong_address', 'no_right', 'invalid_credentials', 'too_many_attempts',
  'stream_forbidden', 'room_ended', 'already_publishing', 'invalid_stream', 'callback_unauthenticated', 'temporarily_unavailable'];

export default async function decisions({ query, setQuery, signal }) {
  await loadTexts('door');
  let wanted = Object.fromEntries(names.map((name) => [name, query.get(name) ?? '']));
  const list = table({
    label: t('decisions.title'),
    columns: [
      { label: t('decisions.at'), cell: (r) => time(r.at) },
      { label: t('decisions.wanted'), cell: asked },
      { label: t('decisions.reason'), cell: (r) => [reason(r.reason), r.repeats > 0 && h('div', { class: 'small muted' }, t('decisions.repeats', { n: r.repeats }))] },
      { label: t('door.client'), cell: (r) => h('div', {}, data(r.address || '–'), h('div', { class: 'muted small' }, data([r.protocol, r.client_id].filter(Boolean).join(' · ')))) },
      { label: t('door.node'), cell: (r) => data(r.node || '–'), minor: true },
      { label: t('decisions.explain'), cell: (r) => h('a', { class: 'button', href: explainLink(r), 'aria-label': t('decisions.explain.what', { stream: streamName(r) }) }, icon('explain'), t('decisions.explain')) },
    ],
    load: async (cursor) => {
      const page = await get('/api/v1/refusals', { ...wanted, cursor, limit: 20 }, signal);
      return { rows: page.refusals, next: page.next_cursor };
    },
    empty: () => (names.some((name) => wanted[name]) ? [h('p', {}, t('decisions.none')), h('p', { class: 'small' }, t('decisions.none.hint'))] : t('decisions.empty')),
    signal,
  });
  return [
    heading(t('decisions.title'), {
      text: t('decisions.about'),
      actions: [button(t('door.refresh'), () => list.reload(true), { icon: 'refresh' }), h('a', { class: 'button primary', href: link('/explain') }, icon('explain'), t('decisions.url'))],
    }),
    filters({
      fields: [
        { name: 'stream', label: t('door.stream'), type: 'search', hint: t('decisions.stream.hint'), value: wanted.stream, attributes: { maxlength: 1024 } },
        { name: 'client', label: t('door.client'), type: 'search', hint: t('decisions.client.hint'), value: wanted.client, attributes: { maxlength: 512 } },
        { name: 'request_id', label: t('decisions.request'), type: 'search', hint: t('decisions.request'), value: wanted.request_id, attributes: { maxlength: 64 } },
        { name: 'reason', label: t('decisions.reason'), options: [['', t('decisions.reason.any')], ...refusals.map((word) => [word, reasonText(word)])], value: wanted.reason },
      ],
      onChange: (values) => {
        wanted = values;
        setQuery(values);
        list.reload(true);
      },
    }),
    list.element,
  ];
}

// asked is what the client wanted: to publish or play a stream. A callback of
// nobody knows whom names none.
function asked(refusal) {
  if (!refusal.stream) return h('span', { class: 'muted' }, t('decisions.callback'));
  return h('div', {}, data(streamName(refusal)), h('div', { class: 'muted small' }, sceneText(refusal.scene)));
}

// explainLink leads to the explanation of what a refusal tells: all but the query
// of the URL, which is not kept.
function explainLink(r) {
  const host = r.vhost === defaultVhost || !r.vhost ? location.hostname : r.vhost;
  const url = r.stream ? `rtmp://${host}/${r.app}/${r.stream}` : '';
  const { scene, address, at, reason: word, rule_id: rule, key_id: key, subject, node, request_id: request } = r;
  return link('/explain', {}, { url, scene, address: /^[0-9A-Fa-f:.]+$/.test(address) ? address : '', at, reason: word, rule, key, subject, node, request });
}
