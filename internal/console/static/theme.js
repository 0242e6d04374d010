// Light, dark, or as the system has it. boot.js has set what was chosen before.

import { keep } from './keep.js';

const key = 'stagedoor.theme';
const order = ['system', 'light', 'dark'];

export const theme = () => document.documentElement.dataset.theme ?? 'system';

// nextTheme is what a click on the switch brings.
export const nextTheme = () => order[(order.indexOf(theme()) + 1) % order.length];

export function setTheme(next) {
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  keep.set(key, next === 'system' ? null : next);
}
