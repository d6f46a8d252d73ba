// Asks the API: with the token, in the page's language, and without end for events.

import { setClock } from "./clock.js";
import { storage } from "./storage.js";
import { locale } from "./words.js";

const TOKEN = "crypto-token";
const kept = storage("sessionStorage");
const SILENT_MS = 40_000; // the API says something at least every 15 s
const RETRY_MS = 2_000;

/** What the API says when it does not answer a request. */
export class Refused extends Error {
  constructor(status, problem, retryAfterS) {
    super(problem.detail);
    Object.assign(this, { status, problem, retryAfterS });
  }
}

/** Keeps the token in this tab until it is closed. */
export const keepToken = (token) => kept.setItem(TOKEN, token);
export const forgetToken = () => kept.removeItem(TOKEN);
export const hasToken = () => kept.getItem(TOKEN) !== null;

/** The JSON of an address; throws `Refused`, or TypeError where the API cannot be reached. */
export const getJson = async (address, signal) => (await get(address, {}, signal)).json();

async function get(address, extra, signal) {
  const token = kept.getItem(TOKEN);
  const headers = { "Accept-Language": locale, ...extra, ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(new URL(address, document.baseURI), { headers, signal, cache: "no-cache" });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({ detail: answer.statusText, sugestoes: [] }));
  throw new Refused(answer.status, problem, Number(answer.headers.get("Retry-After")));
}

/** Follows events until `signal` ends it, and after an interruption goes on where it was.
 *
 * `tell(kind, data)` gets each event, and `cheio` where there are too many listeners; `alive(isOpen)` runs with each
 * sign of life, and once when the contact is lost. Throws `Refused` where trying again is of no use.
 */
export async function follow(address, signal, tell, alive) {
  let lastId = "";
  while (!signal.aborted) {
    let waitMs = RETRY_MS;
    const quiet = new AbortController();
    const end = () => quiet.abort();
    signal.addEventListener("abort", end);
    try {
      const answer = await get(address, { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) }, quiet.signal);
      setClock(Date.parse(answer.headers.get("Date")));
      await read(answer.body, quiet, (block) => {
        alive(true);
        lastId = block.id ?? lastId;
        if (block.data) tell(block.event, JSON.parse(block.data));
      });
    } catch (error) {
      if (error instanceof SyntaxError || (error instanceof Refused && error.status < 500 && error.status !== 429)) throw error;
      if (error.problem?.codigo === "too_many_listeners") tell("cheio", {});
      waitMs = Math.max(RETRY_MS, 1000 * (error.retryAfterS || 0));
    } finally {
      signal.removeEventListener("abort", end);
    }
    if (signal.aborted) return;
    alive(false);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Reads blocks of a stream of events; ends it through `quiet` after a silence. */
async function read(body, quiet, take) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const silence = setTimeout(() => quiet.abort(), SILENT_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    blocks.forEach((block) => take(fields(block)));
  }
}

function fields(block) {
  const found = {};
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name) found[name] = name === "data" && found.data ? `${found.data}\n${value}` : value;
  }
  return found;
}
