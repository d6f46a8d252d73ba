// What the browser keeps for this page.

/** `localStorage` or `sessionStorage`; where a frame may not use it, one that lasts as long as the page. */
export function storage(kind) {
  try {
    return window[kind];
  } catch {
    return new PageStorage();
  }
}

class PageStorage {
  values = new Map();

  getItem = (name) => this.values.get(name) ?? null;

  setItem = (name, value) => this.values.set(name, value);

  removeItem = (name) => this.values.delete(name);
}
