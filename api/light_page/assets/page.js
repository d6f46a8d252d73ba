// The light page: a coin with its next hour, and the table of all coins, kept current by the stream of events.

import { Refused, follow, getJson } from "./api_client.js";
import { draw as drawChart, loadPlotly } from "./chart.js";
import { now } from "./clock.js";
import { isSilent, outlook, trust, whyWithdrawn } from "./coin_words.js";
import { draw as drawTable } from "./market.js";
import { COLUMNS, hourOf, joined, matching, sorted, tableRows } from "./market_rows.js";
import { askToken, notices, showContact, showSuite } from "./notices.js";
import { WINDOWS, priceChart } from "./price_chart.js";
import { ago, clock, language, percent, price, say, section, span } from "./words.js";

const ROWS = 50;
const FIRST_WINDOW = "6h";
const NARROW = matchMedia("(max-width: 600px)");
const DARK = matchMedia("(prefers-color-scheme: dark)");
const FIELDS = "id,horario,preco_atual,intervalos,movimento_esperado_percentual,regime,regime_percentil,valido_ate";
const RETRY_MS = 5_000;
const LEGEND_PX = 24;
const SPREAD_MS = 1_500; // readers do not all ask at once after a publication
const QUOTES_EVERY_MS = 60_000; // for the change of 24 h; prices come with each forecast
const byId = (id) => document.getElementById(id);

const page = { rows: [], coin: null, window: FIRST_WINDOW, points: [], forecast: null, heardMs: 0, isOpen: false, starred: [], sort: "posicao", descending: false };
let visit = new AbortController(); // of the coin that is shown

/** Reads coin, window and mode from the address. */
function readAddress() {
  const query = new URLSearchParams(location.search);
  const asked = query.get("janela");
  page.window = Object.hasOwn(WINDOWS, asked) ? asked : FIRST_WINDOW;
  notices.window(asked !== page.window && asked, span(FIRST_WINDOW));
  document.body.classList.toggle("bare", query.get("modo") === "tela" || ["1", "true"].includes(query.get("embed")));
  return query.get("moeda") ?? "";
}

/** An address of this page with some parameters changed. */
function addressWith(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) query.set(name, value);
  return `?${query}`;
}

async function start() {
  try {
    await Promise.all([loadMarket(), loadSuite()]);
  } catch (error) {
    return fail(error, start);
  }
  await open(readAddress());
}

/** Asks again later, or for the token. */
function fail(error, again) {
  if (error.name === "AbortError") return;
  if (error instanceof Refused && error.status === 401) return askToken(again);
  if (!(error instanceof Refused || error instanceof TypeError)) throw error;
  notices.waiting(error instanceof Refused ? [say("banner.waiting"), error.message] : [say("banner.unreachable"), ""]);
  setTimeout(again, Math.max(RETRY_MS, 1000 * (error.retryAfterS || 0)));
}

/** Runs a request until it succeeds, or until another coin is shown. */
function keepTrying(load, signal) {
  if (signal.aborted) return;
  load().then(() => notices.waiting(), (error) => fail(error, () => keepTrying(load, signal)));
}

/** Loads what kind of prices these are and what is wrong. */
const loadSuite = async () => showSuite(await getJson(`status?idioma=${language}`));

/** Loads the forecasts of all coins, once a minute their quotes too. */
async function loadMarket() {
  const forecasts = getJson(`prever?campos=${FIELDS}`).catch((error) => {
    if (error.status === 503) return []; // there are prices before the first forecast
    throw error;
  });
  const isDue = !page.quotes || now() - page.quotedMs > QUOTES_EVERY_MS;
  const [found, quotes] = await Promise.all([forecasts, isDue ? getJson("moedas?tempo=unix") : page.quotes]);
  page.heardMs = now();
  if (isDue) Object.assign(page, { quotes, quotedMs: now() });
  page.rows = joined(quotes, found, page.rows);
  showMarket();
}

/** Shows the coin of that name, or says that there is none, with the nearest ones. */
async function open(name) {
  visit.abort();
  visit = new AbortController();
  const { signal } = visit;
  Object.assign(page, { coin: null, points: [], forecast: null });
  notices.unknown();
  try {
    const id = name ? await idOf(name) : page.rows[0]?.quote.id;
    if (signal.aborted) return;
    page.coin = id ?? null;
    if (id) await Promise.all([loadHistory(signal), loadForecast(signal)]);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status !== 404) return fail(error, () => signal.aborted || open(name));
    page.coin = null;
    notices.unknown(name, error.problem.sugestoes.map((coin) => [coin, addressWith({ moeda: coin })]));
  }
  notices.waiting();
  document.querySelector("main").hidden = false;
  byId("coin").hidden = !page.coin;
  showCoin();
  showMarket();
  listen(signal).catch((error) => fail(error, () => signal.aborted || open(name)));
}

/** The id of a coin given by id or symbol; the API refuses what is none. */
async function idOf(name) {
  const wanted = name.toLowerCase();
  const row = page.rows.find(({ quote }) => quote.id === wanted) ?? page.rows.find(({ quote }) => quote.moeda === wanted);
  return row?.quote.id ?? (await getJson(`historico/${encodeURIComponent(name)}?limite=1`))[0]?.id;
}

async function loadHistory(signal) {
  const { spanMs, step, stepMs } = WINDOWS[page.window];
  const query = `intervalo=${step}&limite=${Math.ceil(spanMs / stepMs) + 1}&tempo=unix&campos=fim,fechamento,fechado`;
  const candles = await getJson(`historico/${page.coin}?${query}`, signal);
  const last = rowOf(page.coin)?.quote;
  const closed = candles.filter(({ fechado }) => fechado).map(({ fim, fechamento }) => [fim, fechamento]).reverse();
  page.points = last?.preco_atual ? [...closed.filter(([ms]) => ms < last.atualizado_em), [last.atualizado_em, last.preco_atual]] : closed;
}

/** Loads the forecast where there is one, so that the first drawing is whole and nothing moves when the stream opens. */
async function loadForecast(signal) {
  if (rowOf(page.coin)?.hour) page.forecast = await getJson(`prever/${page.coin}`, signal);
}

const rowOf = (id) => page.rows.find(({ quote }) => quote.id === id);

async function listen(signal) {
  const coin = page.coin ?? page.rows[0]?.quote.id;
  const address = `eventos?tipos=preco,previsao,status${coin ? `&moedas=${coin}` : ""}`;
  await follow(address, signal, (kind, body) => HEARD[kind]?.(body, signal), (isOpen) => {
    if (isOpen) page.heardMs = now();
    page.isOpen = isOpen;
    showAges();
  });
}

/** Asks for what the stream would bring, where there is no place for another listener. */
async function askForecast(signal) {
  const forecast = await getJson(`prever/${page.coin ?? page.rows[0].quote.id}`, signal);
  page.heardMs = now();
  HEARD.preco({ id: forecast.id, horario: forecast.horario, preco: forecast.preco_atual });
  HEARD.previsao(forecast, signal);
}

const HEARD = {
  preco: ({ id, horario, preco }) => {
    const ms = Date.parse(horario);
    const row = rowOf(id);
    if (row) row.quote = { ...row.quote, preco_atual: preco, atualizado_em: ms };
    if (id !== page.coin || !(ms > (page.points.at(-1)?.[0] ?? 0))) return;
    page.points = [...page.points.filter(([at]) => at >= ms - WINDOWS[page.window].spanMs), [ms, preco]];
    showCoin();
    showMarket();
  },
  previsao: (forecast, signal) => {
    const row = rowOf(forecast.id);
    if (row) row.hour = hourOf(forecast);
    if (forecast.id === page.coin) page.forecast = forecast;
    showCoin();
    showMarket();
    setTimeout(() => keepTrying(loadMarket, signal), SPREAD_MS * Math.random());
  },
  status: (_, signal) => keepTrying(loadSuite, signal),
  cheio: (_, signal) => keepTrying(() => askForecast(signal), signal),
  lacuna: (_, signal) => keepTrying(() => loadHistory(signal).then(showCoin), signal),
};

function showCoin() {
  const row = rowOf(page.coin);
  if (!row) return;
  const { nome, moeda, moeda_cotacao: currency, variacao_24h: change } = row.quote;
  const name = `${nome} (${moeda.toUpperCase()})`;
  const newest = page.points.at(-1);
  byId("coin").dataset.empty = !newest;
  byId("coin-name").textContent = name;
  showOutlook(name, currency);
  document.title = newest ? `${price(newest[1], currency)} ${moeda.toUpperCase()}` : name;
  if (!newest) return;
  const [ms, value] = newest;
  byId("price").textContent = price(value, currency);
  byId("change").textContent = change === null ? "" : `${percent(change, 2, true)} ${say("coin.in_24h")}`;
  byId("change").dataset.sign = Math.sign(change ?? 0);
  byId("price-clock").textContent = clock(ms);
  document.querySelector("#age [data-since]").dataset.since = ms;
  drawChart(byId("chart"), priceChart({
    name, id: page.coin, currency, window: page.window, points: page.points, forecast: page.forecast, isNarrow: NARROW.matches,
    source: row.quote.fonte, watermark: WATERMARKS[row.quote.fonte] && say(WATERMARKS[row.quote.fonte]), height: chartHeight(),
  }));
  showAges();
}

const WATERMARKS = { demo: "banner.simulated", replay: "banner.replayed" };

/** On a page that holds nothing else, the chart takes the rest of the window. */
const chartHeight = () => (document.body.classList.contains("bare") ? Math.max(220, innerHeight - byId("chart").offsetTop - LEGEND_PX - 16) : undefined);

function showOutlook(name, currency) {
  const why = whyWithdrawn(page.forecast, page.heardMs, now());
  byId("coin").dataset.withdrawn = why !== null;
  byId("outlook").textContent = why ?? outlook(name, currency, page.forecast);
  byId("trust").textContent = page.forecast ? trust(page.forecast.confianca) : "";
}

function showMarket() {
  const found = matching(page.rows, byId("search").value);
  const seen = sorted(found, page.sort, page.descending, page.starred).slice(0, page.isWhole ? undefined : ROWS);
  page.holding = holding();
  byId("more").hidden = found.length <= seen.length;
  byId("more").textContent = say("market.more", { count: found.length });
  byId("attribution").textContent = page.rows[0] ? `${say(`attribution.${page.rows[0].quote.fonte}`)} ·` : "";
  drawTable({ parentElement: byId("table"), setTriggerValue: (_, asked) => answer(asked), data: {
    rows: tableRows(seen, { starred: page.starred, shown: page.coin, holds: stillHolds }), columns: COLUMNS, link: addressWith({ moeda: "" }),
    sort: page.sort, descending: page.descending, starred: page.starred, listed: false, caption: say("market.caption"), texts: section("market"),
  } });
}

const holding = () => page.rows.filter(({ hour }) => hour && stillHolds(hour)).length;

const stillHolds = (hour) => now() < hour.validMs && !isSilent(page.heardMs, now());

/** Does what the reader asked for in the table. */
function answer(asked) {
  if (asked.open) return go({ moeda: asked.open });
  if (asked.list) page.starred = asked.list;
  if (asked.star) page.starred = page.starred.includes(asked.star) ? page.starred.filter((id) => id !== asked.star) : [...page.starred, asked.star];
  if (asked.sort) Object.assign(page, asked);
  queueMicrotask(showMarket);
}

/** Goes to another coin or window; the address says which. */
function go(changes) {
  history.pushState(null, "", addressWith(changes));
  arrive();
  scrollTo({ top: 0 });
}

function arrive() {
  const name = readAddress();
  showControls();
  open(name || page.rows[0]?.quote.id);
}

function windowButton(name) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: span(name) });
  button.dataset.window = name;
  button.onclick = () => go({ janela: name });
  return button;
}

function showControls() {
  for (const button of byId("windows").children) button.setAttribute("aria-pressed", button.dataset.window === page.window);
  for (const link of document.querySelectorAll("[data-language]")) {
    link.href = addressWith({ idioma: link.dataset.language });
    if (link.dataset.language === language) link.setAttribute("aria-current", "true");
  }
  document.querySelector("[data-keeps-language]").href = `./?idioma=${language}`;
}

function showAges() {
  showContact(page.heardMs, page.isOpen, now());
  for (const node of document.querySelectorAll("time[data-since]")) {
    const text = node.dataset.since && ago(Number(node.dataset.since), now());
    if (node.textContent !== text) node.textContent = text;
  }
}

/** Once a second: ages grow, and what no longer holds is withdrawn. */
function tick() {
  if (!page.rows.length) return;
  showAges();
  if (holding() !== page.holding) showMarket();
  const row = rowOf(page.coin);
  if (row) showOutlook(`${row.quote.nome} (${row.quote.moeda.toUpperCase()})`, row.quote.moeda_cotacao);
}

loadPlotly();
readAddress();
byId("windows").append(...Object.keys(WINDOWS).map(windowButton));
showControls();
byId("search").oninput = showMarket;
byId("more").onclick = () => {
  page.isWhole = true;
  showMarket();
};
addEventListener("popstate", arrive);
for (const media of [NARROW, DARK]) media.addEventListener("change", showCoin);
addEventListener("resize", () => chartHeight() && showCoin());
setInterval(tick, 1000);
start();
