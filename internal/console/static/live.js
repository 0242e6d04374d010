// News of the server as it happens.
//
//   follow({ types: ['room.*'], signal, onEvent: (event) => …, onGap: reload })
//   followSoon({ types, signal, act: () => list.reload() })    once for many at a time
//
// An event is { number, type, subject, sequence, timestamp, id, data }. After a
// connection was lost, what was missed follows; where that cannot be, onGap is
// called, and then everything is to be asked for anew. So it is when the first
// connection stands: something may have happened since the page asked.
//
// A tab that nobody looks at holds no connection: without TLS a browser has six to
// a server, for all of its tabs. It catches up when it is looked at again.
//
//   repeat(() => list.reload(), signal)    for what no event tells of

import { authorized } from './api.js';

const first = 1000; // ms until the first attempt to come back
const longest = 30000;
const never = 2 ** 31 - 1;

// followSoon acts a moment after something happened: what comes in a rush is
// acted upon once.
export function followSoon({ types, signal, act }) {
  let timer = null;
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = null;
      if (!signal.aborted) act();
    }, 300);
  };
  return follow({ types, signal, onEvent: soon, onGap: soon });
}

export async function follow({ types, subject, signal, onEvent, onGap }) {
  let last = '';
  let wait = first;
  while (!signal.aborted) {
    if (document.hidden) {
      await pause(never, whenever(() => !document.hidden, signal).signal);
      wait = first;
      continue;
    }
    const hidden = whenever(() => document.hidden, signal);
    try {
      const query = new URLSearchParams([...(types ?? []).map((type) => ['type', type]), ...(subject ? [['subject', subject]] : [])]);
      const answer = await authorized((access) => fetch(`/api/v1/events/live?${query}`, {
        signal: hidden.signal, credentials: 'omit', cache: 'no-store',
        headers: { Accept: 'text/event-stream', Authorization: `Bearer ${access}`, ...(last && { 'Last-Event-ID': last }) },
      }));
      wait = first;
      for await (const { id, event, text } of records(answer.body)) {
        if (event === 'ready' && !last) onGap?.();
        last = id || last;
        if (event === 'reload') {
          last = '';
          onGap?.();
        } else if (text && event.includes('.')) onEvent(JSON.parse(text));
      }
    } catch (err) {
      if (signal.aborted || [401, 403, 404].includes(err.status)) return;
    }
    if (hidden.signal.aborted) continue;
    hidden.abort();
    await pause(wait * (0.5 + Math.random() / 2), signal);
    wait = Math.min(longest, wait * 2);
  }
}

// whenever is a controller that aborts as soon as something holds of the sight of
// the tab, or with the given signal.
function whenever(holds, signal) {
  const control = new AbortController();
  const look = () => {
    if (signal.aborted || holds()) control.abort();
  };
  document.addEventListener('visibilitychange', look, { signal: control.signal });
  signal.addEventListener('abort', look, { signal: control.signal });
  look();
  return control;
}

const every = 10000; // ms; as often as what is known of media servers changes

// repeat acts while somebody looks; whoever moves through a table or has a dialog
// open is left alone.
export function repeat(act, signal) {
  const timer = setInterval(() => {
    if (!document.hidden && !document.activeElement?.closest('.table, dialog')) act();
  }, every);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

// records reads server-sent events; comments keep the connection and say nothing.
async function* records(stream) {
  let kept = '';
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    kept += chunk;
    const parts = kept.split(/\r?\n\r?\n/);
    kept = parts.pop();
    for (const part of parts) yield record(part);
  }
}

function record(part) {
  const fields = { id: '', event: '', text: '' };
  for (const line of part.split(/\r?\n/)) {
    const [, name, value] = line.match(/^(\w+):? ?(.*)$/) ?? [];
    if (name === 'id' || name === 'event') fields[name] = value;
    if (name === 'data') fields.text += (fields.text && '\n') + value;
  }
  return fields;
}

const pause = (ms, signal) => new Promise((resolve) => {
  if (signal.aborted) {
    resolve();
    return;
  }
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});
