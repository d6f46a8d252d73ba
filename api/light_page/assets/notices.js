// What stands above the page: contact with the API, the source of the prices, problems, and the question for the token.

import { forgetToken, hasToken, keepToken } from "./api_client.js";
import { age } from "./clock.js";
import { dateTime, say } from "./words.js";

const SOURCES = { demo: "simulated", replay: "replayed" };
const byId = (id) => document.getElementById(id);

/** Says whether the stream is open, and otherwise for how long nothing was heard. */
export function showContact(heardMs, isOpen, nowMs) {
  const node = byId("contact");
  const state = isOpen ? "open" : heardMs ? "silent" : "first";
  const text = say(`contact.${state}`, { age: age((nowMs - heardMs) / 1000) });
  node.dataset.state = state;
  if (node.textContent !== text) node.textContent = text;
}

/** Shows, changes or removes the notice of a kind. */
function showNotice(kind, title, text = "", links = []) {
  const found = document.querySelector(`#notices [data-notice="${kind}"]`);
  if (!title) return found?.remove();
  const node = found ?? document.createElement("p");
  node.className = "notice";
  node.dataset.notice = kind;
  node.setAttribute("role", kind === "problem" ? "alert" : "status");
  const strong = Object.assign(document.createElement("strong"), { textContent: title });
  const shown = links.map(([name, href]) => Object.assign(document.createElement("a"), { textContent: name, href }));
  const parts = [strong, text, ...shown].filter(Boolean).flatMap((part) => [part, " "]);
  if (node.textContent !== parts.map((part) => part.textContent ?? part).join("")) node.replaceChildren(...parts);
  if (!found) byId("notices").append(node);
}

export const notices = {
  /** Says that there is no such window, and which one is shown instead. */
  window: (given, shown) => showNotice("window", given && say("banner.window", { given, shown })),
  /** Says that data are awaited; without words it is over. */
  waiting: (words) => showNotice("news", ...(words ?? [])),
  /** Says that there is no such coin, and which ones are nearest. */
  unknown: (given, nearest = []) => showNotice("unknown", given && say("banner.unknown", { given }), nearest.length ? say("banner.nearest") : "", nearest),
};

/** Says of what kind the prices are, and what is wrong, from a body of /status in the page's language. */
export function showSuite({ fonte, aviso, termina_em: ends, problemas: problems }) {
  const kind = SOURCES[fonte];
  for (const other of Object.values(SOURCES)) if (other !== kind) showNotice(other);
  const until = ends ? say("banner.replay_ends", { moment: dateTime(Date.parse(ends)) }) : "";
  if (kind) showNotice(kind, say(`banner.${kind}`), [sentence(aviso), until].filter(Boolean).join(" "));
  showNotice("announcement", !kind && aviso);
  showNotice("problem", problems.length && say("banner.problems"), problems.map(sentence).join(" "));
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

/** Asks for the token, then goes on with `then`. */
export function askToken(then) {
  const form = byId("token");
  form.hidden = false;
  byId("token-wrong").textContent = hasToken() ? say("token.wrong") : "";
  forgetToken();
  byId("secret").focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    keepToken(byId("secret").value.trim());
    byId("secret").value = "";
    form.hidden = true;
    then();
  };
}
