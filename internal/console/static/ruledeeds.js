// What the list of rules and the page of one share.

import { data } from './dom.js';
import { t } from './i18n.js';
import { formDialog } from './ui/dialog.js';
import { showSecret } from './ui/secret.js';

// place is what a rule is for: host/application, with * for any.
export const place = ({ domain, vhost, app }) => `${domain || vhost || '*'}/${app || '*'}`;

// placeText says it in words where it is everything.
export const placeText = (rule) => (place(rule) === '*/*' ? t('rules.everywhere') : data(place(rule)));

// schemes that need nothing but a secret; the others are for the command line.
const schemes = ['stagedoor', 'aliyun_a', 'aliyun_b', 'huawei_a', 'huawei_b', 'huawei_d', 'lal_simple_auth', 'nms_sign', 'ome_signed_policy', 'tencent_css'];
const policies = ['reject', 'replace', 'resume'];
const plain = { autocomplete: 'off', spellcheck: 'false', maxlength: 253 };

// changeable are the fields of what may change later; a rule to play has no second
// publisher.
export const changeable = (rule) => [
  { name: 'validity_seconds', label: t('rules.validity'), type: 'number', value: rule?.validity_seconds ?? 0, hint: t('rules.validity.hint'), attributes: { min: 0, max: 315360000 } },
  rule?.scene !== 'play' && { name: 'takeover', label: t('rules.takeover'), type: 'select', value: rule?.takeover ?? 'reject', options: policies.map((p) => [p, t(`door.takeover.${p}`)]), hint: t('rules.takeover.hint') },
].filter(Boolean);

// newRule asks for a rule, shows its secret once, and returns the rule.
export async function newRule(post) {
  const made = await formDialog({
    title: t('rules.create'), text: t('rules.create.text'), submit: t('rules.create.submit'),
    fields: [
      { name: 'scene', label: t('rules.scene'), type: 'select', value: 'publish', options: ['publish', 'play'].map((s) => [s, t(`door.scene.${s}`)]) },
      { name: 'domain', label: t('rules.domain'), hint: t('rules.domain.hint'), attributes: plain },
      { name: 'app', label: t('rules.app'), hint: t('rules.app.hint'), attributes: plain },
      { name: 'scheme', label: t('rules.scheme'), type: 'select', value: 'stagedoor', options: schemes.map((s) => [s, s]), hint: t('rules.scheme.hint') },
      ...changeable(),
      { name: 'secret', label: t('rules.secret'), type: 'password', hint: t('rules.secret.hint'), attributes: { autocomplete: 'off', maxlength: 256 } },
    ],
    onSubmit: ({ domain, app, secret, takeover, validity_seconds: validity = 0, ...rest }) => post({
      ...rest, validity_seconds: validity, domain: domain || undefined, app: app || undefined, secret: secret || undefined,
      takeover: rest.scene === 'publish' ? takeover : undefined,
    }),
  });
  if (made) await revealKey(made.keys[0]);
  return made;
}

// revealKey shows the secret of a new key, where it was made at random: the only
// time that it can be seen.
export async function revealKey(key) {
  if (key?.secret) await showSecret({ title: t('rules.secret.title'), items: [[t('rules.secret.of', key), key.secret]] });
}
