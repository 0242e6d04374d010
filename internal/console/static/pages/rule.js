// One rule, and the rotation of its keys.

import { get, seg, send } from '../api.js';
import { keyBadge, sceneBadge, sceneText, strengthBadge } from '../door.js';
import { code, data, h, put } from '../dom.js';
import { duration } from '../format.js';
import { loadTexts, t } from '../i18n.js';
import { go, link } from '../router.js';
import { changeable, place, placeText, revealKey, takeoverOf } from '../ruledeeds.js';
import { badge } from '../ui/badge.js';
import { confirmDialog, formDialog } from '../ui/dialog.js';
import { button, facts, heading, section } from '../ui/page.js';
import { rows } from '../ui/table.js';
import { time } from '../ui/time.js';
import { fail, toast } from '../ui/toast.js';

export default async function rule({ params, signal }) {
  await loadTexts('door');
  const address = `/api/v1/rules/${seg(params.id)}`;
  const whole = h('div', {});
  const load = async () => draw(await get(address, undefined, signal));
  const reload = () => load().catch((err) => err.name !== 'AbortError' && fail(err));
  const draw = (now) => put(whole, head(now, address, reload), h('div', { class: 'stack' }, about(now), rotation(now, address, reload)));
  await load();
  return [whole];
}

function head(now, address, reload) {
  return heading(placeText(now), {
    back: [link('/rules'), t('core.nav.rules')],
    badge: [sceneBadge(now.scene), badge(now.enabled ? 'good' : 'plain', t(now.enabled ? 'rules.on' : 'rules.off'))],
    text: t(now.enabled ? 'rule.on.text' : 'rule.off.text'),
    actions: [
      button(t('core.edit'), async () => await edit(now, address) && reload(), { icon: 'edit' }),
      now.enabled ? button(t('rule.disable'), async () => await disable(now, address) && reload()) : button(t('rule.enable'), () => enable(address, reload), { kind: 'primary' }),
      button(t('core.delete'), async () => await remove(now, address) && go(link('/rules')), { icon: 'trash', kind: 'danger' }),
    ],
  });
}

async function enable(address, reload) {
  try {
    await send('PATCH', address, { enabled: true });
    await reload();
    toast(t('rule.enabled'));
  } catch (err) {
    fail(err);
  }
}

const edit = (now, address) => formDialog({
  title: t('core.edit'), fields: changeable(now), submit: t('core.save'),
  onSubmit: async ({ validity_seconds: validity = 0, ...rest }) => {
    await send('PATCH', address, { validity_seconds: validity, ...(now.scene === 'publish' && takeoverOf(rest)) });
    toast(t('rule.edit.saved'));
  },
});

const disable = (now, address) => confirmDialog({
  title: t('rule.disable.title'), text: t('rule.disable.text', { place: place(now) }), action: t('rule.disable'), danger: true,
  act: () => send('PATCH', address, { enabled: false }),
});

const remove = (now, address) => confirmDialog({
  title: t('rule.delete.title'), text: t('rule.delete.text'), action: t('core.delete'), danger: true, type: place(now),
  act: async () => {
    await send('DELETE', address);
    toast(t('rule.deleted', { place: place(now) }));
  },
});

const about = (now) => section(t('rule.about'), facts([
  [t('rules.scene'), [sceneText(now.scene)]], [t('rules.domain'), now.domain || now.vhost ? data(now.domain || now.vhost) : [t('rule.any')]], [t('rules.app'), now.app ? data(now.app) : [t('rule.any')]],
  [t('rules.scheme'), [code(now.scheme), ' ', strengthBadge(now.strength)]],
  [t('rules.options'), now.options?.length ? now.options.map((o) => h('div', {}, code(o))) : undefined],
  [t('rules.validity'), duration(now.validity_seconds)],
  [t('rules.takeover'), now.scene === 'publish' ? [t(`door.takeover.${now.takeover}`)] : undefined],
  [t('rules.window'), now.takeover === 'resume' ? duration(now.takeover_window_seconds) : undefined],
  [t('rule.changed'), time(now.updated_at)],
]));

function rotation(now, address, reload) {
  const shown = [...now.keys].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  return section(t('rule.keys'),
    h('p', { class: 'muted' }, t('rule.rotation')),
    h('div', { class: 'bar' }, button(t('rule.add'), async () => await add(address) && reload(), { icon: 'plus' })),
    rows({
      label: t('rule.keys'), rows: shown,
      columns: [
        { label: t('rules.key'), cell: (k) => code(k.id) },
        { label: t('rules.state'), cell: (k) => keyBadge(k.state) },
        { label: t('rule.used'), cell: (k) => (k.last_used_at ? time(k.last_used_at) : h('span', { class: 'muted' }, t('rule.never'))) },
        { label: t('rule.means'), cell: means },
        { label: t('rule.next'), cell: (k) => h('div', { class: 'actions' }, deeds(k, address, reload)) },
      ],
    }));
}

// means says what a key is good for, and where it matters what the server knows.
function means(key) {
  const used = key.state === 'retiring' && !key.safe_to_retire ? '.used' : '';
  return h('div', {}, t(`rule.key.${key.state}${used}`), key.state === 'retiring' && h('div', { class: 'muted small' }, data(key.why, { lang: 'en' })));
}

const order = ['active', 'next', 'retiring', 'revoked'];

// add makes a key in state next, so that its users can be given it before it signs.
async function add(address) {
  const key = await formDialog({
    title: t('rule.add'), text: t('rule.add.text'), submit: t('rule.add.submit'),
    fields: [{ name: 'secret', label: t('rules.secret'), type: 'password', hint: t('rules.secret.hint'), attributes: { autocomplete: 'off', maxlength: 256 } }],
    onSubmit: ({ secret }) => send('POST', `${address}/keys`, { secret: secret || undefined }),
  });
  if (key) await revealKey(key);
  return key;
}

function deeds(key, address, reload) {
  const step = (deed, danger) => button(t(`rule.deed.${deed}`), async () => {
    if (await move(key, deed, address, danger)) reload();
  }, { kind: danger ? 'danger' : undefined, title: t(`rule.what.${deed}`, key) });
  switch (key.state) {
    case 'next': return [step('activate'), step('revoke', true)];
    case 'active': return [step('retire')];
    case 'retiring': return [step('activate'), step('revoke', true)];
    default: return [];
  }
}

const move = (key, deed, address, danger) => confirmDialog({
  title: t(`rule.what.${deed}`, key), danger, action: t(`rule.deed.${deed}`),
  text: t(deed === 'revoke' && !key.safe_to_retire && key.last_used_at ? 'rule.warning.used' : `rule.warning.${deed}`),
  act: async () => {
    await send('POST', `${address}/keys/${seg(key.id)}/${deed}`);
    toast(t(`rule.done.${deed}`, key));
  },
});
