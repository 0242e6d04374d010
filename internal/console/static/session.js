// Who is logged in.
//
// POST /api/v1/login gives an access token for two hours and a refresh token
// that buys the next pair, once. Both are kept in sessionStorage: it belongs to
// one tab, outlives a reload, and ends with the tab, unlike localStorage; and a
// cookie would be sent by pages of others too. Whoever could read it could as
// well ask the server from within this page, which the content policy is
// against: only our own files run. The access token lies there too, though it
// could stay in memory, because a reload would otherwise exchange the refresh
// token, and an exchange whose answer is lost ends the login.
//
// A refresh token that is used twice ends its login, so only the tab that
// logged in exchanges it. Other tabs of the same origin borrow the access token
// over a BroadcastChannel, and ask again when it expires; so does a duplicated
// tab, whose sessionStorage is a copy.

import { keep, tab } from './keep.js';

const key = 'stagedoor.session';
const channel = new BroadcastChannel('stagedoor.session');
const patience = 1500; // ms that another tab has to answer

// The tab that logged in says so where all tabs see it, so that one without a
// login waits for an answer only where there may be one.
const owner = 'stagedoor.owner';
const self = String(Math.random());

// pair is { access, refresh }, without refresh in a tab that borrows.
let pair = null;
let ended = () => {};
let begun = () => {};

// onEnd sets what happens when the login is over. It is told why: 'expired',
// or 'left' when somebody logged out.
export function onEnd(f) {
  ended = f;
}

// onBegin sets what happens when another tab answers after all, when this one has
// begun to ask for a password: a machine that is busy may be slow.
export function onBegin(f) {
  begun = f;
}

export const loggedIn = () => pair !== null;
export const token = () => pair?.access;

// restore takes up the login of this tab, or of another one.
export async function restore() {
  const kept = JSON.parse(tab.get(key) ?? 'null');
  const borrowed = await ask(null);
  if (borrowed) take({ access: borrowed });
  else if (kept) take(kept);
  return loggedIn();
}

function take(next) {
  pair = next;
  tab.set(key, next?.refresh ? JSON.stringify(next) : null);
  own(Boolean(next?.refresh));
}

function own(is) {
  if (is) keep.set(owner, self);
  else if (keep.get(owner) === self) keep.set(owner, null);
}

addEventListener('pagehide', () => own(false));
addEventListener('pageshow', () => own(Boolean(pair?.refresh)));

// logIn returns the answer of the server where it refuses.
export async function logIn(username, password) {
  const answer = await fetch('/api/v1/login', {
    method: 'POST', credentials: 'omit', cache: 'no-store',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  if (!answer.ok) return answer;
  take(paired(await answer.json()));
  return null;
}

const paired = (body) => ({ access: body.access_token, refresh: body.refresh_token });

// logOut ends the login on the server and in every tab.
export async function logOut() {
  const access = token();
  answered = null;
  end('left');
  channel.postMessage({ ended: 'left' });
  await fetch('/api/v1/logout', { method: 'POST', credentials: 'omit', keepalive: true, headers: { Authorization: `Bearer ${access}` } }).catch(() => {});
}

function end(why) {
  if (!pair) return;
  take(null);
  ended(why);
}

let renewing = null;

// renew gets another access token in the place of one that was refused, and
// says whether there is one. Requests that are refused together share it.
export function renew(refused) {
  if (pair && pair.access !== refused) return Promise.resolve(true);
  renewing ??= exchange(refused).finally(() => { renewing = null; });
  return renewing;
}

async function exchange(refused) {
  if (!pair) return false;
  if (!pair.refresh) {
    const borrowed = await ask(refused);
    if (borrowed) take({ access: borrowed });
    else end('expired');
    return loggedIn();
  }
  const answer = await fetch('/api/v1/refreshtoken', { credentials: 'omit', cache: 'no-store', headers: { Authorization: `Bearer ${pair.refresh}`, Accept: 'application/json' } });
  if (answer.ok) take(paired(await answer.json()));
  else if (answer.status === 401) {
    end('expired');
    channel.postMessage({ ended: 'expired' });
  }
  return answer.ok;
}

// ask returns the access token of another tab, one that was not refused.
function ask(refused) {
  if (keep.get(owner) === null) return Promise.resolve(null);
  return new Promise((resolve) => {
    let late = false;
    answered = (access) => {
      if (access === refused) return;
      answered = null;
      if (!late) resolve(access);
      else if (!pair) {
        take({ access });
        begun();
      }
    };
    channel.postMessage({ ask: true, refused });
    setTimeout(() => {
      late = true;
      resolve(null);
    }, patience);
  });
}

let answered = null; // hears what this tab has asked for

channel.addEventListener('message', async ({ data }) => {
  if (data.ended) {
    answered = null;
    end(data.ended);
  }
  if (data.access) answered?.(data.access);
  if (!data.ask || !pair?.refresh) return;
  if (data.refused === pair.access) await renew(data.refused).catch(() => {});
  if (pair) channel.postMessage({ access: pair.access });
});
