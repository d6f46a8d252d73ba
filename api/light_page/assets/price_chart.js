// The chart of one coin as chart.js takes it: its price, joined to the fan of the next hour. Pure.

import { currencySymbol, locale, number, price, priceDecimals, rangeDecimals, say, section, separators, span } from "./words.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const [HISTORY, FORECAST, MUTED] = ["#2f81f7", "#e8730c", "#8b949e"]; // mid-tones that read on light and dark
const BANDS = [[95, 0.12], [80, 0.18], [50, 0.28]];
const ROUND = { shape: "spline", smoothing: 0.8 };
const HEIGHTS = { narrow: 320, wide: 460 };

/** Windows that a reader can choose: how far back, in steps of what, and the longest gap that the line may bridge. */
export const WINDOWS = {
  "1h": { spanMs: HOUR_MS, step: "1m", stepMs: MINUTE_MS, gapMs: 15 * MINUTE_MS },
  "6h": { spanMs: 6 * HOUR_MS, step: "1m", stepMs: MINUTE_MS, gapMs: 15 * MINUTE_MS },
  "24h": { spanMs: DAY_MS, step: "5m", stepMs: 5 * MINUTE_MS, gapMs: 30 * MINUTE_MS },
  "7d": { spanMs: 7 * DAY_MS, step: "1h", stepMs: HOUR_MS, gapMs: 3 * HOUR_MS },
};

/** Describes the chart.
 *
 * `points` are [UTC milliseconds, price] in order of time; `forecast` is a body of /prever, or null.
 */
export function priceChart({ name, id, currency, source, watermark, window, points, forecast, isNarrow, height }) {
  const seen = points.filter(([ms]) => ms >= points.at(-1)[0] - WINDOWS[window].spanMs);
  const decimals = priceDecimals(seen.at(-1)[1]);
  const style = { currency, decimals };
  const data = [...(forecast ? bands(forecast) : []), history(seen, WINDOWS[window].gapMs, style)];
  if (forecast) data.push(middle(forecast, style));
  const values = { coin: name, window: span(window), currency: currencySymbol(currency) };
  return {
    figure: { data, layout: layout(seen, forecast, style, { watermark, height: height ?? (isNarrow ? HEIGHTS.narrow : HEIGHTS.wide) }) },
    title: say("chart.title", values),
    alt: say("chart.alt", values),
    file: [id, window, currency, source].join("-"),
    view: `${id} ${window}`,
    live: true,
    clock: true,
    texts: { locale, decimal: separators[0], thousands: separators[1], ...section("chart") },
  };
}

const line = (x, y, properties) => ({ type: "scatter", mode: "lines", x, y, ...properties });

function history(points, gapMs, { decimals, currency }) {
  const [x, y] = [[], []];
  points.forEach(([ms, value], place) => {
    if (place && ms - points[place - 1][0] > gapMs) {
      x.push(points[place - 1][0] + 1);
      y.push(null);
    }
    x.push(ms);
    y.push(value);
  });
  return line(x, y, { name: say("chart.history"), legendrank: 1, hovertemplate: hover(decimals, currency), line: { color: HISTORY, width: 2 } });
}

/** The steps of a forecast, from the price of its origin on. */
function steps(forecast, value) {
  const path = forecast.trajetoria;
  return [[Date.parse(forecast.horario), ...path.map((step) => Date.parse(step.horario))], [forecast.preco_atual, ...path.map(value)]];
}

/** Two edges per interval with its colour between them, the widest first. */
function bands(forecast) {
  return BANDS.flatMap(([share, opacity]) =>
    ["minimo", "maximo"].map((edge) => {
      const isHigh = edge === "maximo";
      const fillcolor = `${FORECAST}${Math.round(255 * opacity).toString(16)}`;
      return line(...steps(forecast, (step) => step[`${edge}_${share}`]), {
        name: `${share}%`, legendgroup: `${share}%`, legendrank: 1000 + share, showlegend: isHigh, hoverinfo: "skip",
        line: { width: 0, color: fillcolor, ...ROUND }, fill: isHigh ? "tonexty" : "none", fillcolor,
      });
    }),
  );
}

/** The mean of the forecast; its tooltip has the intervals. */
function middle(forecast, { decimals, currency }) {
  const ranges = forecast.trajetoria.map((step) =>
    [80, 95].map((share) => {
      const ends = [step[`minimo_${share}`], step[`maximo_${share}`]];
      return `<br>${share}%: ${ends.map((end) => number(end, rangeDecimals(...ends))).join(" – ")}`;
    }).join(""),
  );
  return line(...steps(forecast, (step) => step.previsao), {
    name: say("chart.forecast"), legendrank: 2, text: ["", ...ranges], hovertemplate: `${hover(decimals, currency)}%{text}`,
    line: { color: FORECAST, width: 2.5, ...ROUND },
  });
}

/** `US$ %{y:,.2f}`, which Plotly fills in. */
const hover = (decimals, currency) => price(1, currency, 0).replace(/\d/, `%{y:,.${decimals}f}`);

function layout(points, forecast, { decimals, currency }, { watermark, height }) {
  const [firstMs, lastMs] = [points[0][0], points.at(-1)[0]];
  const endMs = forecast ? Math.max(lastMs, Date.parse(forecast.trajetoria.at(-1).horario)) : lastMs;
  const note = { xref: "paper", yref: "paper", showarrow: false };
  const annotations = [{ ...note, text: currencySymbol(currency), x: 1, y: 1, xanchor: "left", yanchor: "bottom", font: { size: 11 } }];
  if (watermark) {
    annotations.push({ ...note, text: watermark, x: 0.01, y: 0.02, xanchor: "left", yanchor: "bottom", opacity: 0.55, font: { size: 13, color: MUTED } });
  }
  const day = locale === "pt-BR" ? "%d/%m" : "%b %d";
  return {
    height, annotations, shapes: forecast ? [origin(forecast)] : [], margin: { l: 8, r: 8, t: 20, b: 8 },
    separators: separators.join(""), dragmode: "zoom", hovermode: "x unified", showlegend: true, meta: { decimals },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    xaxis: {
      type: "date", automargin: true, showgrid: false, range: [firstMs, endMs + (endMs - firstMs) / 50 + MINUTE_MS],
      hoverformat: `${day} %H:%M:%S`,
      tickformatstops: [{ dtickrange: [null, DAY_MS - 1], value: `%H:%M\n${day}` }, { dtickrange: [DAY_MS, null], value: day }],
    },
    yaxis: { automargin: true, zeroline: false, side: "right", tickformat: `,.${decimals}~f`, hoverformat: `,.${decimals}f` },
  };
}

/** Marks the price from which the forecast starts. */
function origin(forecast) {
  const at = Date.parse(forecast.horario);
  return { type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", opacity: 0.7, line: { color: FORECAST, width: 1, dash: "dot" } };
}
