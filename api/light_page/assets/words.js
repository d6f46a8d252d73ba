// Texts of the page's language, and numbers, prices and times in its form.

import { age } from "./clock.js";

const texts = JSON.parse(document.getElementById("texts").textContent);
const MAX_DECIMALS = 18;
const LEAST_LARGE_PRICE = 1e6;

export const locale = texts.locale;
export const language = locale.slice(0, 2);

/** All texts of a section of the catalogue. */
export const section = (name) => texts[name];

/** The text `section.name` with `{value}` replaced by `values`. */
export function say(key, values = {}) {
  const [part, name] = key.split(".");
  return texts[part][name].replace(/\{(\w+)\}/g, (_, value) => values[value]);
}

/** `há 12 s`. */
export const ago = (sinceMs, nowMs, key = "coin.ago") => say(key, { age: age((nowMs - sinceMs) / 1000) });

const formats = new Map();

/** A format of numbers, made once: making one takes longer than using it. */
function numberFormat(decimals, currency) {
  const key = `${decimals} ${currency}`;
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale, currency ? { style: "currency", currency, ...digits } : digits));
  return formats.get(key);
}

export const number = (value, decimals = 0) => numberFormat(decimals).format(value);

/** A percentage; what rounds to zero has no sign. */
export function percent(value, decimals = 2, signed = false) {
  if (value === null || value === undefined) return say("market.unknown");
  const rounded = Number(value.toFixed(decimals)) || 0;
  return `${signed && rounded > 0 ? "+" : ""}${number(rounded, decimals)}%`;
}

/** As many decimals as show a small move: 2 for 67187.33, 8 for 0.00002431. */
export function priceDecimals(price) {
  if (!(price > 0)) return 2;
  const magnitude = Math.floor(Math.log10(price));
  const decimals = magnitude >= 0 ? 4 - magnitude : 3 - magnitude;
  return Math.min(Math.max(decimals, price >= LEAST_LARGE_PRICE ? 0 : 2), MAX_DECIMALS);
}

/** As many decimals as tell the two ends of a range apart, with two digits of its width. */
export function rangeDecimals(low, high) {
  const width = high - low;
  const enough = width > 0 ? 1 - Math.floor(Math.log10(width)) : priceDecimals(high);
  return Math.min(Math.max(enough, 0), MAX_DECIMALS);
}

/** `US$ 67.187,33`; the code of a currency that the browser does not know stands before the number. */
export function price(value, currency, decimals = priceDecimals(value)) {
  if (value === null || value === undefined) return say("market.unknown");
  if (!/^[a-z]{3}$/.test(currency)) return `${currency.toUpperCase()}\u00a0${number(value, decimals)}`;
  return numberFormat(decimals, currency).format(value);
}

/** `US$`: what `price` writes beside the number. */
export const currencySymbol = (currency) => price(1, currency, 0).replace(/[\d\s]/g, "");

export const clock = (ms) => new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);

export const dateTime = (ms) => new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "medium", hourCycle: "h23" }).format(ms);

/** `24 h`, a window's name. */
export const span = (name) => name.replace(/(\d+)/, "$1\u00a0");

/** Decimal and thousands separator. */
export const separators = ["decimal", "group"].map(
  (type) => new Intl.NumberFormat(locale).formatToParts(12345.6).find((part) => part.type === type).value,
);
