// The switches of language and theme, which every page has.

import { h, put } from './dom.js';
import { choose, others, t } from './i18n.js';
import { nextTheme, setTheme, theme } from './theme.js';
import { icon } from './ui/icons.js';

// languageSwitch calls redraw once the texts are there.
export function languageSwitch(redraw) {
  return others().map(([code, name]) => h('button', {
    type: 'button', class: 'quiet', lang: code === 'zh' ? 'zh-CN' : code, translate: 'no', dataset: { language: code },
    onclick: async () => {
      await choose(code);
      redraw();
    },
  }, icon('language'), name));
}

export function themeSwitch() {
  const button = h('button', { type: 'button', class: 'quiet', dataset: { theme: '' }, onclick: () => { setTheme(nextTheme()); draw(); } });
  const draw = () => {
    button.dataset.theme = theme();
    put(button, icon({ system: 'system', light: 'sun', dark: 'moon' }[theme()]), t(`core.theme.${theme()}`));
    button.setAttribute('aria-label', t('core.theme.label', { theme: t(`core.theme.${theme()}`) }));
  };
  draw();
  return button;
}

