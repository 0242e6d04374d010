// What the browser keeps: `keep` for good, choices and never secrets; `tab`
// until the tab is closed. A browser that keeps nothing loses them and nothing
// else.

const store = (area) => ({
  get(key) {
    try {
      return area().getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      if (value === null) area().removeItem(key);
      else area().setItem(key, value);
    } catch {
      // See above.
    }
  },
});

export const keep = store(() => localStorage);
export const tab = store(() => sessionStorage);
