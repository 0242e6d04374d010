// Two languages. Every text of the console has a key and stands in
// i18n/en/NAME.js and i18n/zh/NAME.js; tests hold that both have the same keys
// and that no text stands anywhere else. Such a file is one JSON object behind
// `export default`, because tests read it as that; its keys begin with NAME and
// a dot. 'core' is loaded always, the others with the page of their name.
//
//   t('rooms.count', { n: 3 })    "{n} rooms" → "3 rooms"
//
// Where a number decides the wording, the text is "{n|one room|# rooms}".

import { keep } from './keep.js';

const languages = ['en', 'zh'];
const names = { en: 'English', zh: '中文' };
const key = 'stagedoor.language';

let language = preferred();
let texts = new Map();
const loaded = new Set();

document.documentElement.lang = tag();

function preferred() {
  const kept = keep.get(key);
  if (languages.includes(kept)) return kept;
  for (const tag of navigator.languages ?? []) {
    const base = tag.toLowerCase().split('-')[0];
    if (languages.includes(base)) return base;
  }
  return 'en';
}

// current is 'en' or 'zh'.
export const current = () => language;

// others are the languages to switch to, as [code, name in itself].
export const others = () => languages.filter((l) => l !== language).map((l) => [l, names[l]]);

// loadTexts brings the texts of a page.
export async function loadTexts(name) {
  if (loaded.has(name)) return;
  const { default: found } = await import(`./i18n/${language}/${name}.js`);
  for (const [k, v] of Object.entries(found)) texts.set(k, v);
  loaded.add(name);
}

// choose switches the language; what is on the screen must be drawn anew.
export async function choose(next) {
  language = next;
  keep.set(key, next);
  texts = new Map();
  const again = [...loaded];
  loaded.clear();
  await Promise.all(again.map(loadTexts));
  document.documentElement.lang = tag();
}

// tag is the language for Intl and for the document.
export function tag() {
  return language === 'zh' ? 'zh-CN' : 'en';
}

// has says whether there is a text, for keys that are made of what a server said.
export const has = (k) => texts.has(k);

export function t(k, values = {}) {
  const text = texts.get(k);
  if (text === undefined) return k;
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) => {
    const value = values[name];
    if (one === undefined) return value ?? '';
    return (value === 1 ? one : many).replace('#', formatted(value));
  });
}

const formatted = (value) => (typeof value === 'number' ? new Intl.NumberFormat(tag()).format(value) : value);
