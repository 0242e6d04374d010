// Which page is asked for: what stands behind the # of the address. The server
// has only one document, so addresses of pages never reach it.

import { pages } from './pages.js';

// route returns { page, params, query }, without page for an unknown address.
export function route() {
  const [path, search] = (location.hash.slice(1) || pages[0].path).split('?');
  const query = new URLSearchParams(search);
  const segments = path.split('/');
  for (const page of pages) {
    const params = match(page.path.split('/'), segments);
    if (params) return { page, params, query };
  }
  return { params: {}, query };
}

function match(pattern, segments) {
  if (pattern.length !== segments.length) return null;
  const params = {};
  for (const [i, part] of pattern.entries()) {
    if (part.startsWith(':')) {
      try {
        params[part.slice(1)] = decodeURIComponent(segments[i]);
      } catch {
        return null;
      }
    } else if (part !== segments[i]) return null;
  }
  return params;
}

// link is the address of a page: link('/rooms/:id', { id }, { tab: 'members' }).
// Parameters that are undefined or empty are left out of the query.
export function link(path, params = {}, query = {}) {
  const filled = path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name]));
  const given = Object.entries(query).filter(([, v]) => v !== undefined && v !== null && v !== '');
  return `#${filled}${given.length ? `?${new URLSearchParams(given)}` : ''}`;
}

// go leads to an address made by link.
export function go(address) {
  location.hash = address;
}

// path is the address without its query.
export const path = () => (location.hash.slice(1) || pages[0].path).split('?')[0];

// setQuery changes the query of the page at a path without drawing it anew. A
// page that has been left, though its successor may not be drawn yet, changes
// nothing any more.
export function setQuery(at, query) {
  if (at === path()) history.replaceState(null, '', link(at, {}, query));
}
