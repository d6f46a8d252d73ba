// What belongs to the whole page: its language, ages that grow, and news of changed data.

import { loadPlotly } from "./chart.js";
import { age, now, setClock } from "./clock.js";

const TICK_MS = 1_000;
const IDLE_MS = 3_000;
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [1_000, 15_000];

let seen;
let shownPlace;
let server;
let tell;
let started = false;
let words = [];

/** Runs with each run of the page: `stamp` names the state of the data that it shows, `changed` asks for a newer one. */
export function keepCurrent({ language, stamp, labels }, changed) {
  document.documentElement.lang = language;
  words = Object.entries(labels);
  seen = stamp;
  tell = changed;
  translateLabels();
  if (started) return;
  started = true;
  setInterval(showAges, TICK_MS);
  setInterval(showTab, TICK_MS);
  new MutationObserver(complete).observe(document.body, { childList: true, subtree: true });
  listen(FIRST_RETRY_MS);
  (window.requestIdleCallback ?? setTimeout)(loadPlotly, { timeout: IDLE_MS });
}

function complete() {
  showAges();
  showTab();
  translateLabels();
  // a card's little line repeats its number, and Streamlit names it for nobody
  for (const drawing of document.querySelectorAll('[data-testid="stMetric"] svg:not([aria-hidden])')) drawing.setAttribute("aria-hidden", "true");
}

/** Puts the names that Streamlit gives its own buttons, always in English, into the page's language. */
function translateLabels() {
  for (const node of document.querySelectorAll("[aria-label]")) {
    const label = node.getAttribute("aria-label");
    for (const [english, own] of words)
      if (english !== own && label.startsWith(english)) node.setAttribute("aria-label", own + label.slice(english.length));
  }
}

/** Scrolls the row of tabs to the chosen one, when another is chosen or styles and fonts have moved it in the row. */
function showTab() {
  const tab = document.querySelector('.st-key-pagina [aria-checked="true"]');
  if (!tab) return;
  const row = tab.closest('[role="radiogroup"]');
  const [inner, outer] = [tab, row].map((node) => node.getBoundingClientRect());
  const place = Math.round(inner.left - outer.left + row.scrollLeft + (inner.width - outer.width) / 2);
  if (place === shownPlace) return;
  shownPlace = place;
  row.scrollLeft = place;
}

function showAges() {
  for (const node of document.querySelectorAll("time[data-since]")) {
    const text = age((now() - Number(node.dataset.since)) / 1000);
    if (node.textContent !== text) node.textContent = text;
  }
}

function listen(retryMs) {
  const address = new URL("changes", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  socket.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    retryMs = FIRST_RETRY_MS;
    setClock(news.now);
    server ??= news.server;
    if (news.server !== server) return location.reload(); // it was restarted and knows nothing of this page
    if (news.stamp === seen) return;
    seen = news.stamp;
    tell(seen);
  };
  socket.onclose = () => setTimeout(() => listen(Math.min(2 * retryMs, LAST_RETRY_MS)), retryMs);
}
