// What can be done with a media server, shared by the list and the page of one.

import { send, seg } from './api.js';
import { code, data, h } from './dom.js';
import { t } from './i18n.js';
import { badge } from './ui/badge.js';
import { confirmDialog, formDialog } from './ui/dialog.js';
import { showSecret } from './ui/secret.js';
import { toast } from './ui/toast.js';

// Names of products are the same in every language.
const products = {
  srs: 'SRS', 'nginx-rtmp': 'nginx-rtmp', mediamtx: 'MediaMTX', 'node-media-server': 'Node-Media-Server',
  zlmediakit: 'ZLMediaKit', ovenmediaengine: 'OvenMediaEngine', nginx: 'nginx auth_request',
};

const kinds = () => [...Object.entries(products), ['aliyun', t('nodes.kind.aliyun')], ['any', t('nodes.kind.any')]];

export const kindName = (node) => (products[node.kind] ? data(products[node.kind]) : t(`nodes.kind.${node.kind}`));

const tones = { up: 'good', unreachable: 'bad', unknown: 'plain' };

export const healthBadge = ({ health }) => badge(tones[health.state], t(`nodes.state.${health.state}`));

// protocols of the URLs under which the public reaches streams.
export const protocols = () => [['push', t('nodes.urls.push')], ...Object.entries({ rtmp: 'RTMP', 'http-flv': 'HTTP-FLV', hls: 'HLS', webrtc: 'WebRTC', srt: 'SRT', rtsp: 'RTSP' }).map(([k, name]) => [k, data(name)])];

const path = (node, rest = '') => `/api/v1/nodes/${seg(node.name)}${rest}`;

// createNode returns the new node, or undefined.
export async function createNode() {
  const made = await formDialog({
    title: t('nodes.create'), text: t('nodes.create.text'),
    fields: [
      { name: 'name', label: t('nodes.name'), required: true, hint: t('nodes.name.hint'), attributes: { maxlength: 63, pattern: '[a-z0-9][a-z0-9_\\-]*', autocomplete: 'off', spellcheck: 'false' } },
      ...fields({ kind: 'srs', sources: [] }),
    ],
    submit: t('nodes.create'),
    onSubmit: (values) => send('POST', '/api/v1/nodes', body(values)),
  });
  if (!made) return undefined;
  await secretOf(made, t('nodes.created', { name: made.node.name }));
  return made.node;
}

function fields(node) {
  return [
    { name: 'kind', label: t('nodes.kind'), type: 'select', value: node.kind, options: kinds(), hint: t('nodes.kind.hint'), attributes: { translate: 'no' } },
    { name: 'sources', label: t('nodes.sources'), type: 'textarea', value: node.sources.join('\n'), hint: t('nodes.sources.hint'), check: checkSources, attributes: { maxlength: 4096, rows: 2, spellcheck: 'false' } },
    { name: 'control_url', label: t('nodes.control'), type: 'url', value: node.control_url, hint: t('nodes.control.hint'), attributes: { maxlength: 2048, pattern: 'https?://.*', spellcheck: 'false' } },
    { name: 'control_username', label: t('nodes.control.user'), value: node.control_username, attributes: { maxlength: 256, autocomplete: 'off', spellcheck: 'false' } },
    { name: 'control_password', label: t('nodes.control.password'), type: 'password', hint: node.control_password_set ? t('nodes.control.password.keep') : undefined, attributes: { maxlength: 1024, autocomplete: 'new-password' } },
  ];
}

const split = (text) => text.split(/[\s,;]+/).filter(Boolean);

const checkSources = (text) => (split(text).every((s) => /^[0-9A-Fa-f:.]{2,}(\/\d{1,3})?$/.test(s)) ? null : t('core.field.wrong'));

// body leaves out a password that was not typed: the stored one stays, unless
// there is no control API any more that it could be for.
function body({ sources, control_password: password, ...rest }) {
  const given = password !== '' || rest.control_url === '';
  return { ...rest, sources: split(sources), ...(given && { control_password: password }) };
}

export const editNode = (node) => formDialog({
  title: t('nodes.edit', { name: node.name }), fields: fields(node), submit: t('core.save'),
  onSubmit: async (values) => {
    await send('PATCH', path(node), body(values));
    toast(t('nodes.saved'));
  },
});

export const editURLs = (node) => formDialog({
  title: t('nodes.urls.edit', { name: node.name }), wide: true,
  text: [t('nodes.urls.hint'), ' ', ['{vhost}', '{app}', '{stream}'].map((p) => [code(p), ' '])],
  fields: [
    ...protocols().map(([name, label]) => ({ name, label, value: node.urls[name], check: (v) => (!v || v.includes('{stream}') ? null : t('nodes.urls.stream', { part: '{stream}' })), attributes: { maxlength: 2048, pattern: '[a-z]+://\\S+', spellcheck: 'false', autocomplete: 'off', inputmode: 'url' } })),
    { name: 'record_url', label: t('nodes.record'), value: node.record_url, hint: t('nodes.record.hint', { part: '{file}' }), attributes: { maxlength: 2048, pattern: 'https?://\\S*', spellcheck: 'false', autocomplete: 'off', inputmode: 'url' } },
  ],
  submit: t('core.save'),
  onSubmit: async ({ record_url, ...urls }) => {
    await send('PATCH', path(node), { urls, record_url });
    toast(t('nodes.saved'));
  },
});

// rotateSecret makes a new secret; says whether it did.
export async function rotateSecret(node) {
  let made;
  const done = await confirmDialog({
    title: t('nodes.rotate.title', { name: node.name }), text: t(node.secured ? 'nodes.rotate.text' : 'nodes.rotate.first'), action: t('nodes.rotate'), danger: true,
    act: async () => { made = await send('POST', path(node, '/secret')); },
  });
  if (done) await secretOf(made, t('nodes.rotated', { name: node.name }));
  return done;
}

const secretOf = ({ secret, configuration }, title) => showSecret({
  title, text: t('nodes.paste'), items: [[t('nodes.secret'), secret]], lines: configuration, again: true,
});

export const deleteNode = (node) => confirmDialog({
  title: t('nodes.delete.title', { name: node.name }), text: t(node.name === 'local' ? 'nodes.delete.local' : 'nodes.delete.text'), action: t('core.delete'), danger: true, type: node.name,
  act: async () => {
    await send('DELETE', path(node));
    toast(t('nodes.deleted', { name: node.name }));
  },
});

// faultText is why a node cannot be reached, in the words of the server.
export const faultText = ({ health }) => health.error && h('div', { class: 'muted small' }, data(health.error, { lang: 'en' }));
