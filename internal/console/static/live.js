// News of the server as it happens.
//
//   follow({ types: ['room.*'], signal, onEvent: (event) => …, onGap: reload })
//
// An event is { number, type, subject, sequence, at, data }. After a connection was
// lost, what was missed follows; onGap is called where that cannot be known, and
// then everything is asked for anew. Without this operation pages are as old as
// their last reload, and nothing else is missing.

import { authorized } from './api.js';

const first = 1000; // ms until the first attempt to come back
const longest = 30000;

export async function follow({ types, subject, signal, onEvent, onGap, onState }) {
  let last = '';
  let wait = first;
  while (!signal.aborted) {
    try {
      const query = new URLSearchParams(Object.entries({ type: types?.join(','), subject }).filter(([, v]) => v));
      const answer = await authorized((access) => fetch(`/api/v1/events/live?${query}`, {
        signal, credentials: 'omit', cache: 'no-store',
        headers: { Accept: 'text/event-stream', Authorization: `Bearer ${access}`, ...(last && { 'Last-Event-ID': last }) },
      }));
      if (wait > first && !last) onGap?.();
      onState?.(true);
      wait = first;
      for await (const { id, text } of records(answer.body)) {
        last = id || last;
        if (text) onEvent(JSON.parse(text));
      }
    } catch (err) {
      if (signal.aborted || [401, 403, 404].includes(err.status)) return;
    }
    onState?.(false);
    await pause(wait * (0.5 + Math.random() / 2), signal);
    wait = Math.min(longest, wait * 2);
  }
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
  const fields = { id: '', text: '' };
  for (const line of part.split(/\r?\n/)) {
    const [, name, value] = line.match(/^(\w+):? ?(.*)$/) ?? [];
    if (name === 'id') fields.id = value;
    if (name === 'data') fields.text += (fields.text && '\n') + value;
  }
  return fields;
}

const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});
