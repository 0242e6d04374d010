// Numbers for people, in the language of the page.

import { tag } from './i18n.js';

const formats = new Map();

function number(options) {
  const k = tag() + JSON.stringify(options);
  if (!formats.has(k)) formats.set(k, new Intl.NumberFormat(tag(), options));
  return formats.get(k);
}

export const count = (n) => number({}).format(n);

// bytes, in powers of ten as disks and networks count.
export function bytes(n) {
  return scaled(n, ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']);
}

function scaled(n, units) {
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return number({ style: 'unit', unit: units[i], unitDisplay: units[i] === 'byte' ? 'narrow' : 'short', maximumFractionDigits: n < 10 && i > 0 ? 1 : 0 }).format(n);
}

// bitrate takes kilobits per second.
export function bitrate(kbps) {
  return kbps >= 1000 ? `${number({ minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(kbps / 1000)} Mbit/s` : `${count(Math.round(kbps))} kbit/s`;
}

// duration takes seconds and tells the two largest parts: "2 h 5 min".
export function duration(seconds) {
  const parts = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
  let rest = Math.max(0, Math.round(seconds));
  const first = parts.findIndex(([, size]) => rest >= size);
  if (first < 0) return unit(0, 'second');
  return parts.slice(first, first + 2).map(([name, size]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n > 0 ? unit(n, name) : '';
  }).filter(Boolean).join(' ');
}

const unit = (n, name) => number({ style: 'unit', unit: name, unitDisplay: 'short' }).format(n);
