// The table of all coins. Rows keep their nodes while prices change, so that focus and pointer stay where they are.

import { age as duration, now } from "./clock.js";
import { storage } from "./storage.js";

const LIST = "crypto-favoritas";
const COLUMNS = ["posicao", "moeda", "preco", "1h", "24h", "dia", "faixa", "movimento", "regime", "idade"];
const LINK = "?pagina=moeda&moeda=";
const kept = storage("localStorage");
const states = new WeakMap();

/** Draw the table, or bring it up to date; gives the function that ends it.
 *
 * `data.columns` and `data.link`, the address of a coin without its id, may be left out. */
export function draw({ parentElement, data, setTriggerValue }) {
  const state = states.get(parentElement) ?? begin(parentElement, data.columns ?? COLUMNS);
  state.data = data;
  state.ask = (what) => setTriggerValue("asked", what);
  remember(state);
  drawHead(state);
  drawBody(state);
  return () => setTimeout(() => state.box.isConnected || end(state, parentElement));
}

/** Streamlit asks for the end of an outdated run too, so a table that is still on the page goes on. */
function end(state, parent) {
  clearInterval(state.timer);
  states.delete(parent);
}

/** The style sheet of the table, once for the page; drawing before it has come would show bare rows. */
await new Promise((resolve) => {
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("market.css", import.meta.url) });
  sheet.onload = sheet.onerror = resolve;
  document.head.append(sheet);
});

function begin(parent, columns) {
  const box = element("div", "market-box");
  const table = box.appendChild(element("table", "market"));
  const state = { box, table, columns, head: table.createTHead(), body: table.createTBody(), rows: new Map(), restored: false };
  parent.append(box);
  state.timer = setInterval(() => state.rows.forEach((row) => age(row, state.data.texts)), 1000);
  states.set(parent, state);
  return state;
}

/** Keep the list in this browser; where the address has none, ask for the one kept here. */
function remember(state) {
  const { starred, listed } = state.data;
  if (!listed && !state.restored) {
    state.restored = true;
    const list = JSON.parse(kept.getItem(LIST) ?? "[]");
    if (list.length) state.ask({ list });
    return;
  }
  state.restored = true;
  kept.setItem(LIST, JSON.stringify(starred));
}

function drawHead(state) {
  const { texts, sort, descending, caption } = state.data;
  state.table.setAttribute("aria-label", caption);
  if (state.language !== texts.moeda) {
    state.language = texts.moeda;
    const row = element("tr");
    row.append(...state.columns.map((name) => heading(name, state)));
    state.head.replaceChildren(row);
  }
  for (const cell of state.head.rows[0].cells) {
    const sorted = cell.className === sort;
    if (sorted) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
    cell.lastChild.dataset.arrow = sorted ? (descending ? " ↓" : " ↑") : "";
  }
}

function heading(name, state) {
  const { texts } = state.data;
  const cell = Object.assign(element("th", name), { scope: "col", title: texts[`${name}_help`] ?? "" });
  const label = cell.appendChild(element(name === "dia" ? "span" : "button", "", name === "posicao" ? "#" : texts[name]));
  if (name === "dia") return cell;
  label.type = "button";
  label.setAttribute("aria-label", texts[name]);
  label.onclick = () => {
    const { sort, descending } = state.data;
    state.ask({ sort: name, descending: name === sort ? !descending : !["moeda", "posicao"].includes(name) });
  };
  return cell;
}

function drawBody(state) {
  const { rows } = state.data;
  const ids = new Set(rows.map((row) => row.id));
  for (const [id, row] of state.rows) {
    if (!ids.has(id)) {
      row.node.remove();
      state.rows.delete(id);
    }
  }
  rows.forEach((data, place) => {
    const row = state.rows.get(data.id) ?? newRow(data.id, state);
    if (state.body.rows[place] !== row.node) state.body.insertBefore(row.node, state.body.rows[place] ?? null);
    fill(row, data, state.data.texts);
  });
}

function newRow(id, state) {
  const node = element("tr");
  const row = { node, cells: {}, drawn: "" };
  for (const name of state.columns) row.cells[name] = node.appendChild(element("td", name));
  row.star = row.cells.posicao.appendChild(element("button", "star", "★"));
  row.star.type = "button";
  row.star.onclick = (event) => {
    event.stopPropagation();
    state.ask({ star: id });
  };
  row.rank = row.cells.posicao.appendChild(element("span", "rank"));
  row.link = row.cells.moeda.appendChild(element("a"));
  row.link.href = `${state.data.link ?? LINK}${encodeURIComponent(id)}`;
  node.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    state.ask({ open: id });
  };
  state.rows.set(id, row);
  return row;
}

function fill(row, data, texts) {
  row.updated_ms = data.updated_ms;
  age(row, texts);
  const drawn = JSON.stringify([data, texts.star]);
  if (row.drawn === drawn) return;
  row.drawn = drawn;
  row.star.setAttribute("aria-pressed", data.star);
  row.star.setAttribute("aria-label", `${texts.star}: ${data.name}`);
  row.rank.textContent = data.rank;
  row.link.replaceChildren(element("b", "", data.symbol), element("span", "name", data.name));
  row.cells.preco.textContent = data.price;
  for (const name of ["1h", "24h"].filter((column) => row.cells[column])) {
    const [sign, text] = data[name];
    row.cells[name].textContent = text;
    row.cells[name].dataset.sign = sign;
  }
  if (row.cells.dia) row.cells.dia.replaceChildren(...(data.line.length ? [sparkline(data.line)] : []));
  row.link.setAttribute("aria-current", Boolean(data.current));
  row.cells.faixa.replaceChildren(...(data.bar ? [bar(data, texts)] : [texts.unknown]));
  row.cells.movimento.textContent = data.move ?? texts.unknown;
  row.cells.regime.replaceChildren(element("span", `regime ${data.regime ?? ""}`, data.regime_text ?? texts.unknown));
}

function bar(data, texts) {
  const [low, high, now] = data.bar;
  const box = element("div", "range");
  const track = element("div", "track");
  const inside = element("div", "inside");
  const mark = element("div", now < low || now > high ? "mark outside" : "mark");
  inside.style.left = `${low}%`;
  inside.style.width = `${Math.max(high - low, 0.5)}%`;
  mark.style.left = `${now}%`;
  track.append(inside, mark);
  track.title = `${texts.faixa}: ${data.range}`;
  box.append(track, element("span", "ends", data.range));
  return box;
}

function sparkline(heights) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const step = 100 / (heights.length - 1);
  line.setAttribute("points", heights.map((height, place) => `${(place * step).toFixed(1)},${100 - height}`).join(" "));
  svg.setAttribute("viewBox", "0 -4 100 108");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  return svg;
}

function age(row, texts) {
  const text = row.updated_ms === null ? texts.unknown : texts.ago.replace("{age}", duration((now() - row.updated_ms) / 1000));
  if (row.cells.idade.textContent !== text) row.cells.idade.textContent = text;
}

function element(tag, className = "", text = null) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== null) node.textContent = text;
  return node;
}
