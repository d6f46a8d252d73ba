// What is said of a coin: its next hour, how far to trust that, and why nothing is said. Pure.

import { age } from "./clock.js";
import { clock, number, percent, price, rangeDecimals, say } from "./words.js";

const SILENT_S = 90; // three cycles without contact: what was forecast is withdrawn
const LEAST_SKILL = 0.0005; // less shows as 0.0 %

/** What the forecast of the next hour means, in words. */
export function outlook(coin, currency, forecast) {
  const { minimo, maximo } = forecast.intervalos["80"];
  const [low, high] = [minimo, maximo].map((end) => price(end, currency, rangeDecimals(minimo, maximo)));
  const sentence = say("coin.outlook", { coin, low, high, clock: clock(Date.parse(forecast.horario_previsto)) });
  return Math.round(100 * forecast.probabilidade_alta) === 50 ? `${sentence} ${say("coin.no_direction")}` : sentence;
}

/** What the scores of the last week say of forecasts like this one. */
export function trust({ cobertura_80: coverage, ganho, previsoes, motivo }) {
  const count = number(previsoes);
  if (motivo) return say(previsoes ? "coin.trust_few" : "coin.trust_none", { count });
  const kept = say("coin.trust", { share: percent(100 * coverage, 1), count });
  const skill = ganho >= LEAST_SKILL ? say("coin.better", { share: percent(100 * ganho, 1) }) : say("coin.worse");
  return `${kept} ${skill}`;
}

/** Whether the API was heard too long ago for anything it said to be repeated. */
export const isSilent = (heardMs, nowMs) => nowMs - heardMs > 1000 * SILENT_S;

/** Why the forecast says nothing about now: a sentence; null while it holds. */
export function whyWithdrawn(forecast, heardMs, nowMs) {
  if (!forecast) return say("coin.none");
  const ageOf = (ms) => ({ age: age((nowMs - ms) / 1000) });
  if (nowMs > Date.parse(forecast.valido_ate)) return say("coin.expired", ageOf(Date.parse(forecast.horario)));
  return isSilent(heardMs, nowMs) ? say("coin.out_of_contact", ageOf(heardMs)) : null;
}
