// The server's clock and ages in words, for chart.js and page.js.

let skewMs = 0;

/** The time of the server: the browser's clock, corrected by what the server last said. */
export const now = () => Date.now() + skewMs;

/** Takes the server's time, in milliseconds, as it says it. */
export function setClock(serverMs) {
  skewMs = serverMs - Date.now();
}

/** `12 s`, `3 min`, `5 h` or `2 d`. */
export function age(seconds) {
  for (const [length, unit] of [[86_400, "d"], [3_600, "h"], [60, "min"]])
    if (seconds >= length) return `${Math.floor(seconds / length)}\u00a0${unit}`;
  return `${Math.max(0, Math.floor(seconds))}\u00a0s`;
}
