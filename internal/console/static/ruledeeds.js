// What the list of rules and the page of one share.

import { data } from './dom.js';
import { t } from './i18n.js';
import { formDialog } from './ui/dialog.js';
import { showSecret } from './ui/secret.js';

// place is what a rule is for: host/application, with * for any.
export const place = ({ domain, vhost, app }) => `${domain || vhost || '*'}/${app || '*'}`;

// placeText says it in words where it is everything.
export const placeText = (rule) => (place(rule) === '*/*' ? t('rules.everywhere') : data(place(rule)));

// schemes, and what each leaves to choose, in the words of the command line. A
// test holds that they are those of the server.
export const schemes = {
  stagedoor: [], mediamtx_jwt: [], huawei_d: [], nginx_secure_link_md5: ['expression', 'param-signature', 'param-time', 'path-prefix'],
  nginx_secure_link_secret: ['path-prefix'], nms_sign: [], lal_simple_auth: [], ome_signed_policy: [], wowza_securetoken_v2: ['param-prefix', 'hash'],
  aliyun_a: [], aliyun_b: [], aliyun_c: ['url-format', 'param-signature', 'param-time'], aliyun_f: ['param-signature', 'param-time'], huawei_a: [], huawei_b: [],
  cloudfront_canned: ['key-name', 'hash'], mux_playback: ['key-name'], cloudflare_stream: ['key-name'], qiniu_pili_publish: ['key-name'], qiniu_timestamp: ['time-base'],
  tencent_css: [], volcengine_b: ['param-signature', 'param-time', 'time-base'], volcengine_custom: ['fields', 'param-signature', 'param-time', 'time-base'],
  antmedia_jwt: [], baidu_lss_publish: [], tencent_css_sha256: [], volcengine_a: ['param-signature', 'time-base'],
};
const choices = ([scheme, options]) => (options.length ? `${scheme} (${options.join(', ')})` : scheme);
const policies = ['reject', 'replace', 'resume'];
const plain = { autocomplete: 'off', spellcheck: 'false', maxlength: 253 };

// changeable are the fields of what may change later; a rule to play has no second
// publisher.
export const changeable = (rule) => [
  { name: 'validity_seconds', label: t('rules.validity'), type: 'number', value: rule?.validity_seconds ?? 0, hint: t('rules.validity.hint'), attributes: { min: 0, max: 315360000 } },
  rule?.scene !== 'play' && { name: 'takeover', label: t('rules.takeover'), type: 'select', value: rule?.takeover ?? 'reject', options: policies.map((p) => [p, t(`door.takeover.${p}`)]), hint: t('rules.takeover.hint') },
  rule?.scene !== 'play' && { name: 'window', label: t('rules.window'), type: 'number', value: rule?.takeover === 'resume' ? rule.takeover_window_seconds / 3600 : undefined, hint: t('rules.window.hint'), attributes: { min: 0, max: 168, step: 'any' } },
].filter(Boolean);

// takeoverOf is what of these fields the server takes: only resuming has a window.
export const takeoverOf = ({ takeover, window: hours }) => ({ takeover, takeover_window_seconds: takeover === 'resume' && hours ? Math.round(hours * 3600) : undefined });

const linesOf = (text) => text.split('\n').map((line) => line.trim()).filter(Boolean);

// newRule asks for a rule, shows its secret once, and returns the rule.
export async function newRule(post) {
  const made = await formDialog({
    title: t('rules.create'), text: t('rules.create.text'), submit: t('rules.create.submit'),
    fields: [
      { name: 'scene', label: t('rules.scene'), type: 'select', value: 'publish', options: ['publish', 'play'].map((s) => [s, t(`door.scene.${s}`)]) },
      { name: 'domain', label: t('rules.domain'), hint: t('rules.domain.hint'), attributes: plain },
      { name: 'app', label: t('rules.app'), hint: t('rules.app.hint'), attributes: plain },
      { name: 'scheme', label: t('rules.scheme'), type: 'select', value: 'stagedoor', options: Object.entries(schemes).map((s) => [s[0], choices(s)]), hint: t('rules.scheme.hint') },
      { name: 'options', label: t('rules.options'), type: 'textarea', hint: t('rules.options.hint'), attributes: { rows: 2, maxlength: 4096, spellcheck: 'false' } },
      ...changeable(),
      { name: 'secret', label: t('rules.secret'), type: 'password', hint: t('rules.secret.hint'), attributes: { autocomplete: 'off', maxlength: 256 } },
    ],
    onSubmit: ({ domain, app, secret, scene, scheme, options, validity_seconds: validity = 0, ...rest }) => post({
      scene, scheme, options: linesOf(options), validity_seconds: validity, domain: domain || undefined, app: app || undefined, secret: secret || undefined,
      ...(scene === 'publish' && takeoverOf(rest)),
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
