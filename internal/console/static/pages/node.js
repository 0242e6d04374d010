// One media server: how it does, what is set, and the lines for its configuration.

import { get, seg } from '../api.js';
import { data, h, put } from '../dom.js';
import { count } from '../format.js';
import { t } from '../i18n.js';
import { repeat } from '../live.js';
import { deleteNode, editNode, editURLs, faultText, healthBadge, kindName, protocols, rotateSecret } from '../nodedeeds.js';
import { go, link } from '../router.js';
import { copyable } from '../ui/copy.js';
import { button, facts, heading, section, settle } from '../ui/page.js';
import { block } from '../ui/secret.js';
import { ago, time } from '../ui/time.js';

export default async function node({ params, signal, refresh }) {
  const address = `/api/v1/nodes/${seg(params.name)}`;
  const shown = await get(address, undefined, signal);
  const state = h('div', {}, now(shown, signal));
  repeat(async () => {
    try {
      put(state, now(await get(address, undefined, signal), signal));
    } catch {
      // What was known last stays; the next time may go better.
    }
  }, signal);

  return [head(shown, refresh), h('div', { class: 'stack' }, state, h('div', { class: 'grid' },
    section(t('node.settings'), settings(shown)),
    section(t('node.urls'), h('div', { class: 'stack' }, urls(shown), h('div', {}, button(t('node.urls.edit'), async () => await editURLs(shown) && refresh(), { icon: 'edit' }))))),
  section(t('node.configuration'), configuration(address, signal)))];
}

function head(node, refresh) {
  return heading(data(node.name), {
    back: [link('/nodes'), t('core.nav.nodes')],
    text: kindName(node),
    actions: [
      button(t('core.edit'), async () => await editNode(node) && refresh(), { icon: 'edit' }),
      button(t(node.secured ? 'nodes.rotate' : 'node.secure'), async () => await rotateSecret(node) && refresh(), { icon: 'rules' }),
      button(t('core.delete'), async () => await deleteNode(node) && go(link('/nodes')), { icon: 'trash', kind: 'danger' }),
    ],
  });
}

function now(node, signal) {
  const { health } = node;
  const asked = health.state !== 'unknown';
  return section(t('node.now'), h('div', { class: 'stack' }, facts([
    [t('nodes.state'), [healthBadge(node), faultText(node)]],
    [t('nodes.since'), asked ? ago(health.since, signal) : undefined],
    [t('node.checked'), asked ? time(health.checked_at) : undefined],
    [t('nodes.streams'), health.state === 'up' ? count(health.streams) : undefined],
    [t('nodes.clients'), health.state === 'up' ? count(health.clients) : undefined],
    [t('nodes.seen'), node.last_seen_at ? time(node.last_seen_at) : t('node.seen.never')],
  ]), !asked && h('p', { class: 'muted small' }, t(node.control_url ? 'node.unknown' : 'node.uncontrolled'))));
}

function settings(node) {
  return facts([
    [t('nodes.sources'), node.sources.length ? node.sources.map((s) => h('div', {}, data(s))) : t('nodes.sources.any')],
    [t('node.secured'), t(node.secured ? 'core.yes' : 'node.secured.no')],
    [t('nodes.control'), node.control_url ? data(node.control_url) : t('node.none')],
    [t('nodes.control.user'), node.control_username],
    [t('nodes.control.password'), node.control_url ? t(node.control_password_set ? 'node.password.set' : 'node.none') : undefined],
    [t('node.abilities'), node.control_url && node.abilities.length ? node.abilities.map((a) => h('div', {}, t(`node.ability.${a}`))) : t('node.none')],
    [t('node.created'), time(node.created_at)],
    [t('node.updated'), time(node.updated_at)],
  ]);
}

function urls(node) {
  const known = protocols().filter(([name]) => node.urls[name]);
  if (!known.length && !node.record_url) return h('p', { class: 'muted' }, t('node.urls.none'));
  return h('div', { class: 'stack' }, known.map(([name, label]) => h('div', { class: 'url' }, h('div', { class: 'url-kind muted' }, label), copyable(node.urls[name], t('node.url', { what: label.textContent ?? label })))),
    node.record_url && h('div', { class: 'url' }, h('div', { class: 'url-kind muted' }, t('nodes.record')), copyable(node.record_url, t('node.url', { what: t('nodes.record') }))));
}

// configuration is fetched when it is asked for: the secret is in it, and a
// screen may be shared.
function configuration(address, signal) {
  const place = h('div', {});
  const show = button(t('node.configuration.show'), () => settle(place, async () => {
    const { configuration: lines } = await get(`${address}/configuration`, undefined, signal);
    return block(lines, t('node.configuration.lines'));
  }));
  put(place, show);
  return h('div', { class: 'stack' }, h('p', { class: 'muted' }, t('node.configuration.text')), place);
}
