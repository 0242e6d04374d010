// Short news at the edge of the screen, read out by screen readers without
// taking the focus.
//
//   toast(t('core.copied'))
//   fail(failure)             stays until it is closed

import { h } from '../dom.js';
import { t } from '../i18n.js';
import { icon } from './icons.js';
import { problem } from './problem.js';

const shown = 4000; // ms

// The regions must be there before the news, or it is not read out.
const place = h('div', { class: 'toasts' });
const news = h('div', { role: 'status', 'aria-live': 'polite' });
place.append(news);
place.popover = 'manual';
document.body.append(place);

function show(content, stays) {
  const close = () => {
    item.remove();
    if (!news.childElementCount) place.hidePopover();
  };
  const item = h('div', { class: stays ? 'toast bad' : 'toast' }, content,
    stays && h('button', { type: 'button', class: 'quiet', onclick: close }, icon('close'), h('span', { class: 'hidden' }, t('core.close'))));
  // Shown again it comes to lie above a dialog that was opened since.
  if (place.matches(':popover-open')) place.hidePopover();
  place.showPopover();
  news.append(item);
  if (!stays) setTimeout(close, shown);
}

export const toast = (text) => show([icon('check'), text], false);
export const fail = (failure) => show(problem(failure), true);
