// Every request goes through here: the token, a session that expired, refusals
// in the envelopes of all dialects, and servers that do not answer.
//
//   const page = await get('/api/v1/nodes', { limit: 20, cursor }, signal);
//   await send('PATCH', `/api/v1/nodes/${seg(name)}`, { kind: 'srs' });
//
// What goes wrong is thrown as a Failure; tables, forms and confirmations show
// it, so a page seldom catches one. An aborted request throws AbortError.

import { has, t } from './i18n.js';
import { renew, token } from './session.js';

export class Failure extends Error {
  // reason is the stable code of the server, or 'unreachable'.
  constructor(status, reason, message, requestId, retryAfter) {
    super(message);
    Object.assign(this, { status, reason, requestId, retryAfter });
  }

  // text says it in the language of the page; message is what the server said.
  get text() {
    for (const k of [`core.reason.${this.reason}`, `core.status.${this.status}`]) {
      if (has(k)) return t(k, { seconds: this.retryAfter });
    }
    return t('core.status.other', { status: this.status });
  }
}

// seg makes one segment of a path out of a text.
export const seg = encodeURIComponent;

export const get = (path, query, signal) => request('GET', path + search(query), undefined, signal);
export const send = (method, path, body, signal) => request(method, path, body, signal);

function search(query) {
  const given = Object.entries(query ?? {}).filter(([, v]) => v !== undefined && v !== null && v !== '');
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

async function request(method, path, body, signal) {
  const answer = await authorized((access) => fetch(path, {
    method, signal, credentials: 'omit', cache: 'no-store',
    headers: { Accept: 'application/json', Authorization: `Bearer ${access}`, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  }));
  if (answer.status === 204) return undefined;
  const text = await answer.text();
  return answer.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : text;
}

// authorized sends what make makes, and once more when the token was refused
// and there is another. It returns an answer of success and throws a Failure for
// every other one.
export async function authorized(make) {
  const access = token();
  let answer = await reach(() => make(access));
  if (answer.status === 401 && await reach(() => renew(access))) answer = await reach(() => make(token()));
  if (answer.ok) return answer;
  throw await failureOf(answer);
}

async function reach(ask) {
  try {
    return await ask();
  } catch (err) {
    if (err.name === 'AbortError') throw err;
    throw new Failure(0, 'unreachable', err.message);
  }
}

// failureOf reads a refusal in whichever envelope it comes.
export async function failureOf(answer) {
  const text = await answer.text().catch(() => '');
  let body = {};
  try {
    body = JSON.parse(text) ?? {};
  } catch {
    body = { message: text.trim() };
  }
  const detail = typeof body.detail === 'string' ? body.detail : '';
  return new Failure(answer.status, typeof body.code === 'string' ? body.code : '', body.message ?? detail,
    answer.headers.get('X-Request-Id') ?? body.request_id, Number(answer.headers.get('Retry-After')) || undefined);
}
