// The rows of the table of all coins as market.js takes them. Pure.

import { number, percent, price, rangeDecimals, say } from "./words.js";

const REACH = 0.9; // share of half the bar that the widest interval of the table takes
const REGIMES = { calmo: "calm", normal: "normal", agitado: "agitated" };
const VALUES = {
  posicao: (row) => row.rank,
  moeda: (row) => row.quote.nome.toLowerCase(),
  preco: (row) => row.quote.preco_atual,
  "24h": (row) => row.quote.variacao_24h,
  faixa: (row) => row.hour && (row.hour.high - row.hour.low) / row.hour.origin,
  movimento: (row) => row.hour?.move,
  regime: (row) => row.hour?.percentile,
  idade: (row) => row.quote.atualizado_em,
};

/** What the table can be sorted by. */
export const COLUMNS = Object.keys(VALUES);

/** Rows from `/moedas` and `/prever`, by rank; of each coin the newest price of those two and of its row so far. */
export function joined(quotes, forecasts, rows) {
  const told = new Map(forecasts.map((forecast) => [forecast.id, forecast]));
  const shown = new Map(rows.map(({ quote }) => [quote.id, quote]));
  return quotes.map((quote, place) => {
    const forecast = told.get(quote.id);
    const origin = forecast && { preco_atual: forecast.preco_atual, atualizado_em: Date.parse(forecast.horario) };
    const newest = [origin, shown.get(quote.id)].reduce((best, other) => (other?.atualizado_em > best.atualizado_em ? other : best), quote);
    const { preco_atual, atualizado_em } = newest;
    return { quote: { ...quote, preco_atual, atualizado_em }, rank: place + 1, hour: forecast && hourOf(forecast) };
  });
}

/** What a row says of the next hour. */
export const hourOf = (forecast) => ({
  origin: forecast.preco_atual,
  low: forecast.intervalos["80"].minimo,
  high: forecast.intervalos["80"].maximo,
  move: forecast.movimento_esperado_percentual,
  regime: forecast.regime,
  percentile: forecast.regime_percentil,
  validMs: Date.parse(forecast.valido_ate),
});

/** Rows whose id, symbol or name contains `wanted`. */
export function matching(rows, wanted) {
  const part = wanted.trim().toLowerCase();
  return rows.filter(({ quote }) => [quote.id, quote.moeda, quote.nome.toLowerCase()].some((name) => name.includes(part)));
}

/** Starred coins first, then in order of a column; those without a value last. */
export function sorted(rows, column, descending, starred) {
  const value = VALUES[column];
  const sign = descending ? -1 : 1;
  const isMissing = (row) => value(row) === null || value(row) === undefined;
  const compare = (one, two) => (value(one) < value(two) ? -sign : value(one) > value(two) ? sign : one.rank - two.rank);
  return [...rows].sort(
    (one, two) =>
      starred.includes(two.quote.id) - starred.includes(one.quote.id) || isMissing(one) - isMissing(two) || compare(one, two),
  );
}

/** The rows as texts and numbers; nothing is said of hours that `holds` denies. */
export function tableRows(rows, { starred, shown, holds }) {
  const widest = Math.max(0, ...rows.map(({ hour }) => (hour ? Math.max(...[hour.low, hour.high].map((end) => Math.abs(end / hour.origin - 1))) : 0)));
  return rows.map(({ quote, rank, hour }) => ({
    id: quote.id,
    name: quote.nome,
    symbol: quote.moeda.toUpperCase(),
    rank: number(rank),
    price: price(quote.preco_atual, quote.moeda_cotacao),
    "24h": change(quote.variacao_24h),
    updated_ms: quote.atualizado_em,
    star: starred.includes(quote.id),
    current: quote.id === shown,
    ...(hour && holds(hour) && hourTexts(hour, quote.preco_atual, widest)),
  }));
}

function hourTexts(hour, priceNow, widest) {
  const place = (value) => (widest ? 50 * (1 + REACH * Math.max(-1.1, Math.min((value / hour.origin - 1) / widest, 1.1))) : 50);
  const decimals = rangeDecimals(hour.low, hour.high);
  return {
    bar: [hour.low, hour.high, priceNow].map(place),
    range: `${number(hour.low, decimals)} – ${number(hour.high, decimals)}`,
    move: `±\u00a0${percent(hour.move)}`,
    regime: REGIMES[hour.regime] ?? "",
    regime_text: hour.regime ? `${say(`regime.${hour.regime}`)} · ${percent(hour.percentile, 0)}` : say("market.unknown"),
  };
}

function change(value) {
  const text = percent(value, 2, true);
  return [value === null || /^[^1-9]*$/.test(text) ? 0 : Math.sign(value), text];
}
