// hands is what a test does to a page as a person would. Each deed waits until it
// can be done, and does it at that moment: a list may be drawn anew between two
// looks at it, and what is found by one order is gone with the next. Each answers
// '' when it is done, and what is in the way when patience (ms) is over.
globalThis.hands = (() => {
  // Looking takes processors from what is waited for, so it becomes rarer.
  const moment = (tries) => new Promise((resolve) => { setTimeout(resolve, Math.min(20 + 10 * tries, 150)); });
  const words = (e) => e.textContent.replace(/\s+/g, ' ').trim();
  const scope = () => [...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body;
  const find = (what, fits) => [...scope().querySelectorAll(what)].find((e) => e.checkVisibility({ visibilityProperty: true }) && fits(e));

  async function patiently(patience, attempt) {
    const end = performance.now() + patience;
    for (let tries = 0; ;) {
      let obstacle;
      try {
        obstacle = await attempt();
      } catch (err) {
        obstacle = String(err);
      }
      if (!obstacle || performance.now() > end) return obstacle;
      await moment(tries++);
    }
  }

  // covered says what lies above the middle of an element.
  function covered(e) {
    e.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const box = e.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return e.contains(top) ? '' : `it is covered by ${top?.outerHTML.slice(0, 200)}`;
  }

  // A name may be the text of a button or link, its label, its title, or how its
  // title begins ("Revoke the key …").
  const named = (name) => (e) => {
    const title = e.getAttribute('title') ?? '';
    return [words(e), e.getAttribute('aria-label'), title].includes(name) || (name.endsWith('…') && title.startsWith(name.slice(0, -1)));
  };

  const click = (name, patience) => patiently(patience, () => {
    const e = find('button, a', named(name));
    if (!e) return `nothing is called ${name}`;
    if (e.disabled || e.getAttribute('aria-busy')) return `${name} cannot be pressed`;
    const obstacle = covered(e);
    if (obstacle) return obstacle;
    e.focus({ preventScroll: true });
    e.click();
    return '';
  });

  const field = (label) => {
    const of = find('label', (e) => e.htmlFor && words(e) === label);
    return of && document.getElementById(of.htmlFor);
  };

  function enter(control, value) {
    control.focus({ preventScroll: true });
    control.value = value;
    for (const type of ['input', 'change']) control.dispatchEvent(new Event(type, { bubbles: true }));
  }

  const fill = (label, text, patience) => patiently(patience, () => {
    const control = field(label);
    if (!control || control.disabled) return `there is no field ${label}`;
    enter(control, text);
    return '';
  });

  const choose = (label, text, patience) => patiently(patience, () => {
    const control = field(label);
    const option = [...control?.options ?? []].find((o) => words(o) === text);
    if (!option) return `${label} has no ${text}`;
    enter(control, option.value);
    return '';
  });

  // tick is for boxes, which have no name of their own but a value.
  const tick = (selector, patience) => patiently(patience, () => {
    const box = scope().querySelector(selector);
    box?.click();
    return box ? '' : `there is no ${selector}`;
  });

  const until = (holds, patience) => patiently(patience, async () => (await holds() ? '' : 'not yet'));

  // here is whether the page that the address names has begun to be drawn: this
  // listener is the first, and those of the page follow at once.
  const path = () => location.hash.split('?')[0];
  let drawn = path();
  addEventListener('hashchange', () => { drawn = path(); });
  const here = () => drawn === path();

  // What was announced stays here, though it soon goes from the page; each is
  // heard once.
  const news = [];
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      if (target.parentElement?.className === 'toasts') news.push(...[...addedNodes].map(words));
    }
  }).observe(document, { childList: true, subtree: true });
  const hears = (text, patience) => patiently(patience, () => {
    const at = news.findIndex((each) => each.includes(text));
    news.splice(0, at + 1);
    return at < 0 ? `nobody says ${text}` : '';
  });

  // move goes to another page and is done when that begins to be drawn.
  const move = (address) => new Promise((resolve) => {
    if (location.hash === `#${address}`) return resolve('');
    addEventListener('hashchange', () => resolve(''), { once: true });
    location.hash = address;
  });

  return { click, fill, choose, tick, until, move, hears, here };
})();
