// The chart of every page. Streamlit calls `draw` again for new data; the nodes stay, and so do zoom, legend, focus and tooltip.

import { age, now } from "./clock.js";

const NARROW_PX = 600;
const CLOCK_EVERY_MS = 5_000;
const TABLE_ROWS = 24;
const MARGIN = 0.06;
const KEYS = { ArrowLeft: [-0.2, -0.2], ArrowRight: [0.2, 0.2], "+": [0.2, -0.2], "-": [-0.2, 0.2] };

const charts = new WeakMap();
let plotly;

/** Draws the chart that `data` describes into `parent`; the cleanup that it returns ends the chart once its node is gone.
 *
 * `data` is the object of `chart_json` of dashboard/charts/figure.py, or its deflated JSON. */
export function draw(parent, data) {
  const chart = charts.get(parent) ?? new Chart(parent);
  charts.set(parent, chart);
  chart.receive(data);
  return () => setTimeout(() => chart.root.isConnected || chart.end());
}

/** Loads plotly.js ahead of the first chart. */
export function loadPlotly() {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("plotly-basic-4.1.1.min.js", import.meta.url);
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.js cannot be loaded"));
    document.head.append(script);
  });
  return plotly;
}

class Chart {
  constructor(parent) {
    this.parent = parent;
    this.root = element("figure", "chart");
    this.legend = element("div", "chart-legend");
    this.off = new Set();
    this.plot = element("div", "chart-plot", { tabIndex: 0 });
    this.bar = element("figcaption", "chart-bar", { hidden: true });
    this.state = element("span", "chart-state", { role: "status" });
    this.live = element("button", "chart-live", { type: "button" });
    this.tableButton = element("button", "", { type: "button" });
    this.table = element("div", "chart-table", { hidden: true, tabIndex: 0 });
    this.pictures = ["png", "svg"].map((format) => element("button", "chart-picture", { type: "button", textContent: format.toUpperCase() }));
    this.bar.append(this.state, this.live, this.tableButton, ...this.pictures);
    this.root.append(this.legend, this.bar, this.plot, this.table);
    parent.append(this.root);
    this.listen();
    this.clock = setInterval(() => this.tick(), CLOCK_EVERY_MS);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.root);
  }

  listen() {
    this.live.onclick = () => this.pause(this.pausedAt === undefined);
    this.tableButton.onclick = () => this.showTable(this.table.hidden);
    this.pictures.forEach((button, index) => (button.onclick = () => this.save(["png", "svg"][index])));
    this.plot.onkeydown = (event) => this.move(event);
    this.plot.onmousemove = (event) => (this.mouse = event);
    this.plot.onmouseleave = () => (this.mouse = undefined);
  }

  async receive(given) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const data = given.figure ? given : await inflated(given);
    if (turn !== this.turn) return; // newer data came in the meantime
    this.latest = data;
    this.plot.style.minHeight = `${data.figure.layout.height}px`;
    if (this.shown?.view !== data.view) {
      this.zoom = undefined;
      this.pausedAt = undefined;
    }
    if (this.pausedAt === undefined) this.shown = data;
    this.render();
  }

  async render() {
    const Plotly = (this.Plotly ??= await loadPlotly());
    if (!this.root.isConnected) return;
    const { figure, view, texts } = this.shown;
    registerLanguage(Plotly, texts);
    this.narrow = this.root.clientWidth < NARROW_PX;
    this.traces = figure.data.map((trace) => ({ ...trace, ...unpacked(trace), visible: this.off.has(group(trace)) ? "legendonly" : true }));
    this.isDate = figure.layout.xaxis.type === "date";
    if (this.isDate) this.setZone();
    this.home = figure.layout.xaxis.range?.map((moment) => this.local(moment));
    const drawn = this.traces.map((trace) => ({ ...trace, x: trace.x.map((moment) => this.local(moment)) }));
    await Plotly.react(this.plot, drawn, this.layout(figure.layout, view), {
      displayModeBar: false, doubleClick: false, locale: texts.locale, showTips: !this.narrow,
    });
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", this.shown.alt);
    this.drawLegend(figure.layout);
    this.root.dataset.view = view;
    this.root.dataset.drawn = Number(this.root.dataset.drawn ?? 0) + 1;
    this.hear();
    this.hoverAgain();
    this.label();
    if (!this.table.hidden) this.showTable(true);
    this.tellPlaced();
  }

  /** Takes the clock of the newest time that is past for all times: no hour comes twice or is left out when clocks change. */
  setZone() {
    const times = this.traces.flatMap(({ x }) => x).filter(Number.isFinite);
    this.zoneAt = Math.min(now(), times.reduce((newest, moment) => Math.max(newest, moment), 0) || Infinity);
    this.offsetMs = -60_000 * new Date(this.zoneAt).getTimezoneOffset();
  }

  /** A place on the axis as plotly.js draws it unchanged: a time in milliseconds as text of the clock of `setZone`. */
  local(place) {
    return this.isDate && typeof place === "number" ? new Date(place + this.offsetMs).toISOString().slice(0, -1) : place;
  }

  /** A button for each line or group of lines, which shows and hides it; buttons keep their nodes and the focus. */
  drawLegend({ showlegend }) {
    const listed = showlegend ? this.traces.filter((trace) => trace.showlegend !== false) : [];
    listed.sort((one, other) => (one.legendrank ?? 1000) - (other.legendrank ?? 1000));
    const buttons = new Map(listed.map((trace) => [group(trace), this.legendButton(trace)]));
    const names = JSON.stringify([...buttons.keys()]);
    if (this.legend.dataset.names !== names) this.legend.replaceChildren(...buttons.values());
    this.legend.dataset.names = names;
  }

  legendButton(trace) {
    const name = group(trace);
    const button = [...this.legend.children].find((child) => child.title === name) ?? element("button", "", { type: "button", title: name, textContent: name });
    button.setAttribute("aria-pressed", !this.off.has(name));
    button.style.setProperty("--line", trace.fillcolor ?? trace.marker?.line?.color ?? trace.marker?.color ?? trace.line?.color);
    button.dataset.mark = trace.fillcolor || trace.type === "bar" ? "area" : trace.mode === "markers" ? "point" : "line";
    button.onclick = () => {
      if (!this.off.delete(name)) this.off.add(name);
      this.render();
    };
    return button;
  }

  /** Says, for what lies over the plot, that it was drawn or has moved. */
  tellPlaced() {
    this.root.dispatchEvent(new CustomEvent("chart-placed", { bubbles: true }));
  }

  layout(given, view) {
    const style = getComputedStyle(this.parent);
    const colour = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    const grid = colour("--st-border-color", "#d5dbe3");
    const layout = structuredClone(given);
    layout.uirevision = view;
    layout.autosize = true;
    layout.showlegend = false;
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { color: style.color, family: style.fontFamily, size: 12 };
    layout.dragmode = this.narrow || given.dragmode === false ? false : "zoom";
    layout.hoverlabel = { bgcolor: colour("--st-background-color", "#fff"), bordercolor: grid, font: { color: style.color } };
    for (const axis of [layout.xaxis, layout.yaxis]) axis.gridcolor ??= grid;
    layout.yaxis.fixedrange = true;
    layout.xaxis.fixedrange = layout.dragmode === false;
    if (this.home) layout.xaxis.range = this.zoom ?? this.home;
    if (this.zoom) layout.yaxis.range = this.heights() ?? given.yaxis.range;
    if (this.isDate) this.placeTimes(layout);
    return layout;
  }

  placeTimes(layout) {
    for (const mark of [...(layout.shapes ?? []), ...(layout.annotations ?? [])])
      for (const side of ["x", "x0", "x1"]) if (mark.xref !== "paper" && side in mark) mark[side] = this.local(mark[side]);
    layout.xaxis.title = { text: zoneName(this.shown.texts.locale, this.zoneAt), font: { size: 11 }, standoff: 4, ...layout.xaxis.title };
    if (!this.shown.clock) return;
    const line = { color: layout.font.color, width: 1 };
    layout.shapes = [...(layout.shapes ?? []), { type: "line", yref: "paper", y0: 0, y1: 1, line, opacity: 0.6, ...this.clockLine() }];
    layout.annotations = [
      ...(layout.annotations ?? []),
      { text: ` ${this.shown.texts.now}`, x: this.local(now()), y: 1, yref: "paper", yanchor: "top", xanchor: "left", showarrow: false, font: { size: 11 } },
    ];
  }

  clockLine() {
    const x = this.local(now());
    return { x0: x, x1: x };
  }

  hear() {
    if (this.heard) return;
    this.heard = true;
    this.plot.on("plotly_relayout", (change) => {
      if ("xaxis.range[0]" in change) this.zoom = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      else if (change["xaxis.autorange"]) this.zoom = undefined;
      else return;
      this.root.dataset.zoomed = this.zoom !== undefined;
      this.fitHeights();
    });
    this.plot.on("plotly_doubleclick", () => this.reset());
    this.plot.on("plotly_afterplot", () => this.tellPlaced());
  }

  /** Fits the axis of values to the times that are seen. */
  fitHeights() {
    const range = this.heights() ?? this.shown.figure.layout.yaxis.range;
    this.Plotly.relayout(this.plot, range ? { "yaxis.range": range } : { "yaxis.autorange": true });
  }

  /** Lowest and highest value within the zoom, and a margin; undefined where nothing is zoomed or the figure says its range. */
  heights() {
    const { xaxis } = this.plot._fullLayout;
    if (!this.zoom || !this.isDate || this.shown.figure.layout.yaxis.range) return undefined;
    const [start, end] = this.zoom.map((moment) => xaxis.r2l(moment));
    const seen = [];
    for (const { x, y, base, visible } of this.traces)
      if (visible !== "legendonly")
        x.forEach((moment, index) => {
          const place = xaxis.d2l(this.local(moment));
          if (y[index] === null || place < start || place > end) return;
          seen.push((base?.[index] ?? 0) + y[index], base?.[index] ?? y[index]);
        });
    if (!seen.length) return undefined;
    const [low, high] = [Math.min(...seen), Math.max(...seen)];
    const margin = MARGIN * (high - low || Math.abs(high));
    return [low - margin, high + margin];
  }

  reset() {
    this.zoom = undefined;
    this.root.dataset.zoomed = false;
    this.Plotly.relayout(this.plot, this.home ? { "xaxis.range": this.home } : { "xaxis.autorange": true });
  }

  move(event) {
    const axis = this.plot._fullLayout?.xaxis;
    if (!axis || axis.fixedrange) return;
    if (event.key === "0" || event.key === "Escape") return this.reset();
    const shares = KEYS[event.key];
    if (!shares) return;
    event.preventDefault();
    const [low, high] = axis.range.map((end) => axis.r2l(end));
    const range = [low + shares[0] * (high - low), high + shares[1] * (high - low)].map((end) => axis.l2r(end));
    this.Plotly.relayout(this.plot, { "xaxis.range[0]": range[0], "xaxis.range[1]": range[1] });
  }

  /** Opens the tooltip again where the mouse rests: drawing closes it. */
  hoverAgain() {
    const layer = this.plot.querySelector(".nsewdrag");
    if (!this.mouse || !layer) return;
    const { clientX, clientY } = this.mouse;
    layer.dispatchEvent(new MouseEvent("mousemove", { clientX, clientY, bubbles: true, view: window }));
  }

  pause(paused) {
    this.pausedAt = paused ? now() : undefined;
    if (paused) return this.label();
    this.shown = this.latest;
    this.render();
  }

  label() {
    const { texts } = this.shown;
    const paused = this.pausedAt !== undefined;
    this.bar.hidden = false;
    this.root.dataset.paused = paused;
    this.live.hidden = !this.shown.live;
    setText(this.live, paused ? texts.resume : texts.pause);
    setText(this.state, paused ? texts.paused.replace("{age}", age((now() - this.pausedAt) / 1000)) : "");
    setText(this.tableButton, texts.table);
    this.tableButton.setAttribute("aria-expanded", !this.table.hidden);
    for (const button of this.pictures) button.title = `${texts.download} ${button.textContent}`;
  }

  tick() {
    if (!this.shown) return;
    this.label();
    const shapes = this.plot.layout?.shapes;
    if (!this.shown.clock || !shapes || document.hidden) return;
    const place = this.clockLine();
    this.Plotly.relayout(this.plot, {
      [`shapes[${shapes.length - 1}].x0`]: place.x0,
      [`shapes[${shapes.length - 1}].x1`]: place.x1,
      [`annotations[${this.plot.layout.annotations.length - 1}].x`]: place.x0,
    }).then(() => this.hoverAgain());
  }

  resize() {
    if (!this.Plotly || !this.plot.layout || !this.root.clientWidth) return;
    if (this.narrow !== this.root.clientWidth < NARROW_PX) this.render();
    else this.Plotly.Plots.resize(this.plot);
  }

  showTable(open) {
    this.table.hidden = !open;
    this.label();
    if (open) this.table.replaceChildren(dataTable(this.traces, this.shown, this.offsetMs));
  }

  save(format) {
    const { title, file } = this.shown;
    const style = getComputedStyle(this.parent);
    const { showlegend } = this.shown.figure.layout;
    const data = this.plot.data.map((trace) => ({ ...trace, name: group(trace) }));
    const layout = { ...this.plot.layout, showlegend, title: { text: title, font: { size: 15 } }, width: 1200, height: 675 };
    layout.margin = { ...layout.margin, t: 80, l: 40, r: 40, b: 40 };
    layout.paper_bgcolor = style.getPropertyValue("--st-background-color").trim() || "#fff";
    const day = new Date(now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
    this.Plotly.downloadImage(
      { data, layout, config: { locale: this.shown.texts.locale } },
      { format, filename: `${file}-${day}`, width: 1200, height: 675, scale: format === "png" ? 2 : 1 },
    );
  }

  end() {
    clearInterval(this.clock);
    this.sizes.disconnect();
    this.Plotly?.purge(this.plot);
    charts.delete(this.parent);
  }
}

/** Undoes `chart_json` of dashboard/charts/figure.py. */
function inflated(bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

function element(tag, className, properties = {}) {
  const { role, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), { className }, rest);
  if (role) node.setAttribute("role", role);
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** `Horário Padrão de Brasília (GMT-3)`, as it is called at a time. */
function zoneName(locale, moment) {
  const part = (timeZoneName) =>
    new Intl.DateTimeFormat(locale, { timeZoneName }).formatToParts(moment).find(({ type }) => type === "timeZoneName")?.value ?? "UTC";
  const [long, offset] = [part("long"), part("shortOffset")];
  return long === offset ? long : `${long} (${offset})`;
}

/** What a line is called in the legend: lines of one group go by its name, and are shown and hidden together. */
function group(trace) {
  return trace.legendgroup ?? trace.name;
}

function unpacked(trace) {
  return Object.fromEntries(["x", "y", "base"].filter((name) => name in trace).map((name) => [name, unpack(trace[name])]));
}

/** Undoes `packed` of dashboard/charts/figure.py. */
function unpack(values) {
  if (values?.steps === undefined) return values;
  const power = 10 ** Math.abs(values.decimals);
  let sum = 0;
  return values.steps.map((step) => {
    if (step === null) return null;
    sum += step;
    return values.decimals < 0 ? sum * power : sum / power;
  });
}

function registerLanguage(Plotly, { locale, thousands, decimal, zoomed_out }) {
  const names = (kind, options, dates) => dates.map((date) => new Intl.DateTimeFormat(locale, { [kind]: options, timeZone: "UTC" }).format(date));
  const months = Array.from({ length: 12 }, (_, month) => Date.UTC(2026, month, 1));
  const days = Array.from({ length: 7 }, (_, day) => Date.UTC(2026, 1, 1 + day));
  Plotly.register({
    moduleType: "locale",
    name: locale,
    dictionary: { "Double-click to zoom back out": zoomed_out },
    format: {
      days: names("weekday", "long", days), shortDays: names("weekday", "short", days),
      months: names("month", "long", months), shortMonths: names("month", "short", months),
      decimal, thousands,
    },
  });
}

/** A table of at most `TABLE_ROWS` points a line, evenly chosen, the newest included. */
function dataTable(traces, { title, texts, figure }, offsetMs) {
  const table = document.createElement("table");
  table.createCaption().textContent = title;
  const isDate = figure.layout.xaxis.type === "date";
  const when = new Intl.DateTimeFormat(texts.locale, { dateStyle: "short", timeStyle: "medium", timeZone: "UTC" });
  const number = new Intl.NumberFormat(texts.locale, { maximumFractionDigits: figure.layout.meta?.decimals ?? 2 });
  const show = (value, date) => (typeof value !== "number" ? value : date ? when.format(value + offsetMs) : number.format(value));
  for (const trace of traces) {
    if (trace.hoverinfo === "skip" || trace.visible === "legendonly") continue;
    const step = Math.max(1, Math.ceil(trace.x.length / TABLE_ROWS));
    trace.x.forEach((x, index) => {
      if (trace.y[index] === null || (trace.x.length - 1 - index) % step) return;
      const row = table.insertRow();
      for (const text of [trace.name ?? "", show(x, isDate), show(trace.y[index], false)]) row.insertCell().textContent = text;
    });
  }
  return table;
}
